//! Whether somebody vouches for what this server holds, and for how long. What makes it so, and what
//! makes it void, is the table at the head of `commands/confirm.rs`; here it is only kept.
//!
//! A confirmation may be a lease. Its end passes unseen, so it is looked at whenever somebody asks, and by a
//! timer; whoever keeps an answer was told of it beforehand.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;

use portcullis_core::UnixMs;

use crate::server::clock::monotonic_now;
use crate::server::{abilities, life};

static CONFIRMED: AtomicBool = AtomicBool::new(false);
/// When the lease ends, by the clock that nobody can set.
static END_MS: AtomicU64 = AtomicU64::new(NO_END);
const NO_END: u64 = u64::MAX;

/// Whether somebody has confirmed this server's ledgers, and still does.
#[inline]
pub(crate) fn is_confirmed() -> bool {
    CONFIRMED.load(Ordering::Relaxed)
        && (END_MS.load(Ordering::Relaxed) == NO_END || has_time_left())
}

#[cold]
fn has_time_left() -> bool {
    let is_left = left().is_none_or(|left| !left.is_zero());
    if !is_left {
        void();
    }
    is_left
}

/// What is left of the lease; `None` without one.
pub(crate) fn left() -> Option<Duration> {
    let end = END_MS.load(Ordering::Relaxed);
    let left = Duration::from_millis(end.saturating_sub(monotonic_now().0));
    (end != NO_END).then_some(left)
}

/// The instant until which it is confirmed; the latest of all without a lease.
pub(crate) fn until(now: UnixMs) -> UnixMs {
    left().map_or(UnixMs::MAX, |left| now.plus(left))
}

/// Somebody vouches for them now, for so long or without an end. What was kept by an earlier
/// confirmation that lasted longer, or has ended, is void.
pub(crate) fn set(lease: Option<Duration>) {
    let was_confirmed = is_confirmed();
    let ms = |lease: Duration| u64::try_from(lease.as_millis()).unwrap_or(NO_END);
    let end = lease.map_or(NO_END, |lease| monotonic_now().0.saturating_add(ms(lease)));
    let before = END_MS.swap(end, Ordering::Relaxed);
    CONFIRMED.store(true, Ordering::Relaxed);
    abilities::are_confirmed(true);
    if was_confirmed && end < before {
        life::rise();
    }
}

/// Nobody vouches for these ledgers any more, nor for answers that were given from them.
pub(crate) fn void() {
    CONFIRMED.store(false, Ordering::Relaxed);
    END_MS.store(NO_END, Ordering::Relaxed);
    abilities::are_confirmed(false);
    life::rise();
}
