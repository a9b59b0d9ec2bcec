//! Which life of its ledgers this server is in, for whoever keeps verdicts (`AUTH.CHECK … UNTIL`).
//!
//! A client-side cache is told of commands on keys. It is not told, or not in words that it could
//! tell apart, when ledgers are replaced as a whole or nobody vouches for them any more. Then the
//! life is another one. What raises it is the table at the head of `events.rs`, and in `config.rs`
//! a changed `require-confirm`; here it is only kept.

use core::sync::atomic::{AtomicI64, Ordering};

use crate::server::clock::exact_now;

static LIFE: AtomicI64 = AtomicI64::new(0);

/// Begins the first life of this start: microseconds since the epoch, so that it is another one than
/// at any other start, greater than any that an earlier start came to, and a whole number to every
/// language.
pub(crate) fn begin() {
    let now_us = exact_now().0.saturating_mul(1000);
    LIFE.store(now_us.cast_signed(), Ordering::Relaxed);
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
