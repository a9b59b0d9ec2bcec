//! The end of everybody's sessions at once: one instant, in one row.
//!
//! Every session that began up to that instant has ended (`standing.rs`). That each of them also says
//! so itself is written down afterwards, some at a time: it is of no importance to anybody but a reader
//! of the rows, and instances of an earlier version.
//!
//! Whoever begins a session holds the row together with whoever else does, so that a session is either
//! there when the instant is chosen, or begins after it.

use std::time::Duration;

use sqlx::MySqlConnection;

use crate::base::clock::Timestamp;
use crate::metrics;
use crate::store::database::Store;
use crate::store::lock::lock;

/// How many users' sessions are marked in one transaction.
const BATCH: u32 = 500;

/// The instant up to which everything has ended, until the transaction ends, for whoever begins a session
/// in it.
pub(crate) async fn hold(tx: &mut MySqlConnection) -> sqlx::Result<Option<Timestamp>> {
    let instant = sqlx::query_scalar!(
        r#"select tokens_valid_after as "at: Timestamp" from everybody where id = 1
             lock in share mode"#
    );
    Ok(instant.fetch_optional(tx).await?.flatten())
}

/// When everybody's sessions end, by whose clock.
#[derive(Clone, Copy)]
pub(crate) struct When {
    /// By this host's.
    pub(crate) now: Timestamp,
    /// By that of Redis, if it was there to say so.
    pub(crate) redis_now: Option<Timestamp>,
    /// The longest life of a session, and so how far ahead Redis must take instants for its work.
    pub(crate) lifetime: Duration,
}

/// What is to be said of an end.
pub(crate) struct Ended {
    /// To Redis.
    pub(crate) told: Timestamp,
    /// To each session.
    pub(crate) unrecorded: Unrecorded,
}

/// Ends everything that has begun: at no instant that is earlier than the beginning of any session, for a
/// host's clock may be ahead. Tells what is to be said of it.
///
/// To Redis no session begins in its future, so that one need not hear of an instant that a clock has put
/// there, and would refuse it if it lay beyond its `max-ttl`.
pub(crate) async fn end(tx: &mut MySqlConnection, when: When) -> sqlx::Result<Ended> {
    let before = sqlx::query!(
        r#"select tokens_valid_after as "at: Timestamp", redis_valid_after as "told: Timestamp",
                  utc_timestamp(3) as "now!: Timestamp"
             from everybody where id = 1 for update"#
    );
    let before = before.fetch_one(&mut *tx).await?;
    let newest =
        sqlx::query_scalar!(r#"select max(created_at) as "newest: Timestamp" from user_sessions"#);
    let newest = newest.fetch_one(&mut *tx).await?;
    let others = [before.at, newest, when.redis_now].into_iter().flatten();
    let at = others.fold(when.now, Ord::max).max(next_after(before.at));
    let latest = when.redis_now.unwrap_or(before.now).plus(when.lifetime);
    // In the future of Redis a session begins right after the instant before.
    let told = at.min(latest).max(next_after(before.told));
    sqlx::query!(
        "update everybody
            set tokens_valid_after = ?, redis_valid_after = ?, ended_at = ?, recorded_at = null
          where id = 1",
        at,
        told,
        when.now,
    )
    .execute(tx)
    .await?;
    Ok(Ended { told, unrecorded: Unrecorded { after: 0, until: at, ended_at: when.now } })
}

fn next_after(before: Option<Timestamp>) -> Timestamp {
    before.map_or(Timestamp(0), |at| Timestamp(at.0 + 1))
}

/// How many were marked.
#[derive(Clone, Copy, Default)]
pub(crate) struct Recorded {
    pub(crate) users: u64,
    pub(crate) sessions: u64,
    /// Where to go on; none, if that was all.
    pub(crate) rest: Option<Unrecorded>,
}

/// Sessions that have ended and may not be marked: of the users after one, up to an instant.
#[derive(Clone, Copy)]
pub(crate) struct Unrecorded {
    after: u64,
    until: Timestamp,
    ended_at: Timestamp,
}

/// What is left to be marked; nothing once somebody has said that all is.
pub(crate) async fn unrecorded(store: &Store) -> sqlx::Result<Option<Unrecorded>> {
    let left = sqlx::query!(
        r#"select tokens_valid_after as "until!: Timestamp", ended_at as "ended_at!: Timestamp"
             from everybody where id = 1 and recorded_at is null and tokens_valid_after is not null"#
    );
    let left = left.fetch_optional(&store.pool).await?;
    Ok(left.map(|row| Unrecorded { after: 0, until: row.until, ended_at: row.ended_at }))
}

/// Marks the sessions of the next users that the instant has ended. They ended by the instant, so nobody
/// who decides anything about them need be waited for.
pub(crate) async fn record_some(store: &Store, next: Unrecorded) -> sqlx::Result<Recorded> {
    record_next(store, next, Beside::No).await
}

/// Whether somebody waits for an answer meanwhile.
#[derive(Clone, Copy)]
enum Beside {
    /// Nobody does.
    Requests,
    /// A request does.
    No,
}

async fn record_next(store: &Store, next: Unrecorded, beside: Beside) -> sqlx::Result<Recorded> {
    let last = sqlx::query_scalar!(
        r#"select max(id) as "last: u64"
             from (select id from users where id > ? order by id limit ?) some"#,
        next.after,
        BATCH,
    );
    let last = last.fetch_one(&store.pool).await?;
    let Some(last) = last else { return Ok(Recorded::default()) };
    store.repeat_beside(|| record(store, next, last, beside)).await
}

async fn record(
    store: &Store,
    next: Unrecorded,
    last: u64,
    beside: Beside,
) -> sqlx::Result<Recorded> {
    let mut tx = match beside {
        Beside::Requests => store.begin_beside().await?,
        Beside::No => store.begin().await?,
    };
    let has_any = sqlx::query_scalar!(
        r#"select count(distinct user_id) as "users!: i64"
             from user_sessions force index (idx_user_session_user_id)
            where user_id > ? and user_id <= ? and is_active and created_at <= ?"#,
        next.after,
        last,
        next.until,
    );
    let users = has_any.fetch_one(&mut *tx).await?.unsigned_abs();
    let marked = sqlx::query!(
        "update user_sessions force index (idx_user_session_user_id)
            set is_active = false, ended_at = ?, ended_reason = 'admin'
          where user_id > ? and user_id <= ? and is_active and created_at <= ?",
        next.ended_at,
        next.after,
        last,
        next.until,
    );
    let sessions = marked.execute(&mut *tx).await?.rows_affected();
    tx.once_committed(move || metrics::sessions_revoked("admin", sessions));
    tx.commit().await?;
    Ok(Recorded { users, sessions, rest: Some(Unrecorded { after: last, ..next }) })
}

/// Marks whatever is not marked yet, from there on, unless another instance is at it; says in the end that
/// all is marked that had ended until then.
pub(crate) async fn record_rest(
    store: &Store,
    next: Unrecorded,
    now: Timestamp,
) -> sqlx::Result<()> {
    let Some(held) = lock(&store.pool, "everybody").await? else { return Ok(()) };
    let recorded = held.lease.keep(record_from(store, next, now)).await;
    held.release().await;
    recorded.unwrap_or(Ok(()))
}

async fn record_from(store: &Store, mut next: Unrecorded, now: Timestamp) -> sqlx::Result<()> {
    while let Some(rest) = record_next(store, next, Beside::Requests).await?.rest {
        next = rest;
    }
    // If everybody was logged out again meanwhile, there is more.
    let done = sqlx::query!(
        "update everybody set recorded_at = ? where id = 1 and tokens_valid_after = ?",
        now,
        next.until,
    );
    done.execute(&store.pool).await.map(drop)
}
