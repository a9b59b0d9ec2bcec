//! Which life of its ledgers this server is in, for whoever keeps verdicts (`AUTH.CHECK … UNTIL`).
//!
//! A client-side cache is told of commands on keys. It is not told, or not in words that it could
//! tell apart, when ledgers are replaced as a whole or nobody vouches for them any more. Then the
//! life is another one. What raises it is the table at the head of `events.rs`, and in `config.rs`
//! a changed `require-confirm`; here it is only kept.

use core::sync::atomic::{AtomicI64, Ordering};
use std::hash::{BuildHasher as _, RandomState};

use crate::server::clock::exact_now;

static LIFE: AtomicI64 = AtomicI64::new(0);

/// Begins the first life of this start: a thousand times the milliseconds since the epoch, so that it is
/// another one than at any other start, greater than any that an earlier start came to, and a whole number
/// to every language. Below that it is random: servers that are started together are told apart as well,
/// but for one pair of a thousand of those that share a millisecond.
pub(crate) fn begin() {
    let now = exact_now().0.saturating_mul(1000);
    let life = now.saturating_add(RandomState::new().hash_one(0) % 1000);
    LIFE.store(life.cast_signed(), Ordering::Relaxed);
}

/// The present life.
#[inline]
pub(crate) fn present() -> i64 {
    LIFE.load(Ordering::Relaxed)
}

/// Another life from here on.
pub(crate) fn rise() {
    LIFE.fetch_add(1, Ordering::Relaxed);
}
