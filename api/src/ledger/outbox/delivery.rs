//! A change on its way, from the commit that decides it until Redis has confirmed it.

use sqlx::MySqlConnection;

use super::marking;
use super::reading::{self, Fate, Undelivered};
use super::unmarked::ToldRow;
use crate::base::log_targets as log;
use crate::ledger::belief::Delivery;
use crate::ledger::change::{Change, Propagation};
use crate::ledger::fence::Fence;
use crate::ledger::ledgers::Ledgers;
use crate::ledger::lives::Counting;
use crate::ledger::telling::Told;
use crate::store::history::Note;
use crate::store::transaction::Transaction;

/// How often one user's rows are read anew because what they said was out of date.
const READINGS: usize = 4;

/// What was decided and is told right after the commit.
#[derive(Default)]
pub(crate) struct Decided {
    pub(crate) changes: Vec<Change>,
    /// Asked for before the transaction began, it saves a round trip where a session begins.
    pub(crate) fence: Option<Fence>,
}

/// Commits what was decided, in one row, and tells the user's ledger everything that waits for it. The
/// answer does not wait until that is written down.
///
/// The end of what is named may always be told, so if nothing else is known to wait it goes without
/// anything of the user's being read.
///
/// An ending is confirmed only by a server that counted after the commit: whoever takes its place later
/// looks at all rows once more after that, and finds this one.
pub(crate) async fn commit(
    ledgers: &Ledgers,
    mut tx: Transaction,
    user_id: u64,
    decided: Decided,
) -> sqlx::Result<Propagation> {
    let Decided { changes, fence } = decided;
    let now = ledgers.clock.now();
    let mut row = None;
    if !changes.is_empty() {
        row = Some(super::add(&mut tx, user_id, &changes, now).await?);
    }
    let mut db = tx.commit_and_keep().await?;
    if let Some(id) = row {
        ledgers.store.history.note(Note { id, user_id, at: now });
    }
    let (delivery, may_go_alone) = ledgers.shards.begin_delivery_of_own(user_id);
    let own = row.filter(|_| may_go_alone && changes.iter().all(Change::ends_what_it_names));
    let ends = changes.iter().any(Change::is_ending);
    let delivered = Box::pin(async {
        let told = if let Some(row) = own {
            // At the same time: what matters is that it comes after the commit.
            let counting = async {
                let counting = Counting::look(&mut db).await;
                drop(db);
                counting
            };
            let told = tell_own(ledgers, user_id, row, &changes);
            let (told, counting) = tokio::join!(told, counting);
            let told = vec![told?];
            must_count(&counting?, &told)?;
            told
        } else {
            let told = tell(ledgers, &mut db, user_id, row, fence).await?;
            if ends {
                let counting = Counting::look(&mut db).await?;
                must_count(&counting, &told)?;
            }
            told
        };
        marking::mark_soon(ledgers, told);
        Ok(())
    });
    Ok(confirmed(ledgers, user_id, delivery, delivered).await)
}

/// Tells the user's ledger the endings of one row and nothing else.
async fn tell_own(
    ledgers: &Ledgers,
    user_id: u64,
    id: u64,
    changes: &[Change],
) -> Result<ToldRow, Undelivered> {
    let changes: Vec<_> = changes.iter().map(|change| (user_id, change)).collect();
    let mut by = None;
    for told in ledgers.tell(&changes, None).await? {
        match told {
            Told::Heard(run_id) => by = Some(run_id),
            Told::Stale => return Err(Undelivered::Stale),
            Told::Refused(_) => return Err(Undelivered::Refused),
        }
    }
    Ok(ToldRow { id, slot: ledgers.slot(user_id), by })
}

/// Refuses what a server has heard whose place another one has taken, which may know nothing of it.
fn must_count(counting: &Counting, told: &[ToldRow]) -> Result<(), Undelivered> {
    let do_count = told.iter().all(|row| row.counts(counting));
    if do_count { Ok(()) } else { Err(Undelivered::Elsewhere) }
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
            ledgers.shards.delivered(user_id, delivery);
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

/// Tells the user's ledger everything that waits for it, and with it the row of one's own, if there is one.
async fn tell(
    ledgers: &Ledgers,
    db: &mut MySqlConnection,
    user_id: u64,
    own: Option<u64>,
    mut fence: Option<Fence>,
) -> Result<Vec<ToldRow>, Undelivered> {
    let life = || {
        let line = ledgers.shards.of(ledgers.key(user_id).as_bytes())?.any()?;
        Ok::<_, redis::RedisError>(line.run_id().clone())
    };
    let run_id = life()?;
    for _ in 0..READINGS {
        let rows = reading::waiting(db, &[user_id]).await?;
        // Somebody was faster, and may have told another server, which counts instead of this one.
        let is_told_already = own.is_some_and(|own| rows.iter().all(|row| row.id != own));
        if is_told_already && !Counting::look(db).await?.is_told(&run_id, ledgers.slot(user_id)) {
            return Err(Undelivered::Elsewhere);
        }
        let needs_a_fence = fence.is_none() && reading::holds_a_beginning(&rows);
        if !needs_a_fence {
            let fates = reading::tell(ledgers, db, &rows, fence.as_ref()).await?;
            if fates.iter().any(|fate| matches!(fate, Fate::Refused(_))) {
                return Err(Undelivered::Refused);
            }
            let told = reading::told(ledgers, &rows, fates);
            // Without a line, what an earlier one was told may yet be heard: even nothing has to wait.
            if told.len() == rows.len() && life()? == run_id {
                return Ok(told);
            }
        }
        fence = Some(ledgers.fence_about(user_id).await?);
    }
    Err(Undelivered::Stale)
}
