//! Writing down that Redis has confirmed rows, behind the answers and for many users at once: a commit
//! each would cost MySQL as much as the change itself.
//!
//! If that is lost, the rows are told once more, which changes nothing.

use std::time::Duration;

use super::reading;
use super::unmarked::ToldRow;
use crate::base::log_targets as log;
use crate::ledger::ledgers::Ledgers;
use crate::ledger::lives::Counting;

/// How long others may join. Meanwhile the workers of other instances tell the rows as well, so it is
/// short beside the pause between two of their rounds.
const GATHERED_FOR: Duration = Duration::from_millis(20);
/// How many rows one statement marks.
const MOST: usize = 500;

/// Marks these rows with whatever else is told meanwhile.
pub(super) fn mark_soon(ledgers: &Ledgers, told: Vec<ToldRow>) {
    if !ledgers.unmarked.add(told) {
        return;
    }
    let (ledgers, background) = (ledgers.clone(), ledgers.background.clone());
    background.do_later(async move {
        tokio::time::sleep(GATHERED_FOR).await;
        mark_now(&ledgers).await;
    });
}

/// Marks whatever is not marked yet, so that what is not marked then waits to be told.
pub(crate) async fn mark_now(ledgers: &Ledgers) {
    let _turn = ledgers.unmarked.turn.lock().await;
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

/// But not what was told to a server whose place another one has taken: that is told again, to the other.
async fn mark(ledgers: &Ledgers, told: &[ToldRow]) -> sqlx::Result<()> {
    let mark = || {
        ledgers.store.in_time(async {
            let mut db = ledgers.store.pool.acquire().await?;
            // Now, when the rows have long been committed: a server that is vouched for after this finds
            // them waiting, or has them told again as well.
            let counting = Counting::look(&mut db).await?;
            let rows = told.iter().filter(|row| row.counts(&counting));
            let rows: Vec<u64> = rows.map(|row| row.id).collect();
            reading::mark(&mut db, &rows, ledgers.clock.now()).await
        })
    };
    ledgers.store.repeat_beside(mark).await
}
