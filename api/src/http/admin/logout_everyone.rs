//! `POST /admin/logout-everyone`: every session of every user ends.
//!
//! There may be more users than one transaction can end before an answer is due, so they are ended
//! some at a time, each of them as a whole. The caller comes last, and only then the answer is 200.
//! One who is told to come back, or whose service is killed, is still logged in, and the next call
//! goes on with those who are left.

use axum::extract::State;
use serde::Serialize;
use sqlx::MySqlConnection;
use sqlx::types::Json;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::App;
use crate::base::client::Client;
use crate::base::clock::Timestamp;
use crate::base::error::Result;
use crate::http::answer::Success;
use crate::http::caller::Admin;
use crate::http::caller::must_have_logged_in_lately;
use crate::ledger::change::Change;
use crate::ledger::outbox;
use crate::metrics;
use crate::sessions::caller::Caller;
use crate::sessions::ending::Reason;
use crate::store::audit::{self, Event, What};
use crate::store::held_rows as held;
use crate::store::transaction::Transaction;

/// How many users are ended in one transaction.
const BATCH: u32 = 500;

/// Counts of what was ended.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = EveryoneEnded)]
pub struct Counts {
    users: u64,
    sessions_revoked: u64,
}

/// `POST /admin/logout-everyone`: every session of every user ends, the caller's own included.
#[utoipa::path(
    post, path = "/logout-everyone", tag = "Administration",
    summary = "Ends every session of every user",
    description = "With very many users the answer may be 503: repeat the call until it is 200. \
                   Each call continues where the previous one stopped.",
    security(("bearer" = [])),
    responses((status = 200, description = "Counts of what was ended", body = Success<Counts>)),
    extensions(("x-problems" = json!("forbidden insufficient_user_authentication")))
)]
pub async fn log_out_everyone(
    State(app): State<App>,
    client: Client,
    Admin(caller): Admin,
) -> Result<Success<Counts>> {
    must_have_logged_in_lately(&app, &caller)?;
    let until = Instant::now() + app.settings.stores.db_deadline;
    let at = app.clock.now();
    let mut counts = Counts::default();
    let mut after = 0;
    while let Some((last, ended)) = app.store.repeat(|| others(&app, &caller, after, at)).await? {
        counts.add(&ended);
        after = last;
    }
    counts.add(&app.store.repeat(|| own(&app, &client, &caller, at)).await?);
    let propagation = outbox::deliver_everybodys(&app.ledgers, until).await;
    Ok(Success::data(counts).saying("Everybody has been logged out").propagated(propagation))
}

impl Counts {
    fn add(&mut self, more: &Self) {
        self.users += more.users;
        self.sessions_revoked += more.sessions_revoked;
    }
}

/// Ends the next users but for the caller, if there are any, and tells the last of them. Rows are
/// held in the order of their ids, the caller's among them: somebody may take their power meanwhile.
async fn others(
    app: &App,
    caller: &Caller,
    after: u64,
    at: Timestamp,
) -> Result<Option<(u64, Counts)>> {
    let mut tx = app.store.begin().await?;
    if caller.user_id <= after {
        held::administrator(&mut tx, caller.user_id, &caller.session, caller.user_id).await?;
    }
    let Some(last) = hold_next(&mut tx, after).await? else { return Ok(None) };
    if caller.user_id > after {
        held::administrator(&mut tx, caller.user_id, &caller.session, caller.user_id).await?;
    }
    let others = Range { after, last, except: caller.user_id };
    Ok(Some((last, end(app, tx, others, at).await?)))
}

/// Ends the caller, after everybody else.
async fn own(app: &App, client: &Client, caller: &Caller, at: Timestamp) -> Result<Counts> {
    let mut tx = app.store.begin().await?;
    held::administrator(&mut tx, caller.user_id, &caller.session, caller.user_id).await?;
    let event = Event::of(What::EverybodyEnded, caller.user_id);
    audit::record(&mut tx, client, at, event).await?;
    let own = Range { after: caller.user_id - 1, last: caller.user_id, except: 0 };
    Ok(end(app, tx, own, at).await?)
}

/// Users by their ids: after one, up to another, without a third.
#[derive(Clone, Copy)]
struct Range {
    after: u64,
    last: u64,
    except: u64,
}

/// Holds the next users, so that a login of theirs is either seen or comes later; the last of them.
async fn hold_next(tx: &mut MySqlConnection, after: u64) -> sqlx::Result<Option<u64>> {
    let held = sqlx::query_scalar!(
        "select id from users where id > ? order by id limit ? for update",
        after,
        BATCH,
    )
    .fetch_all(tx)
    .await?;
    Ok(held.last().copied())
}

async fn end(app: &App, mut tx: Transaction, range: Range, at: Timestamp) -> sqlx::Result<Counts> {
    let users = with_sessions(&mut tx, range).await?;
    sqlx::query!(
        "update users u
            set tokens_valid_after = greatest(coalesce(tokens_valid_after, ?), ?)
          where id > ? and id <= ? and id <> ?
            and exists (select 1 from user_sessions s where s.user_id = u.id and s.is_active)",
        at,
        at,
        range.after,
        range.last,
        range.except,
    )
    .execute(&mut *tx)
    .await?;
    let sessions = end_sessions(&mut tx, range, at).await?;
    // Said before the commit: from then on Redis may be asked about them and be behind.
    app.ledgers.doubt_about(&users);
    tx.once_committed(move || metrics::sessions_revoked(Reason::Admin.as_str(), sessions));
    tx.commit().await?;
    Ok(Counts { users: users.len() as u64, sessions_revoked: sessions })
}

/// Those of the users who have live sessions.
async fn with_sessions(tx: &mut MySqlConnection, range: Range) -> sqlx::Result<Vec<u64>> {
    sqlx::query_scalar!(
        "select distinct user_id from user_sessions force index (idx_user_session_user_id)
          where user_id > ? and user_id <= ? and user_id <> ? and is_active",
        range.after,
        range.last,
        range.except,
    )
    .fetch_all(tx)
    .await
}

/// Ends their live sessions, and writes down what their ledgers must be told.
async fn end_sessions(tx: &mut MySqlConnection, range: Range, at: Timestamp) -> sqlx::Result<u64> {
    // By name as well: a session is ended even if its host's clock was ahead.
    sqlx::query!(
        "insert into revocation_outbox (user_id, change_set, created_at)
         select user_id,
                json_merge_preserve(?, json_array(
                    json_object('change', 'revoke', 'sessions', json_arrayagg(id)))),
                ?
           from user_sessions force index (idx_user_session_user_id)
          where user_id > ? and user_id <= ? and user_id <> ? and is_active
          group by user_id",
        Json([Change::RevokeAll { at }]),
        at,
        range.after,
        range.last,
        range.except,
    )
    .execute(&mut *tx)
    .await?;
    let ended = sqlx::query!(
        "update user_sessions force index (idx_user_session_user_id)
            set is_active = false, ended_at = ?, ended_reason = ?
          where user_id > ? and user_id <= ? and user_id <> ? and is_active",
        at,
        Reason::Admin.as_str(),
        range.after,
        range.last,
        range.except,
    )
    .execute(tx)
    .await?;
    Ok(ended.rows_affected())
}
