//! What has changed since when: counters that pushes raise, by which an answer is known to be stale.
//!
//! The watch's own thread counts what it is told, and anybody what they know better.

use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use foldhash::fast::RandomState;
use portcullis_core::slot_of;

/// As many as fit into the bits of a `u16`; each is four bytes.
const CELLS: usize = 1 << 16;
/// Where servers share the slots, each slot has a few of its own: so many bits tell them apart.
const BITS_IN_SLOT: u32 = 2;

/// A counter for the changes of each ledger that hashes to it, and of everything.
///
/// Ledgers that share a cell are only asked about more often. The hash has a random key, so nobody
/// can choose whom to share with.
pub(crate) struct Cells {
    counts: Box<[AtomicU32]>,
    keyed: RandomState,
    is_by_slot: bool,
}

/// Rises with whatever changes everything: a null push, another life, a connection's end. Of several
/// servers none is ever in an era of another's.
#[derive(Default)]
pub(crate) struct Era(AtomicU64);

/// So many bits of an era count; those above say whose it is.
const ERA_BITS: u32 = 40;

/// Which cell is a ledger's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell(u16);

impl Cells {
    /// Of ledgers of one server, or of several that share the slots.
    pub(crate) fn new(is_by_slot: bool) -> Self {
        let counts = (0..CELLS).map(|_| AtomicU32::new(0)).collect();
        Self { counts, keyed: RandomState::default(), is_by_slot }
    }

    pub(crate) fn of(&self, key: &[u8]) -> Cell {
        let [one, other, ..] = self.keyed.hash_one(key).to_le_bytes();
        let hash = u16::from_le_bytes([one, other]);
        if !self.is_by_slot {
            return Cell(hash);
        }
        let within = hash & ((1 << BITS_IN_SLOT) - 1);
        Cell(slot_of(key) << BITS_IN_SLOT | within)
    }

    /// Another server has, or may have, this slot: nothing that is known of it counts. True as with
    /// [`Self::changed`].
    #[must_use]
    pub(crate) fn slot_changed(&self, slot: u16) -> bool {
        let cells = (0..1 << BITS_IN_SLOT).map(|within| Cell(slot << BITS_IN_SLOT | within));
        cells.fold(false, |is_anew, cell| self.changed(cell) | is_anew)
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

impl Cell {
    /// The slot that it is of, where servers share them.
    #[inline]
    pub(crate) const fn slot(self) -> u16 {
        self.0 >> BITS_IN_SLOT
    }
}

impl Era {
    /// The first of the server with this number.
    pub(crate) fn first_of(server: u32) -> Self {
        Self(AtomicU64::new(u64::from(server) << ERA_BITS))
    }

    /// How many there were before this one.
    pub(crate) fn past(&self) -> u64 {
        self.present() & ((1 << ERA_BITS) - 1)
    }

    #[inline]
    pub(crate) fn present(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// From here on nothing that was known before counts.
    pub(crate) fn begin(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}
