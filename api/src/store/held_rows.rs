//! What a request has checked may be over by the time it acts on it: the hash that its password was
//! compared with, the role and the session of whoever asks. So whoever acts holds the rows that say
//! so and looks again, in the transaction that acts.
//!
//! Rows are held in one order everywhere, each by its key: users by their ids, then sessions, then
//! what hangs on them.
//!
//! A lock of one server holds nobody who is connected to another, where a group of servers takes changes
//! (Galera): there only what two transactions change counts, and of two that change the same row the one
//! that commits later is run again. So whoever holds a user raises their version.

use std::collections::BTreeSet;

use sqlx::MySqlConnection;

use crate::base::clock::Timestamp;
use crate::base::error::{Error, Result};
use crate::base::role::Role;
use crate::base::session_id::SessionId;
use crate::store::everybody;
use crate::store::standing::standing;

/// A user whose row is held until the transaction ends.
pub(crate) struct User {
    /// The hash of the password that is in force.
    pub(crate) password_hash: String,
    /// What they may do.
    pub(crate) role: Role,
    /// Whether they may do anything.
    pub(crate) is_active: bool,
    /// Whether their address is proven.
    pub(crate) email_is_verified: bool,
    watermark: Option<Timestamp>,
}

impl User {
    /// When a session that begins now counts as begun: later than anything that ended all sessions,
    /// this user's or everybody's.
    /// That may lie ahead of this host's clock, so it says what outlives what and nothing else;
    /// everything that is measured is measured from `now`.
    pub(crate) async fn next_beginning(
        &self,
        tx: &mut MySqlConnection,
        now: Timestamp,
    ) -> sqlx::Result<Timestamp> {
        let everybodys = everybody::hold(tx).await?;
        let watermarks = self.watermark.into_iter().chain(everybodys);
        Ok(watermarks.fold(now, |at, watermark| at.max(Timestamp(watermark.0 + 1))))
    }

    /// Whether they may log in, as far as the account is concerned.
    pub(crate) fn may_log_in(&self, unverified_may: bool) -> bool {
        self.is_active && (self.email_is_verified || unverified_may)
    }
}

/// Refuses to take power from the last administrator who can use it. The others are held until the
/// transaction ends, so that no two of them take it from each other.
pub(crate) async fn must_leave_an_administrator(
    tx: &mut MySqlConnection,
    user_id: u64,
    person: &User,
    unverified_may: bool,
) -> Result<()> {
    if person.role != Role::Admin || !person.may_log_in(unverified_may) {
        return Ok(());
    }
    let others = sqlx::query!(
        "update users set ledger_version = ledger_version + 1
          where role = 'admin' and is_active and (email_verified_at is not null or ?) and id <> ?",
        unverified_may,
        user_id,
    )
    .execute(tx)
    .await?;
    if others.rows_affected() == 0 { Err(Error::LastAdmin) } else { Ok(()) }
}

/// What became of a deed that a password was checked for.
pub(crate) enum Checked<T> {
    /// It is done.
    Done(T),
    /// Nothing was done: another hash is in force by now, perhaps of the same password.
    Replaced(String),
}

/// Puts what this transaction does to a user in order with all else that is done to them, on whichever
/// servers.
pub(crate) async fn raise_version(tx: &mut MySqlConnection, user_id: u64) -> sqlx::Result<()> {
    sqlx::query!("update users set ledger_version = ledger_version + 1 where id = ?", user_id)
        .execute(tx)
        .await
        .map(drop)
}

/// Holds a user's row, so that what is done to one user is done one after the other.
pub(crate) async fn user(tx: &mut MySqlConnection, user_id: u64) -> sqlx::Result<Option<User>> {
    let held = sqlx::query_as!(
        User,
        r#"select password_hash, role as "role: Role", is_active as "is_active: bool",
                  (email_verified_at is not null) as "email_is_verified!: bool",
                  tokens_valid_after as "watermark: Timestamp" from users where id = ? for update"#,
        user_id,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if held.is_some() {
        raise_version(tx, user_id).await?;
    }
    Ok(held)
}

/// Holds a caller with their session; refuses one who was disabled or logged out meanwhile.
pub(crate) async fn caller(
    tx: &mut MySqlConnection,
    user_id: u64,
    session: &SessionId,
) -> Result<User> {
    let held = user(tx, user_id).await?.filter(|user| user.is_active);
    let held = held.ok_or(Error::DeadToken)?;
    hold_session(tx, user_id, session).await?;
    Ok(held)
}

/// Holds an administrator with their session, and whomever they act on, if that is a user; refuses
/// one who was disabled, logged out or made a plain user meanwhile.
pub(crate) async fn administrator(
    tx: &mut MySqlConnection,
    user_id: u64,
    session: &SessionId,
    target: u64,
) -> Result<Option<User>> {
    let (mut role, mut acted_on) = (None, None);
    for id in BTreeSet::from([user_id, target]) {
        let held = user(tx, id).await?;
        if id == user_id {
            role = held.as_ref().filter(|user| user.is_active).map(|user| user.role);
        }
        if id == target {
            acted_on = held;
        }
    }
    hold_session(tx, user_id, session).await?;
    match role.ok_or(Error::DeadToken)? {
        Role::Admin => Ok(acted_on),
        Role::User => Err(Error::Forbidden),
    }
}

async fn hold_session(tx: &mut MySqlConnection, user_id: u64, session: &SessionId) -> Result<()> {
    let is_active = standing!(query_scalar!(
        "select ("
            + NOT_ENDED
            + r#") as "is_active!: bool"
             from user_sessions s where s.id = ? and s.user_id = ? for update"#,
        session,
        user_id,
    ))
    .fetch_optional(tx)
    .await?;
    if is_active == Some(true) { Ok(()) } else { Err(Error::DeadToken) }
}
