//! Writing down that Redis has confirmed rows, behind the answers and for many users at once: a commit
//! each would cost MySQL as much as the change itself.
//!
//! If that is lost, the rows are told once more, which changes nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::reading;
use crate::base::log_targets as log;
use crate::ledger::ledgers::Ledgers;

/// How long others may join. Meanwhile the workers of other instances tell the rows as well, so it is
/// short beside the pause between two of their rounds.
const GATHERED_FOR: Duration = Duration::from_millis(20);
/// How many rows one statement marks.
const MOST: usize = 500;

/// Rows that were told and are not marked yet.
#[derive(Default)]
pub(crate) struct Unmarked(Mutex<Told>);

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
    fn add(&self, rows: &[u64]) -> bool {
        let waiting = &mut self.told().waiting;
        let is_first = waiting.is_empty();
        waiting.extend(rows);
        is_first && !waiting.is_empty()
    }

    /// All that wait, in the one order in which everybody locks them.
    fn take(&self) -> Taken<'_> {
        let mut told = self.told();
        let mut rows = std::mem::take(&mut told.waiting);
        rows.sort_unstable();
        told.being_marked.extend(&rows);
        Taken { unmarked: self, rows }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rows that are being marked. Once this is dropped they were, or have to be told again.
struct Taken<'a> {
    unmarked: &'a Unmarked,
    rows: Vec<u64>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let rows = &self.rows;
        self.unmarked.told().being_marked.retain(|row| rows.binary_search(row).is_err());
    }
}

/// Marks these rows with whatever else is told meanwhile.
pub(super) fn mark_soon(ledgers: &Ledgers, told: &[u64]) {
    if !ledgers.unmarked.add(told) {
        return;
    }
    let (ledgers, background) = (ledgers.clone(), ledgers.background.clone());
    background.do_later(async move {
        tokio::time::sleep(GATHERED_FOR).await;
        mark_now(&ledgers).await;
    });
}

/// Marks whatever is not marked yet.
pub(in crate::ledger) async fn mark_now(ledgers: &Ledgers) {
    let taken = ledgers.unmarked.take();
    for told in taken.rows.chunks(MOST) {
        if let Err(cause) = mark(ledgers, told).await {
            tracing::warn!(
                target: log::OUTBOX,
                rows = told.len(),
                %cause,
                "deliveries could not be marked as done and will be repeated"
            );
        }
    }
}

async fn mark(ledgers: &Ledgers, told: &[u64]) -> sqlx::Result<()> {
    let mut db = ledgers.store.pool.acquire().await?;
    reading::mark(&mut db, told, ledgers.clock.now()).await
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
