//! What has changed since when: counters that pushes raise, by which an answer is known to be stale.
//!
//! The watch's own thread counts what it is told, and anybody what they know better.

use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use foldhash::fast::RandomState;

/// As many as fit into the bits of a `u16`; each is four bytes.
const CELLS: usize = 1 << 16;

/// A counter for the changes of each ledger that hashes to it, and of everything.
///
/// Ledgers that share a cell are only asked about more often. The hash has a random key, so nobody
/// can choose whom to share with.
pub(crate) struct Cells {
    counts: Box<[AtomicU32]>,
    keyed: RandomState,
}

/// Rises with whatever changes everything: a null push, another life, a connection's end.
#[derive(Default)]
pub(crate) struct Era(AtomicU64);

/// Which cell is a ledger's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell(u16);

impl Cells {
    pub(crate) fn new() -> Self {
        let counts = (0..CELLS).map(|_| AtomicU32::new(0)).collect();
        Self { counts, keyed: RandomState::default() }
    }

    pub(crate) fn of(&self, key: &[u8]) -> Cell {
        let [one, other, ..] = self.keyed.hash_one(key).to_le_bytes();
        Cell(u16::from_le_bytes([one, other]))
    }

    #[inline]
    pub(crate) fn count(&self, cell: Cell) -> u32 {
        // Every `u16` is an index.
        self.counts.get(usize::from(cell.0)).map_or(0, |count| count.load(Ordering::Acquire))
    }

    /// Something of this ledger has changed. True if the counter begins anew, so that an old answer
    /// might be taken for a fresh one unless a new era begins.
    #[must_use]
    pub(crate) fn changed(&self, cell: Cell) -> bool {
        let count = self.counts.get(usize::from(cell.0));
        count.is_some_and(|count| count.fetch_add(1, Ordering::AcqRel) == u32::MAX)
    }
}

impl Era {
    #[inline]
    pub(crate) fn present(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// From here on nothing that was known before counts.
    pub(crate) fn begin(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}
