//! How a change gets from MySQL to Redis without being lost.
//!
//! The transaction that decides a change also writes down what the ledger must be told; after the
//! commit it is told. Redis may therefore be behind but never ahead:
//!
//!     login    insert + row -> commit -> AUTH.SESSION CREATE -> answer, row marked
//!     revoke   update + row -> commit -> AUTH.SESSION REVOKE -> answer, row marked
//!
//! From the commit until Redis has confirmed, this instance asks MySQL about the user. Telling
//! twice, late or in another order does no harm (`reading.rs`), so nobody waits for anybody: whoever
//! finds a row waiting tells it (`worker.rs`).

mod position;
mod reading;
mod worker;

use sqlx::MySqlConnection;
use sqlx::types::Json;

pub(crate) use position::{Positions, position};
pub use worker::deliver_waiting;
pub(crate) use worker::{Worker, deliver_everybodys, run};

use crate::App;
use crate::base::clock::UnixMs;
use crate::base::log;
use crate::ledger::belief::Delivery;
use crate::ledger::change::{Change, Propagation};
use crate::ledger::fence::Fence;
use crate::store::transaction::Transaction;
use reading::Fate;

/// How often one user's rows are read anew because what they said was out of date.
const READINGS: usize = 4;

/// Writes a change down in the transaction that decides it.
pub async fn add(
    tx: &mut MySqlConnection,
    user_id: u64,
    changes: &[Change],
    now: UnixMs,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into revocation_outbox (user_id, change_set, created_at) values (?, ?, ?)",
        user_id,
        Json(changes),
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Commits what was decided and tells the user's ledger everything that waits for it. The answer
/// does not wait until that is written down.
pub(crate) async fn commit(app: &App, tx: Transaction, user_id: u64) -> sqlx::Result<Propagation> {
    commit_fenced(app, tx, user_id, None).await
}

/// The same, with a fence that was asked for before the transaction began, which saves a round trip
/// where a session begins.
pub(crate) async fn commit_fenced(
    app: &App,
    mut tx: Transaction,
    user_id: u64,
    fence: Option<Fence>,
) -> sqlx::Result<Propagation> {
    tx.commit_and_begin().await?;
    let delivery = app.ledger.lines.begin_delivery(user_id);
    let delivered = Box::pin(async {
        let told = tell(app, &mut tx, user_id, fence).await?;
        mark_later(app, user_id, tx, told);
        Ok(())
    });
    Ok(confirmed(app, user_id, delivery, delivered).await)
}

async fn confirmed(
    app: &App,
    user_id: u64,
    delivery: Delivery,
    delivered: impl Future<Output = Result<(), Undelivered>>,
) -> Propagation {
    // Both stores may take their time; an answer that waits for this one still comes in time.
    let limit = app.settings.stores.deadline();
    match tokio::time::timeout(limit, delivered).await.unwrap_or(Err(Undelivered::Late)) {
        Ok(()) => {
            app.ledger.lines.delivered(user_id, delivery);
            Propagation::Confirmed
        }
        Err(cause) => {
            tracing::warn!(
                target: log::OUTBOX,
                user_id,
                %cause,
                "the ledger is behind; delivery will be repeated"
            );
            Propagation::Pending
        }
    }
}

/// Tells the user's ledger everything that waits for it; the rows that were told.
async fn tell(
    app: &App,
    db: &mut MySqlConnection,
    user_id: u64,
    mut fence: Option<Fence>,
) -> Result<Vec<u64>, Undelivered> {
    app.ledger.lines.any()?;
    for _ in 0..READINGS {
        let rows = reading::waiting(db, &[user_id]).await?;
        let needs_a_fence = fence.is_none() && reading::holds_a_beginning(&rows);
        if !needs_a_fence {
            let fates = reading::tell(app, db, &rows, fence.as_ref()).await?;
            if fates.iter().all(|fate| *fate == Fate::Told) {
                return Ok(rows.into_iter().map(|row| row.id).collect());
            }
            if fates.iter().any(|fate| matches!(fate, Fate::Refused { .. })) {
                return Err(Undelivered::Refused);
            }
        }
        fence = Some(app.ledger.fence().await?);
    }
    Err(Undelivered::Stale)
}

fn mark_later(app: &App, user_id: u64, mut tx: Transaction, told: Vec<u64>) {
    if told.is_empty() {
        return;
    }
    let now = app.clock.now();
    app.background.do_later(async move {
        let marked = async {
            reading::mark(&mut tx, &told, now).await?;
            tx.commit().await
        };
        if let Err(cause) = marked.await {
            tracing::warn!(
                target: log::OUTBOX,
                user_id,
                %cause,
                "a delivery was not marked and will be repeated"
            );
        }
    });
}

#[derive(Debug, thiserror::Error)]
enum Undelivered {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("redis: {0}")]
    Redis(#[from] redis::RedisError),
    #[error("Redis does not take it")]
    Refused,
    #[error("what was read was out of date again and again")]
    Stale,
    #[error("it took too long")]
    Late,
}

/// Stops believing Redis about everybody for whom something waits.
pub(crate) async fn doubt_waiting(app: &App) -> sqlx::Result<()> {
    let asked = sqlx::query_scalar!(
        "select distinct user_id from revocation_outbox where delivered_at is null"
    )
    .fetch_all(&app.store.pool);
    app.ledger.lines.doubt_about(&app.store.in_time(asked).await?);
    app.ledger.lines.know_who_waits();
    Ok(())
}
