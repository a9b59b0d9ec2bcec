//! The end of everybody's sessions at once: one instant, in one row.
//!
//! Every session that began up to that instant has ended (`standing.rs`). That each of them also says
//! so itself is written down afterwards, some at a time: it is of no importance to anybody but a reader
//! of the rows, and instances of an earlier version.
//!
//! Whoever begins a session holds the row together with whoever else does, so that a session is either
//! there when the instant is chosen, or begins after it.

use sqlx::{Executor, MySql, MySqlConnection};

use crate::base::clock::Timestamp;
use crate::metrics;
use crate::store::database::Store;
use crate::store::lock::lock;

/// How many users' sessions are marked in one transaction.
const BATCH: u32 = 500;

/// The instant up to which everything has ended, if there is one.
pub(crate) async fn ended_until<'d>(
    db: impl Executor<'d, Database = MySql>,
) -> sqlx::Result<Option<Timestamp>> {
    let instant = sqlx::query_scalar!(
        r#"select tokens_valid_after as "at: Timestamp" from everybody where id = 1"#
    );
    Ok(instant.fetch_optional(db).await?.flatten())
}

/// The same until the transaction ends, for whoever begins a session in it.
pub(crate) async fn hold(tx: &mut MySqlConnection) -> sqlx::Result<Option<Timestamp>> {
    let instant = sqlx::query_scalar!(
        r#"select tokens_valid_after as "at: Timestamp" from everybody where id = 1
             lock in share mode"#
    );
    Ok(instant.fetch_optional(tx).await?.flatten())
}

/// Ends everything that has begun, at this instant or later: at none that is earlier than the beginning
/// of any session, for a host's clock may be ahead. Tells the instant.
pub(crate) async fn end(tx: &mut MySqlConnection, at: Timestamp) -> sqlx::Result<Timestamp> {
    let before = sqlx::query_scalar!(
        r#"select tokens_valid_after as "at: Timestamp" from everybody where id = 1 for update"#
    );
    let before = before.fetch_optional(&mut *tx).await?.flatten();
    let newest =
        sqlx::query_scalar!(r#"select max(created_at) as "newest: Timestamp" from user_sessions"#);
    let newest = newest.fetch_one(&mut *tx).await?;
    let at = before.into_iter().chain(newest).fold(at, Ord::max);
    sqlx::query!(
        "insert into everybody (id, tokens_valid_after) values (1, ?)
         on duplicate key update tokens_valid_after = ?, recorded_at = null",
        at,
        at,
    )
    .execute(tx)
    .await?;
    Ok(at)
}

/// How many were marked.
#[derive(Clone, Copy, Default)]
pub(crate) struct Recorded {
    pub(crate) users: u64,
    pub(crate) sessions: u64,
    /// Whom to go on after; none, if that was all.
    pub(crate) after: Option<u64>,
}

/// Marks the sessions of the next users that the instant has ended. They ended by the instant, so nobody
/// who decides anything about them need be waited for.
pub(crate) async fn record_some(
    store: &Store,
    after: u64,
    now: Timestamp,
) -> sqlx::Result<Recorded> {
    let ended_until = ended_until(&store.pool).await?;
    let last = sqlx::query_scalar!(
        r#"select max(id) as "last: u64"
             from (select id from users where id > ? order by id limit ?) some"#,
        after,
        BATCH,
    );
    let last = last.fetch_one(&store.pool).await?;
    let Some((until, last)) = ended_until.zip(last) else { return Ok(Recorded::default()) };
    store.repeat_beside(|| record(store, after, last, (until, now))).await
}

async fn record(
    store: &Store,
    after: u64,
    last: u64,
    (until, now): (Timestamp, Timestamp),
) -> sqlx::Result<Recorded> {
    let mut tx = store.begin().await?;
    let has_any = sqlx::query_scalar!(
        r#"select count(distinct user_id) as "users!: i64"
             from user_sessions force index (idx_user_session_user_id)
            where user_id > ? and user_id <= ? and is_active and created_at <= ?"#,
        after,
        last,
        until,
    );
    let users = has_any.fetch_one(&mut *tx).await?.unsigned_abs();
    let marked = sqlx::query!(
        "update user_sessions force index (idx_user_session_user_id)
            set is_active = false, ended_at = ?, ended_reason = 'admin'
          where user_id > ? and user_id <= ? and is_active and created_at <= ?",
        now,
        after,
        last,
        until,
    );
    let sessions = marked.execute(&mut *tx).await?.rows_affected();
    tx.once_committed(move || metrics::sessions_revoked("admin", sessions));
    tx.commit().await?;
    Ok(Recorded { users, sessions, after: Some(last) })
}

/// Marks whatever is not marked yet, from this user on, unless another instance is at it.
pub(crate) async fn record_rest(store: &Store, after: u64, now: Timestamp) -> sqlx::Result<()> {
    let until = sqlx::query_scalar!(
        r#"select tokens_valid_after as "at: Timestamp" from everybody
            where id = 1 and recorded_at is null"#
    );
    let Some(until) = until.fetch_optional(&store.pool).await?.flatten() else { return Ok(()) };
    let Some(held) = lock(&store.pool, "everybody").await? else { return Ok(()) };
    let recorded = held.lease.keep(record_from(store, after, until, now)).await;
    held.release().await;
    recorded.unwrap_or(Ok(()))
}

/// Writes down in the end that all is marked that had ended until then.
async fn record_from(
    store: &Store,
    mut after: u64,
    until: Timestamp,
    now: Timestamp,
) -> sqlx::Result<()> {
    while let Some(last) = record_some(store, after, now).await?.after {
        after = last;
    }
    let done = sqlx::query!(
        "update everybody set recorded_at = ? where id = 1 and tokens_valid_after = ?",
        now,
        until,
    );
    done.execute(&store.pool).await.map(drop)
}
