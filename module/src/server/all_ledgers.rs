//! What this server knows of all its ledgers at once: the mark, and the watermark of everybody. What
//! they are is in `core/src/all_ledgers.rs`; here they are only kept, and what is being loaded is
//! kept apart until it counts.
//!
//! A data set that is loaded brings its own, or none, and replaces what was here as it replaces the
//! ledgers: when it is whole, and not before, because a replica may answer from the old ledgers
//! meanwhile (`repl-diskless-load swapdb`). So what is replayed while a log is loaded belongs to what
//! is loaded.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use portcullis_core::{AllLedgers, Mark, UnixMs};

/// Only the main thread takes it, so nobody ever waits.
static KNOWN: Mutex<Known> = Mutex::new(Known { present: AllLedgers::NONE, incoming: None });
/// The present watermark once more, for every check.
static WATERMARK: AtomicU64 = AtomicU64::new(0);

struct Known {
    present: AllLedgers,
    /// What comes with the data set that is being loaded.
    incoming: Option<AllLedgers>,
}

/// The watermark of everybody; 0 for none.
#[inline]
pub(crate) fn watermark() -> UnixMs {
    UnixMs(WATERMARK.load(Ordering::Relaxed))
}

/// What is known now.
pub(crate) fn known() -> AllLedgers {
    with(|known| known.present.clone())
}

/// The same for `INFO`. Waits for nobody: a crash report asks as well, wherever the server stood.
pub(crate) fn shown() -> AllLedgers {
    KNOWN.try_lock().map(|known| known.present.clone()).unwrap_or_default()
}

/// Whether the mark is this one; nothing stands for none.
pub(crate) fn has_mark(text: &[u8]) -> bool {
    with(|known| known.present.has_mark(text))
}

/// Puts a mark in the place of the one that is there.
pub(crate) fn set_mark(mark: Mark) {
    with(|known| known.current().set_mark(mark));
}

/// Moves the watermark forward, never back. Answers whether it moved.
pub(crate) fn raise_watermark(to: UnixMs) -> bool {
    with(|known| known.current().raise_watermark(to))
}

/// The ledgers that the mark spoke of are there no more.
pub(crate) fn lose_mark() {
    with(|known| known.current().lose_mark());
}

/// A ledger has come by itself that nobody vouches for. One that is loaded with all others is as old as
/// the mark that comes with it.
pub(crate) fn doubt_mark() {
    with(|known| {
        if known.incoming.is_none() {
            known.present.lose_mark();
        }
    });
}

/// Nothing is known any more.
pub(crate) fn forget() {
    with(|known| *known.current() = AllLedgers::NONE);
}

/// A data set begins to be loaded. Until it says something else, it says nothing.
pub(crate) fn begin_loading() {
    with(|known| known.incoming = Some(AllLedgers::NONE));
}

/// What the data set says that is being loaded.
pub(crate) fn load(all: AllLedgers) {
    with(|known| *known.current() = all);
}

/// It is whole, or was given up.
pub(crate) fn end_loading(is_whole: bool) {
    with(|known| {
        let incoming = known.incoming.take();
        if let Some(incoming) = incoming.filter(|_| is_whole) {
            known.present = incoming;
        }
    });
}

fn with<T>(change: impl FnOnce(&mut Known) -> T) -> T {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let outcome = change(&mut known);
    WATERMARK.store(known.present.watermark().0, Ordering::Relaxed);
    outcome
}

impl Known {
    /// What a command changes: one that is replayed while a data set is loaded belongs to that.
    const fn current(&mut self) -> &mut AllLedgers {
        match &mut self.incoming {
            Some(incoming) => incoming,
            None => &mut self.present,
        }
    }
}
