//! Which life of its ledgers this server is in, for whoever keeps verdicts (`AUTH.CHECK … UNTIL`).
//!
//! A client-side cache is told of commands on keys. It is not told, or not in words that it could
//! tell apart, when ledgers are replaced as a whole or nobody vouches for them any more. Then the
//! life is another one. What raises it is the table at the head of `events.rs`, and in `config.rs`
//! a changed `require-confirm`; here it is only kept.

use core::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

static LIFE: AtomicI64 = AtomicI64::new(0);

/// Begins the first life of this start: the microseconds since the epoch, so that it is another one
/// than at any other start, greater than any earlier one, and a whole number to every language.
pub(crate) fn begin() {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    LIFE.store(i64::try_from(since_epoch.as_micros()).unwrap_or(0), Ordering::Relaxed);
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
