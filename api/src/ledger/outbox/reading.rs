//! Waiting rows: read, told, marked.
//!
//! Rows may be told twice, by two instances at once, or in another order than they were written: an
//! ending may always be told, and a beginning is told only if MySQL, read after the fence was asked for, has a session that nobody has ended.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;
use sqlx::mysql::MySqlRow;
use sqlx::types::Json;
use sqlx::{FromRow, MySql, MySqlConnection, QueryBuilder, Row as _};

use super::refusing_users::Refusal;
use super::unmarked::ToldRow;
use crate::base::clock::Timestamp;
use crate::base::log_targets as log;
use crate::base::session_id::SessionId;
use crate::ledger::change::Change;
use crate::ledger::fence::Fence;
use crate::ledger::ledgers::Ledgers;
use crate::ledger::redis_fault::takes_no_changes;
use crate::ledger::telling::Told;
use crate::store::history::Note;
use crate::store::standing::standing;

/// What the refusals of a whole server are about.
pub(super) const REFUSAL: &str = "a server that takes no changes";

/// A row of the outbox that waits.
pub(super) struct Row {
    pub(super) id: u64,
    pub(super) user_id: u64,
    pub(super) created_at: Timestamp,
    /// Nothing if it cannot be read: a later version may have written it.
    pub(super) changes: Option<Vec<Change>>,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// This life of a server has confirmed all of it, or there was nothing to tell.
    Told(Option<Arc<str>>),
    /// It has to be read again behind a new fence.
    Stale,
    /// Redis does not take it, or not yet.
    Refused(Refusal),
}

/// Why a change has not arrived.
#[derive(Debug, thiserror::Error)]
pub(super) enum Undelivered {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("redis: {0}")]
    Redis(#[from] redis::RedisError),
    #[error("Redis rejected it")]
    Refused,
    #[error("the data kept going stale")]
    Stale,
    #[error("another server counts")]
    Elsewhere,
    #[error("it took too long")]
    Late,
}

impl FromRow<'_, MySqlRow> for Row {
    fn from_row(row: &MySqlRow) -> sqlx::Result<Self> {
        let (id, user_id) = (row.try_get("id")?, row.try_get("user_id")?);
        let Json(changes): Json<Value> = row.try_get("change_set")?;
        let changes = serde_json::from_value(changes)
            .inspect_err(|cause| {
                tracing::error!(
                    target: log::OUTBOX_READING,
                    id,
                    user_id,
                    %cause,
                    "a change cannot be read"
                );
            })
            .ok();
        Ok(Self { id, user_id, created_at: row.try_get("created_at")?, changes })
    }
}

/// Everything that waits for these users.
pub(super) async fn waiting(db: &mut MySqlConnection, users: &[u64]) -> sqlx::Result<Vec<Row>> {
    let mut select = QueryBuilder::<MySql>::new(
        "select id, user_id, created_at, change_set
           from revocation_outbox force index (idx_outbox_user_id)
          where delivered_at is null and user_id in (",
    );
    push_list(&mut select, users);
    select.push(" order by user_id, id").build_query_as().fetch_all(db).await
}

/// Takes the rows that nobody else holds, until the transaction ends, so that three instances do not
/// tell everything three times; those and the others.
pub(super) async fn taken(
    db: &mut MySqlConnection,
    rows: Vec<Row>,
) -> sqlx::Result<(Vec<Row>, Vec<Row>)> {
    if rows.is_empty() {
        return Ok((rows, Vec::new()));
    }
    let ids: Vec<u64> = rows.iter().map(|row| row.id).collect();
    let mut select = QueryBuilder::<MySql>::new(
        "select id from revocation_outbox force index (primary)
          where delivered_at is null and id in (",
    );
    push_list(&mut select, &ids);
    select.push(" for update skip locked");
    let free: HashSet<u64> = select.build_query_scalar().fetch_all(db).await?.into_iter().collect();
    Ok(rows.into_iter().partition(|row| free.contains(&row.id)))
}

/// Writes down that Redis has confirmed these rows. By key: a statement that searches would wait
/// for rows that others hold.
pub(in crate::ledger) async fn mark(
    db: &mut MySqlConnection,
    ids: &[u64],
    now: Timestamp,
) -> sqlx::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut update = QueryBuilder::<MySql>::new(
        "update revocation_outbox force index (primary) set delivered_at = ",
    );
    update.push_bind(now).push(" where delivered_at is null and id in (");
    push_list(&mut update, ids);
    update.build().execute(db).await.map(drop)
}

/// `…, …)`
fn push_list(query: &mut QueryBuilder<MySql>, ids: &[u64]) {
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(*id);
    }
    query.push(")");
}

fn changes(rows: &[Row]) -> impl Iterator<Item = &Change> {
    rows.iter().flat_map(|row| row.changes.iter().flatten())
}

/// Whether anything here begins.
pub(super) fn holds_a_beginning(rows: &[Row]) -> bool {
    changes(rows).any(|change| change.begins().is_some())
}

/// Tells the rows, and what became of each.
pub(super) async fn tell(
    ledgers: &Ledgers,
    db: &mut MySqlConnection,
    rows: &[Row],
    fence: Option<&Fence>,
) -> Result<Vec<Fate>, Undelivered> {
    let alive = alive_among(ledgers, db, rows).await?;
    let is_due = |change: &Change| change.begins().is_none_or(|id| alive.contains_key(id.as_str()));
    let mut places = Vec::new();
    let mut changes = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        for change in row.changes.iter().flatten().filter(|change| is_due(change)) {
            // Its ledger may have been lost since they were told.
            let revoked = change.begins().and_then(|id| alive.get(id.as_str()));
            for change in revoked.into_iter().flatten().chain([change]) {
                places.push(place);
                changes.push((row.user_id, change));
            }
        }
    }
    for Row { id, user_id, created_at: at, .. } in rows {
        // Whoever wrote it may be gone, and what Redis has heard MySQL must have.
        ledgers.store.history.note(Note { id: *id, user_id: *user_id, at: *at });
    }
    let told = ledgers.tell(&changes, fence).await?;
    let unread = |row: &Row| match &row.changes {
        Some(_) => Fate::Told(None),
        None => Fate::Refused(Refusal { is_ending: true, is_own: true }),
    };
    let mut fates: Vec<Fate> = rows.iter().map(unread).collect();
    for ((place, (user_id, change)), told) in places.into_iter().zip(changes).zip(told) {
        let fate = fate(ledgers, user_id, change, told);
        if weight(&fate) >= weight(&fates[place]) {
            fates[place] = fate;
        }
    }
    Ok(fates)
}

fn fate(ledgers: &Ledgers, user_id: u64, change: &Change, told: Told) -> Fate {
    match told {
        Told::Heard(by) => Fate::Told(Some(by)),
        Told::Stale => Fate::Stale,
        Told::Refused(refusal) if takes_no_changes(refusal.code()) => {
            // Of everybody for whom something waits the same could be said.
            if ledgers.background.said.is_news(REFUSAL, &refusal.to_string()) {
                tracing::warn!(
                    target: log::OUTBOX_READING,
                    user_id,
                    %refusal,
                    "Redis takes no changes, revocations too; they are sent again until it does"
                );
            }
            Fate::Refused(Refusal { is_ending: change.is_ending(), is_own: false })
        }
        Told::Refused(refusal) => {
            tracing::warn!(
                target: log::OUTBOX_READING,
                user_id,
                %refusal,
                "Redis refused a change; it will be sent again"
            );
            // About a key that holds something else Redis never says OK.
            let is_ending = change.is_ending() && refusal.code() != "WRONGTYPE";
            Fate::Refused(Refusal { is_ending, is_own: true })
        }
    }
}

/// Those rows of which Redis has confirmed everything.
pub(super) fn told(ledgers: &Ledgers, rows: &[Row], fates: Vec<Fate>) -> Vec<ToldRow> {
    let told = rows.iter().zip(fates).filter_map(|(row, fate)| match fate {
        Fate::Told(by) => Some(ToldRow { id: row.id, slot: ledgers.slot(row.user_id), by }),
        Fate::Stale | Fate::Refused(_) => None,
    });
    told.collect()
}

/// How bad it is.
fn weight(fate: &Fate) -> u8 {
    match fate {
        Fate::Told(_) => 0,
        Fate::Stale => 1,
        Fate::Refused(refusal) => 2 + u8::from(refusal.is_ending),
    }
}

/// A session, a token of it that was revoked, until when that could be used, and up to when everybody's
/// sessions have ended.
type Alive = (String, Option<String>, Option<Timestamp>, Option<Timestamp>);

/// The sessions of these beginnings that nobody has ended, each with its tokens that were revoked one
/// by one. Redis sees by itself which sessions have expired.
async fn alive_among(
    ledgers: &Ledgers,
    db: &mut MySqlConnection,
    rows: &[Row],
) -> sqlx::Result<HashMap<String, Vec<Change>>> {
    let begun: Vec<&SessionId> = changes(rows).filter_map(Change::begins).collect();
    if begun.is_empty() {
        return Ok(HashMap::new());
    }
    let mut select = QueryBuilder::<MySql>::new(
        "select s.id, lower(hex(b.token_hash)), b.token_expiry,
                (select e.redis_valid_after from everybody e where e.id = 1)
           from user_sessions s
           left join token_blacklist_enhanced b
             on b.user_id = s.user_id and b.session_id = s.id and b.token_type = 'access'
                and b.token_expiry > ",
    );
    select.push_bind(ledgers.clock.now()).push(" where ");
    select.push(standing!(NOT_ENDED)).push(" and s.id in (");
    let mut list = select.separated(", ");
    for session in begun {
        list.push_bind(session);
    }
    select.push(")");
    let found: Vec<Alive> = select.build_query_as().fetch_all(db).await?;
    let mut alive: HashMap<String, Vec<Change>> = HashMap::new();
    for (session, digest, expires_at, ended_until) in found {
        // Redis hears of that first (`ledger/everybody.rs`).
        ledgers.everybody.raise(ended_until.unwrap_or_default());
        let revoked = alive.entry(session).or_default();
        let revocation = digest.zip(expires_at);
        revoked.extend(
            revocation.map(|(digest, expires_at)| Change::Blacklist { digest, expires_at }),
        );
    }
    Ok(alive)
}

/// Stops believing Redis about everybody for whom something waits.
pub(in crate::ledger) async fn doubt_waiting(ledgers: &Ledgers) -> sqlx::Result<()> {
    let asked = sqlx::query_scalar!(
        "select distinct user_id from revocation_outbox where delivered_at is null"
    )
    .fetch_all(&ledgers.store.pool);
    ledgers.shards.doubt_about(&ledgers.store.in_time(asked).await?);
    ledgers.shards.note_all_who_wait();
    Ok(())
}
