//! Rows that Redis has confirmed and that are not marked as delivered yet (`outbox/marking.rs`).

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Rows that were told and are not marked yet.
#[derive(Default)]
pub(crate) struct Unmarked {
    told: Mutex<Told>,
    /// Held by whoever marks.
    pub(super) turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Told {
    waiting: Vec<u64>,
    being_marked: Vec<u64>,
}

impl Unmarked {
    /// Whether Redis has confirmed this row, so that nobody here need tell it again.
    pub(super) fn has(&self, row: u64) -> bool {
        let told = self.told();
        told.waiting.contains(&row) || told.being_marked.contains(&row)
    }

    /// Whether these are the first, so that somebody has to see to them.
    pub(super) fn add(&self, rows: &[u64]) -> bool {
        let waiting = &mut self.told().waiting;
        let is_first = waiting.is_empty();
        waiting.extend(rows);
        is_first && !waiting.is_empty()
    }

    /// All that wait, in the one order in which everybody locks them.
    pub(super) fn take(&self) -> Taken<'_> {
        let mut told = self.told();
        let mut rows = std::mem::take(&mut told.waiting);
        rows.sort_unstable();
        told.being_marked.extend(&rows);
        Taken { unmarked: self, rows }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rows that are being marked. Once this is dropped they were, or have to be told again.
pub(super) struct Taken<'a> {
    unmarked: &'a Unmarked,
    pub(super) rows: Vec<u64>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let rows = &self.rows;
        self.unmarked.told().being_marked.retain(|row| rows.binary_search(row).is_err());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_as_told_until_it_was_marked_or_could_not_be() {
        let unmarked = Unmarked::default();
        assert!(unmarked.add(&[7, 5]) && !unmarked.add(&[6]));
        assert!(unmarked.has(5) && !unmarked.has(8));
        let taken = unmarked.take();
        assert_eq!(taken.rows, [5, 6, 7]);
        assert!(unmarked.add(&[8]), "they are on their way, so somebody has to see to this one");
        assert!(unmarked.has(5) && unmarked.has(8));
        drop(taken);
        assert!(!unmarked.has(5) && !unmarked.has(7) && unmarked.has(8));
    }
}
