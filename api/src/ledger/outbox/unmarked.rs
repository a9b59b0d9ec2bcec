//! Rows that Redis has confirmed and that are not marked as delivered yet (`outbox/marking.rs`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ledger::lives::Counting;

/// Rows that were told and are not marked yet.
#[derive(Default)]
pub(crate) struct Unmarked {
    told: Mutex<Told>,
    /// Held by whoever marks.
    pub(super) turn: tokio::sync::Mutex<()>,
}

/// A row that Redis has confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ToldRow {
    pub(super) id: u64,
    /// Where its user's ledger is.
    pub(super) slot: u16,
    /// Which life of which server has heard it; nothing if there was nothing to hear.
    pub(super) by: Option<Arc<str>>,
}

impl ToldRow {
    /// Whether whoever has heard it counts.
    pub(super) fn counts(&self, counting: &Counting) -> bool {
        self.by.as_deref().is_none_or(|run_id| counting.is_told(run_id, self.slot))
    }
}

#[derive(Default)]
struct Told {
    waiting: Vec<ToldRow>,
    being_marked: Vec<u64>,
}

impl Unmarked {
    /// Whether Redis has confirmed this row, so that nobody here need tell it again.
    pub(super) fn has(&self, row: u64) -> bool {
        let told = self.told();
        told.waiting.iter().any(|it| it.id == row) || told.being_marked.contains(&row)
    }

    /// Whether these are the first, so that somebody has to see to them.
    pub(super) fn add(&self, rows: Vec<ToldRow>) -> bool {
        let waiting = &mut self.told().waiting;
        let is_first = waiting.is_empty();
        waiting.extend(rows);
        is_first && !waiting.is_empty()
    }

    /// All that wait, in the one order in which everybody locks them.
    pub(super) fn take(&self) -> Taken<'_> {
        let mut told = self.told();
        let mut rows = std::mem::take(&mut told.waiting);
        rows.sort_unstable_by_key(|row| row.id);
        told.being_marked.extend(rows.iter().map(|row| row.id));
        Taken { unmarked: self, rows }
    }

    /// What was told is not in MySQL any more, where others may have its numbers.
    pub(in crate::ledger) fn forget(&self) {
        self.told().waiting.clear();
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rows that are being marked. Once this is dropped they were, or have to be told again.
pub(super) struct Taken<'a> {
    unmarked: &'a Unmarked,
    pub(super) rows: Vec<ToldRow>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let is_taken = |row: &u64| self.rows.binary_search_by_key(row, |it| it.id).is_ok();
        self.unmarked.told().being_marked.retain(|row| !is_taken(row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_as_told_until_it_was_marked_or_could_not_be() {
        let rows = |ids: &[u64]| {
            ids.iter().map(|id| ToldRow { id: *id, slot: 0, by: None }).collect::<Vec<_>>()
        };
        let unmarked = Unmarked::default();
        assert!(unmarked.add(rows(&[7, 5])) && !unmarked.add(rows(&[6])));
        assert!(unmarked.has(5) && !unmarked.has(8));
        let taken = unmarked.take();
        assert_eq!(taken.rows, rows(&[5, 6, 7]));
        assert!(
            unmarked.add(rows(&[8])),
            "they are on their way, so somebody has to see to this one"
        );
        assert!(unmarked.has(5) && unmarked.has(8));
        drop(taken);
        assert!(!unmarked.has(5) && !unmarked.has(7) && unmarked.has(8));
    }
}
