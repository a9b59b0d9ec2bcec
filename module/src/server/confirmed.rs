//! Whether somebody vouches for what this server holds. What makes it so, and what makes it void,
//! is the table at the head of `commands/confirm.rs`; here it is only kept.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::server::life;

static CONFIRMED: AtomicBool = AtomicBool::new(false);

/// Whether somebody has confirmed this server's ledgers.
#[inline]
pub(crate) fn is_confirmed() -> bool {
    CONFIRMED.load(Ordering::Relaxed)
}

/// Somebody does now.
pub(crate) fn set() {
    CONFIRMED.store(true, Ordering::Relaxed);
}

/// Nobody vouches for these ledgers any more, nor for answers that were given from them.
pub(crate) fn void() {
    CONFIRMED.store(false, Ordering::Relaxed);
    life::rise();
}
