//! The hot path, top to bottom, and the rule that decides whether what is known still counts.
//!
//! Nothing here waits, and nothing that threads share is written.

use std::sync::atomic::{AtomicU64, Ordering};

use portcullis_core::Verdict;
use thread_local::ThreadLocal;

use crate::cells::{Cell, Cells};
use crate::clock::Moment;
use crate::lease::Lease;
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
    pub(crate) lease: Lease,
    pub(crate) cells: Cells,
    pub(crate) tokens: Tokens<Known>,
    hits: ThreadLocal<Hits>,
}

impl Knowledge {
    pub(crate) fn new(lease: Lease, most_tokens: usize) -> Self {
        let (cells, tokens) = (Cells::new(), Tokens::new(most_tokens));
        Self { lease, cells, tokens, hits: ThreadLocal::new() }
    }

    /// The verdict on this token, if it is known, and if it was the answer to this question where
    /// there is one.
    #[inline]
    pub(crate) fn verdict(&self, token: &[u8], question: Option<Fingerprint>) -> Option<Verdict> {
        let now = Moment::now();
        if !self.lease.stands(now) {
            return None;
        }
        // Only now, since the lease tells that every change before it can be seen in the cells.
        let verdict = self.tokens.find(token, |known| {
            let counts = self.counts(known, now) && question.is_none_or(|it| it == known.asked);
            counts.then_some(known.verdict)
        })??;
        self.hits.get_or_default().one_more();
        Some(verdict)
    }

    /// Whether nothing has changed since it was asked, and its time has not come.
    #[inline]
    pub(crate) fn counts(&self, known: &Known, now: Moment) -> bool {
        known.stamp == self.stamp(known.cell) && self.lease.server_ms(now) < known.until_ms
    }

    #[inline]
    pub(crate) fn stamp(&self, cell: Cell) -> Stamp {
        Stamp { era: self.lease.era.present(), count: self.cells.count(cell) }
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
