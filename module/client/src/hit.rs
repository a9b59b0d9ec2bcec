//! The hot path, top to bottom, and the rule that decides whether what is known still counts.
//!
//! Nothing here waits, and nothing that threads share is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use portcullis_core::Verdict;
use thread_local::ThreadLocal;

use crate::cells::{Cell, Cells};
use crate::clock::Moment;
use crate::lease::Lease;
use crate::map::Map;
use crate::question::Fingerprint;
use crate::tokens::Tokens;

/// A verdict, and all that must still be so for it to count.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub(crate) verdict: Verdict,
    pub(crate) cell: Cell,
    /// As both were before the question was sent.
    pub(crate) stamp: Stamp,
    /// The instant before which it stands, by the server's clock.
    pub(crate) until_ms: i64,
    /// What was asked.
    pub(crate) asked: Fingerprint,
}

/// How often a cell, and everything, had changed by some instant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    era: u64,
    count: u32,
}

/// What is known of tokens, and what it takes to judge by it.
pub(crate) struct Knowledge {
    /// The server's. It never stands where several share the slots.
    pub(crate) lease: Lease,
    /// Whose leases count instead, if several do.
    pub(crate) map: Option<ArcSwap<Map>>,
    pub(crate) cells: Cells,
    pub(crate) tokens: Tokens<Known>,
    hits: ThreadLocal<Hits>,
}

impl Knowledge {
    pub(crate) fn new(lease: Lease, most_tokens: usize, is_by_slot: bool) -> Self {
        let (cells, tokens) = (Cells::new(is_by_slot), Tokens::new(most_tokens));
        let map = is_by_slot.then(ArcSwap::default);
        Self { lease, map, cells, tokens, hits: ThreadLocal::new() }
    }

    /// The verdict on this token, if it is known, and if it was the answer to this question where
    /// there is one.
    #[inline]
    pub(crate) fn verdict(&self, token: &[u8], question: Option<Fingerprint>) -> Option<Verdict> {
        let now = Moment::now();
        if !self.lease.stands(now) {
            return self.verdict_by_slot(token, question, now);
        }
        // Only now, since the lease tells that every change before it can be seen in the cells.
        let verdict = self.tokens.find(token, |known| {
            let counts = self.counts_on(&self.lease, known, now);
            (counts && question.is_none_or(|it| it == known.asked)).then_some(known.verdict)
        })??;
        self.hits.get_or_default().one_more();
        Some(verdict)
    }

    /// The same where the token's slot says whose lease counts. Nothing where there is one server.
    #[inline(never)]
    fn verdict_by_slot(
        &self,
        token: &[u8],
        question: Option<Fingerprint>,
        now: Moment,
    ) -> Option<Verdict> {
        let map = self.map.as_ref()?.load();
        let verdict = self.tokens.find(token, |known| {
            let lease = map.lease(known.cell.slot()).filter(|lease| lease.stands(now))?;
            let counts = self.counts_on(lease, known, now);
            (counts && question.is_none_or(|it| it == known.asked)).then_some(known.verdict)
        })??;
        self.hits.get_or_default().one_more();
        Some(verdict)
    }

    /// Whether nothing has changed since it was asked of the server with this lease, and its time has
    /// not come.
    #[inline]
    fn counts_on(&self, lease: &Lease, known: &Known, now: Moment) -> bool {
        known.stamp == self.stamp(lease, known.cell) && lease.server_ms(now) < known.until_ms
    }

    /// The same, of whichever server has the slot.
    pub(crate) fn counts(&self, known: &Known, now: Moment) -> bool {
        let Some(map) = &self.map else { return self.counts_on(&self.lease, known, now) };
        let map = map.load();
        map.lease(known.cell.slot()).is_some_and(|lease| self.counts_on(lease, known, now))
    }

    #[inline]
    pub(crate) fn stamp(&self, lease: &Lease, cell: Cell) -> Stamp {
        Stamp { era: lease.era.present(), count: self.cells.count(cell) }
    }

    /// Since when the server with this lease has had the slot of this cell; nothing if it has not.
    pub(crate) fn since(&self, lease: &Lease, cell: Cell) -> Option<u32> {
        match &self.map {
            Some(map) => map.load().since(lease, cell.slot()),
            None => Some(0),
        }
    }

    /// From here on nothing that was known before counts.
    pub(crate) fn begin_eras(&self) {
        self.lease.era.begin();
        let Some(map) = &self.map else { return };
        map.load().leases().for_each(|lease| lease.era.begin());
    }

    /// Something of this ledger has changed.
    pub(crate) fn changed(&self, cell: Cell) {
        if self.cells.changed(cell) {
            self.begin_eras();
        }
    }

    /// Whoever was thought to have this slot has not.
    pub(crate) fn doubt_slot(&self, slot: u16) {
        let Some(map) = self.map.as_ref().map(ArcSwap::load_full) else { return };
        let (next, moved) = map.next(|it| map.owner(it).filter(|_| it != slot).map(Arc::clone));
        self.follow(next, moved.into_iter());
    }

    /// Another map from here on; of slots that have another server, or may have, nothing counts that
    /// was known before.
    pub(crate) fn follow(&self, map: Map, moved: impl Iterator<Item = u16>) {
        let Some(present) = &self.map else { return };
        present.store(Arc::new(map));
        if moved.fold(false, |is_anew, slot| self.cells.slot_changed(slot) | is_anew) {
            self.begin_eras();
        }
    }

    pub(crate) fn hits(&self) -> u64 {
        self.hits.iter().map(|hits| hits.0.load(Ordering::Relaxed)).sum()
    }
}

/// What one thread has found, on cache lines that no other writes.
#[derive(Default)]
#[repr(align(128))]
struct Hits(AtomicU64);

impl Hits {
    #[inline]
    fn one_more(&self) {
        // No other thread writes it, so that a locked instruction would be wasted.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}
