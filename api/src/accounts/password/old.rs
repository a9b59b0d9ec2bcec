//! What is known of hashes of older days, and how much was hashed.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::outcome::Kind;

/// What is known of old hashes, and how much was hashed.
#[derive(Default)]
pub(super) struct Old {
    /// The dearest cost that is kept; 0 when no old hash is left.
    pub(super) cost: AtomicU32,
    pub(super) argon2id: AtomicU64,
    pub(super) bcrypt: AtomicU64,
}

impl Old {
    /// Counts a hash, and remembers what an old one costs.
    pub(super) fn count(&self, kind: Kind) {
        match kind {
            Kind::Argon2id => self.argon2id.fetch_add(1, Ordering::Relaxed),
            Kind::Bcrypt { cost } => {
                self.cost.fetch_max(cost, Ordering::Relaxed);
                self.bcrypt.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}
