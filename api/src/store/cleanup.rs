//! Deletes what is over: on a schedule in every instance, or once by `portcullis cleanup`.
//!
//! Rows go in batches, by an index on the instant they end, so that no statement holds many locks.
//! One instance works at a time: the lock belongs to the connection that deletes, so it cannot
//! outlive the work. Spent refresh tokens stay until their whole family has expired, because they
//! are how reuse is seen (BUG-31). The audit trail goes by whole months (`cleanup/months.rs`).

mod months;

use std::fmt;
use std::time::Duration;

use sqlx::{MySqlConnection, MySqlPool};

use super::lock::lock;
use super::{database, erasure};
use crate::base::clock::Timestamp;
use crate::settings::Settings;
use crate::store::transaction::Repetitions;
use months::Left;

/// A revocation is kept this much longer than its token, whatever leeway anybody grants.
const BEYOND_EXPIRY: Duration = Duration::from_mins(10);
/// A mail is kept this long after it was settled: its account's mails of an hour are counted, and
/// somebody may ask what became of it.
const MAIL_KEPT: Duration = Duration::from_hours(24);
/// What one statement may take: nobody waits for it, but a MySQL that hangs must not hold it for ever.
const PATIENCE: Duration = Duration::from_mins(1);

/// How much further back than the last cleanup is looked for users who were deleted.
const SWEPT: Duration = Duration::from_hours(24);

/// How many rows of each table were deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Of `refresh_tokens`.
    pub refresh_tokens: u64,
    /// Of `user_sessions`.
    pub user_sessions: u64,
    /// Of `token_blacklist_enhanced`.
    pub token_blacklist_enhanced: u64,
    /// Of `email_tokens`.
    pub email_tokens: u64,
    /// Of `mails`.
    pub mails: u64,
    /// Of `revocation_outbox`.
    pub revocation_outbox: u64,
    /// Of `audit_events`.
    pub audit_events: u64,
}

impl fmt::Display for Deleted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>9}  refresh_tokens", self.refresh_tokens)?;
        writeln!(f, "{:>9}  user_sessions", self.user_sessions)?;
        writeln!(f, "{:>9}  token_blacklist_enhanced", self.token_blacklist_enhanced)?;
        writeln!(f, "{:>9}  email_tokens", self.email_tokens)?;
        writeln!(f, "{:>9}  mails", self.mails)?;
        writeln!(f, "{:>9}  revocation_outbox", self.revocation_outbox)?;
        write!(f, "{:>9}  audit_events", self.audit_events)
    }
}

/// Deletes what is over at `now`; `None` if another instance is at it.
pub async fn clean(
    db: &MySqlPool,
    settings: &Settings,
    now: Timestamp,
) -> sqlx::Result<Option<Deleted>> {
    let Some(mut held) = lock(db, "cleanup").await? else { return Ok(None) };
    let deleted = held.lease.keep(delete_all(&mut held.db, settings, now)).await;
    held.release().await;
    deleted.transpose()
}

async fn delete_all(
    db: &mut MySqlConnection,
    settings: &Settings,
    now: Timestamp,
) -> sqlx::Result<Deleted> {
    let server = &settings.server;
    let days = Duration::from_hours(24 * server.inactive_token_days);
    let batch = server.cleanup_batch;
    let interval = Duration::from_hours(server.cleanup_interval_hours);
    erasure::sweep(db, now.minus(interval + SWEPT)).await?;
    email_changes(db, now, batch).await?;
    Ok(Deleted {
        // Before their sessions, which would otherwise take them all along in one statement.
        refresh_tokens: refresh_tokens(db, now.minus(days), batch).await?,
        user_sessions: user_sessions(db, now.minus(days), batch).await?,
        token_blacklist_enhanced: blacklist(db, now.minus(BEYOND_EXPIRY), batch).await?,
        email_tokens: email_tokens(db, now, batch).await?,
        mails: mails(db, now.minus(MAIL_KEPT), batch).await?,
        revocation_outbox: outbox(db, now.minus(settings.stores.outbox_retention), batch).await?,
        audit_events: audit_events(db, now, now.minus(server.audit_retention), batch).await?,
    })
}

async fn audit_events(
    db: &mut MySqlConnection,
    now: Timestamp,
    until: Timestamp,
    batch: u32,
) -> sqlx::Result<u64> {
    let (dropped, left) = months::drop_and_make(db, now, until).await?;
    Ok(dropped
        + match left {
            Left::Nothing => 0,
            Left::Earlier => earlier_audit_events(db, until, batch).await?,
            Left::Everything => all_audit_events(db, until, batch).await?,
        })
}

/// Repeats a batch until one is not full.
macro_rules! in_batches {
    ($db:expr, $batch:expr, $sql:literal, $until:expr) => {{
        let mut total = 0;
        loop {
            let mut repetitions = Repetitions::within(PATIENCE);
            let done = loop {
                let deleted = sqlx::query!($sql, $until, $batch).execute(&mut *$db);
                match database::time(PATIENCE, deleted).await {
                    Err(cause) if repetitions.may_follow(&cause) => {}
                    deleted => break deleted?.rows_affected(),
                }
            };
            total += done;
            if done < u64::from($batch) {
                return Ok(total);
            }
        }
    }};
}

async fn refresh_tokens(
    db: &mut MySqlConnection,
    until: Timestamp,
    batch: u32,
) -> sqlx::Result<u64> {
    in_batches!(
        db,
        batch,
        "delete from refresh_tokens where expires_at <= ? order by expires_at limit ?",
        until
    )
}

async fn user_sessions(
    db: &mut MySqlConnection,
    until: Timestamp,
    batch: u32,
) -> sqlx::Result<u64> {
    in_batches!(
        db,
        batch,
        "delete from user_sessions where expires_at <= ? order by expires_at limit ?",
        until
    )
}

async fn blacklist(db: &mut MySqlConnection, until: Timestamp, batch: u32) -> sqlx::Result<u64> {
    in_batches!(
        db,
        batch,
        "delete from token_blacklist_enhanced where token_expiry <= ? order by token_expiry limit ?",
        until
    )
}

async fn email_tokens(db: &mut MySqlConnection, until: Timestamp, batch: u32) -> sqlx::Result<u64> {
    in_batches!(
        db,
        batch,
        "delete from email_tokens where expires_at <= ? order by expires_at limit ?",
        until
    )
}

/// They have come to nothing: their tokens have expired as well.
async fn email_changes(
    db: &mut MySqlConnection,
    until: Timestamp,
    batch: u32,
) -> sqlx::Result<u64> {
    in_batches!(
        db,
        batch,
        "delete from email_changes where expires_at <= ? order by expires_at limit ?",
        until
    )
}

async fn mails(db: &mut MySqlConnection, until: Timestamp, batch: u32) -> sqlx::Result<u64> {
    in_batches!(
        db,
        batch,
        "delete from mails where settled_at <= ? order by settled_at limit ?",
        until
    )
}

async fn outbox(db: &mut MySqlConnection, until: Timestamp, batch: u32) -> sqlx::Result<u64> {
    in_batches!(
        db,
        batch,
        "delete from revocation_outbox where delivered_at <= ? order by delivered_at limit ?",
        until
    )
}

async fn all_audit_events(
    db: &mut MySqlConnection,
    until: Timestamp,
    batch: u32,
) -> sqlx::Result<u64> {
    in_batches!(db, batch, "delete from audit_events where at <= ? order by at limit ?", until)
}

/// Those that were there before the months.
async fn earlier_audit_events(
    db: &mut MySqlConnection,
    until: Timestamp,
    batch: u32,
) -> sqlx::Result<u64> {
    in_batches!(
        db,
        batch,
        "delete from audit_events partition (earlier) where at <= ? order by at limit ?",
        until
    )
}

#[cfg(test)]
mod tests;
