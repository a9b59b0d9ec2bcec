//! A change on its way, from the commit that decides it until Redis has confirmed it.

use sqlx::MySqlConnection;

use super::reading::{self, Fate, Undelivered};
use crate::base::log_targets as log;
use crate::ledger::belief::Delivery;
use crate::ledger::change::Propagation;
use crate::ledger::fence::Fence;
use crate::ledger::ledgers::Ledgers;
use crate::store::transaction::Transaction;

/// How often one user's rows are read anew because what they said was out of date.
const READINGS: usize = 4;

/// Commits what was decided and tells the user's ledger everything that waits for it. The answer
/// does not wait until that is written down. A fence that was asked for before the transaction began
/// saves a round trip where a session begins.
pub(crate) async fn commit(
    ledgers: &Ledgers,
    mut tx: Transaction,
    user_id: u64,
    fence: Option<Fence>,
) -> sqlx::Result<Propagation> {
    tx.commit_and_begin().await?;
    let delivery = ledgers.lines.begin_delivery(user_id);
    let delivered = Box::pin(async {
        let told = tell(ledgers, &mut tx, user_id, fence).await?;
        mark_later(ledgers, user_id, tx, told);
        Ok(())
    });
    Ok(confirmed(ledgers, user_id, delivery, delivered).await)
}

async fn confirmed(
    ledgers: &Ledgers,
    user_id: u64,
    delivery: Delivery,
    delivered: impl Future<Output = Result<(), Undelivered>>,
) -> Propagation {
    // Both stores may take their time; an answer that waits for this one still comes in time.
    let limit = ledgers.stores_deadline;
    match tokio::time::timeout(limit, delivered).await.unwrap_or(Err(Undelivered::Late)) {
        Ok(()) => {
            ledgers.lines.delivered(user_id, delivery);
            Propagation::Confirmed
        }
        Err(cause) => {
            tracing::warn!(
                target: log::OUTBOX,
                user_id,
                %cause,
                "the ledger is behind; delivery will be retried"
            );
            Propagation::Pending
        }
    }
}

/// Tells the user's ledger everything that waits for it; the rows that were told.
async fn tell(
    ledgers: &Ledgers,
    db: &mut MySqlConnection,
    user_id: u64,
    mut fence: Option<Fence>,
) -> Result<Vec<u64>, Undelivered> {
    ledgers.lines.any()?;
    for _ in 0..READINGS {
        let rows = reading::waiting(db, &[user_id]).await?;
        let needs_a_fence = fence.is_none() && reading::holds_a_beginning(&rows);
        if !needs_a_fence {
            let fates = reading::tell(ledgers, db, &rows, fence.as_ref()).await?;
            if fates.iter().all(|fate| *fate == Fate::Told) {
                return Ok(rows.into_iter().map(|row| row.id).collect());
            }
            if fates.iter().any(|fate| matches!(fate, Fate::Refused { .. })) {
                return Err(Undelivered::Refused);
            }
        }
        fence = Some(ledgers.fence().await?);
    }
    Err(Undelivered::Stale)
}

/// Marks them behind the answer. If that is lost, they are told once more, which changes nothing.
fn mark_later(ledgers: &Ledgers, user_id: u64, mut tx: Transaction, told: Vec<u64>) {
    if told.is_empty() {
        return;
    }
    let now = ledgers.clock.now();
    ledgers.background.do_later(async move {
        let marked = async {
            reading::mark(&mut tx, &told, now).await?;
            tx.commit().await
        };
        if let Err(cause) = marked.await {
            tracing::warn!(
                target: log::OUTBOX,
                user_id,
                %cause,
                "a delivery could not be marked as done and will be repeated"
            );
        }
    });
}
