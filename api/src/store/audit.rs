//! Who did what, when, from where: a row in `audit_events` and a structured log line.
//!
//! Nothing secret may go in: no token, no password, no
//! digest of one.

mod what;

use std::net::IpAddr;
use std::time::Duration;

use portcullis_core::Digest;
use serde_json::{Value, json};
use sqlx::types::Json;
use sqlx::{Executor, MySql, MySqlConnection};

use crate::base::client::Client;
use crate::base::client::RequestId;
use crate::base::clock::Timestamp;
use crate::base::log_targets as log;
use crate::store::transaction::Transaction;

pub use what::What;

/// One thing that happened.
pub struct Event<'a> {
    /// What it was.
    pub what: What,
    /// Whom it concerns, if that is known.
    pub user_id: Option<u64>,
    /// In which session.
    pub session: Option<&'a str>,
    /// What else is known.
    pub detail: Value,
}

impl<'a> Event<'a> {
    /// Something that happened to a user.
    pub fn of(what: What, user_id: u64) -> Self {
        Self { what, user_id: Some(user_id), session: None, detail: json!({}) }
    }

    /// Something that happened to nobody we know.
    pub fn anonymous(what: What) -> Self {
        Self { what, user_id: None, session: None, detail: json!({}) }
    }

    /// The same, in a session.
    #[must_use]
    pub fn in_session(self, session: &'a str) -> Self {
        Self { session: Some(session), ..self }
    }

    /// The same, with details.
    #[must_use]
    pub fn with(self, detail: Value) -> Self {
        Self { detail, ..self }
    }

    /// Only the log line, for what happens too often to keep.
    pub fn log(&self, client: &Client) {
        self.line(client).write();
    }

    fn line(&self, client: &Client) -> Line {
        Line {
            event: self.what.name(),
            user_id: self.user_id,
            session: self.session.map(session_in_log),
            ip: client.ip,
            request_id: client.request_id.clone(),
            detail: self.detail.to_string(),
        }
    }
}

/// What the log says of an event.
struct Line {
    event: &'static str,
    user_id: Option<u64>,
    session: Option<String>,
    ip: IpAddr,
    request_id: RequestId,
    detail: String,
}

impl Line {
    fn write(&self) {
        let Self { event, user_id, session, ip, request_id, detail } = self;
        tracing::info!(
            target: log::AUDIT,
            event,
            user_id,
            session,
            %ip,
            request_id = request_id.as_str(),
            detail,
            "audit"
        );
    }
}

/// Keeps an event in the transaction that it tells of; the log has it once that is committed.
pub(crate) async fn record(
    tx: &mut Transaction,
    client: &Client,
    now: Timestamp,
    event: Event<'_>,
) -> sqlx::Result<()> {
    let line = event.line(client);
    insert(&mut **tx, client, now, event).await?;
    tx.once_committed(move || line.write());
    Ok(())
}

/// Keeps an event that belongs to no transaction. The log has it even if MySQL does not take it.
pub(crate) async fn record_alone(
    db: impl Executor<'_, Database = MySql>,
    client: &Client,
    now: Timestamp,
    event: Event<'_>,
) -> sqlx::Result<()> {
    event.log(client);
    insert(db, client, now, event).await
}

/// How long an event of a session is no news again.
pub(crate) const NEWS_EVERY: Duration = Duration::from_hours(1);

/// Keeps an event that whoever holds a session can cause as often as they like, unless the session has
/// one of its name that is younger than an hour. The log has each of them.
pub(crate) async fn record_news(
    db: &mut MySqlConnection,
    client: &Client,
    now: Timestamp,
    event: Event<'_>,
) -> sqlx::Result<()> {
    let known = sqlx::query_scalar!(
        r#"select exists (select 1 from audit_events
                           where user_id = ? and session_id = ? and event = ? and at > ?)
                      as "known!: bool""#,
        event.user_id,
        event.session,
        event.what.name(),
        now.minus(NEWS_EVERY),
    );
    if known.fetch_one(&mut *db).await? {
        event.log(client);
        return Ok(());
    }
    record_alone(db, client, now, event).await
}

async fn insert(
    db: impl Executor<'_, Database = MySql>,
    client: &Client,
    now: Timestamp,
    event: Event<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into audit_events
            (at, event, user_id, session_id, ip_address, user_agent, request_id, detail)
         values (?, ?, ?, ?, ?, ?, ?, ?)",
        now,
        event.what.name(),
        event.user_id,
        event.session,
        client.ip.to_string(),
        client.user_agent,
        client.request_id.as_str(),
        Json(event.detail),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A session as the log shows it: recognisable, of no use to anybody.
fn session_in_log(session: &str) -> String {
    let digest = Digest::of(session.as_bytes()).to_hex();
    String::from_utf8_lossy(digest.get(..16).unwrap_or_default()).into_owned()
}
