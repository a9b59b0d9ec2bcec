//! How a change gets from MySQL to Redis without being lost.
//!
//! The transaction that decides a change also writes down what the ledger must be told; after the
//! commit it is told. Redis may therefore be behind but never ahead:
//!
//!     login    insert + row -> commit -> AUTH.SESSION CREATE -> answer, row marked
//!     revoke   update + row -> commit -> AUTH.SESSION REVOKE -> answer, row marked
//!
//! Changes of one user are delivered in order: whoever delivers first locks the user's oldest
//! waiting row. Every change is safe to deliver twice, in order. From the commit until Redis has
//! confirmed, this instance asks MySQL about the user. An attempt that failed on its way may still
//! arrive, after what another instance delivered meanwhile; so the next attempt repeats the endings
//! from there on.

mod change;
mod together;

use std::collections::HashSet;
use std::time::Duration;

use sqlx::MySqlConnection;
use sqlx::types::Json;
use tokio::time::Instant;

pub use change::{Change, Propagation};

use crate::App;
use crate::clock::UnixMs;
use crate::database;
use crate::line::Delivery;
use crate::transaction::Transaction;

/// How often the worker looks for what could not be delivered at once.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many users' changes one round of the worker delivers.
const USERS_A_ROUND: u32 = 200;

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
pub(crate) async fn commit(
    app: &App,
    mut tx: Transaction,
    user_id: u64,
) -> sqlx::Result<Propagation> {
    tx.commit_and_begin().await?;
    let delivery = app.ledger.lines.begin_delivery(user_id);
    let delivered = Box::pin(async {
        app.ledger.lines.any()?;
        if let Some(told) = tell(app, user_id, delivery, tx).await? {
            mark_later(app, user_id, told);
        }
        Ok(())
    });
    Ok(confirmed(app, user_id, delivery, delivered).await)
}

/// Tells a user's ledger everything that waits for it. Never fails: what stays is pending.
pub async fn deliver(app: &App, user_id: u64) -> Propagation {
    let delivery = app.ledger.lines.begin_delivery(user_id);
    let delivered = Box::pin(async {
        app.ledger.lines.any()?;
        let tx = Transaction::begin(&app.db).await?;
        if let Some(told) = tell(app, user_id, delivery, tx).await? {
            mark(app, user_id, told).await?;
        }
        Ok(())
    });
    confirmed(app, user_id, delivery, delivered).await
}

async fn confirmed(
    app: &App,
    user_id: u64,
    delivery: Delivery,
    delivered: impl Future<Output = Result<(), Undelivered>>,
) -> Propagation {
    // Both stores may take their time; an answer that waits for this one still comes in time.
    let limit = app.stores_deadline();
    match tokio::time::timeout(limit, delivered).await.unwrap_or(Err(Undelivered::Late)) {
        Ok(()) => {
            app.ledger.lines.delivered(user_id, delivery);
            Propagation::Confirmed
        }
        Err(cause) => {
            tracing::warn!(user_id, %cause, "the ledger is behind; delivery will be repeated");
            Propagation::Pending
        }
    }
}

/// What Redis has confirmed up to a row; the rows are held until that is marked.
struct Told {
    tx: Transaction,
    last: u64,
}

/// Nothing, if nothing waits.
async fn tell(
    app: &App,
    user_id: u64,
    delivery: Delivery,
    mut tx: Transaction,
) -> Result<Option<Told>, Undelivered> {
    let rows = sqlx::query!(
        r#"select id, change_set as "changes: Json<Vec<Change>>",
                  (delivered_at is null) as "is_waiting: bool"
             from revocation_outbox force index (idx_outbox_user_id)
            where user_id = ? and (delivered_at is null or id >= ?)
            order by id for update"#,
        user_id,
        delivery.uncertain_from.unwrap_or(u64::MAX),
    )
    .fetch_all(&mut *tx)
    .await?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(None) };
    let (first, last) = (first.id, last.id);
    let changes: Vec<(u64, Change)> = rows
        .into_iter()
        .flat_map(|row| row.changes.0.into_iter().map(move |change| (row.is_waiting, change)))
        .filter_map(|(is_waiting, change)| {
            (is_waiting || change.names_its_end()).then_some((user_id, change))
        })
        .collect();
    // Said before, because this attempt may be cut short at any point.
    app.ledger.lines.uncertain(user_id, first);
    app.ledger.apply(&changes).await?;
    Ok(Some(Told { tx, last }))
}

fn mark_later(app: &App, user_id: u64, told: Told) {
    let own = app.clone();
    app.do_later(async move {
        if let Err(cause) = mark(&own, user_id, told).await {
            tracing::warn!(user_id, %cause, "a delivery was not marked and will be repeated");
        }
    });
}

async fn mark(app: &App, user_id: u64, told: Told) -> sqlx::Result<()> {
    let Told { mut tx, last } = told;
    sqlx::query!(
        "update revocation_outbox force index (idx_outbox_user_id) set delivered_at = ?
          where user_id = ? and delivered_at is null and id <= ?",
        app.clock.now(),
        user_id,
        last,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

#[derive(Debug, thiserror::Error)]
enum Undelivered {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("redis: {0}")]
    Redis(#[from] redis::RedisError),
    #[error("it took too long")]
    Late,
}

/// Delivers what waits, again and again, until the service stops.
pub(crate) async fn run(app: App) {
    loop {
        let delivered = tokio::select! {
            delivered = deliver_all(&app) => delivered,
            () = app.stop.cancelled() => return,
        };
        if let Err(cause) = delivered {
            tracing::warn!(%cause, "the outbox could not be read");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.ledger.lines.up.notified() => {}
            () = app.stop.cancelled() => return,
        }
    }
}

/// The row up to which everything has been delivered; 0 if that is not known.
pub(crate) async fn position(app: &App) -> sqlx::Result<u64> {
    let asked = sqlx::query!(
        r#"select (select min(id) from revocation_outbox where delivered_at is null)
                      as "first_waiting: u64",
                  (select max(id) from revocation_outbox) as "newest: u64""#
    )
    .fetch_one(&app.db);
    let row = database::time(app.settings.stores.db_deadline, asked).await?;
    Ok(row.first_waiting.map(|first| first - 1).or(row.newest).unwrap_or(0))
}

/// Stops believing Redis about everybody for whom something waits.
pub(crate) async fn doubt_waiting(app: &App) -> sqlx::Result<()> {
    let asked = sqlx::query_scalar!(
        "select distinct user_id from revocation_outbox where delivered_at is null"
    )
    .fetch_all(&app.db);
    app.ledger.lines.doubt_about(&database::time(app.settings.stores.db_deadline, asked).await?);
    app.ledger.lines.know_who_waits();
    Ok(())
}

/// Delivers what waits for however many users, until an answer has to be given.
pub(crate) async fn deliver_everybodys(app: &App, until: Instant) -> Propagation {
    match tokio::time::timeout_at(until, deliver_all(app)).await {
        Ok(Ok(0)) => Propagation::Confirmed,
        Ok(Ok(_) | Err(_)) | Err(_) => Propagation::Pending,
    }
}

/// Round after round, until nothing waits or something cannot be delivered.
async fn deliver_all(app: &App) -> sqlx::Result<usize> {
    loop {
        let Round { users, behind } = round(app).await?;
        if behind > 0 || users < USERS_A_ROUND as usize {
            return Ok(behind);
        }
    }
}

/// Tries to deliver what has waited longest; tells how many users it could not be delivered for.
pub async fn deliver_waiting(app: &App) -> sqlx::Result<usize> {
    Ok(round(app).await?.behind)
}

/// For how many users something waited, and for how many it still does.
struct Round {
    users: usize,
    behind: usize,
}

async fn round(app: &App) -> sqlx::Result<Round> {
    let asked = sqlx::query_scalar!(
        "select user_id from revocation_outbox where delivered_at is null
          group by user_id order by min(id) limit ?",
        USERS_A_ROUND,
    )
    .fetch_all(&app.db);
    let mut users = database::time(app.settings.stores.db_deadline, asked).await?;
    let listed: HashSet<u64> = users.iter().copied().collect();
    users.extend(app.ledger.lines.behind().into_iter().filter(|id| !listed.contains(id)));
    let count = users.len();
    if app.ledger.lines.any().is_err() {
        return Ok(Round { users: count, behind: count });
    }
    let mut behind = 0;
    for some in users.chunks(USERS_A_ROUND as usize) {
        behind += together::deliver(app, some).await;
    }
    Ok(Round { users: count, behind })
}
