//! A change of address that waits to be confirmed at both ends: by whoever reads the mail of the present
//! address and by whoever reads that of the new one.

use std::time::Duration;

use sqlx::MySqlConnection;

use crate::accounts::email_token::{self, Purpose};
use crate::base::clock::Timestamp;
use crate::base::error::{Error, Result};
use crate::base::session_id::SessionId;
use crate::mail::Kind;
use crate::mail::queue;
use crate::tokens::secret::EmailToken;

/// A change that somebody asks for.
pub(crate) struct Asked<'a> {
    pub(crate) user_id: u64,
    /// The session that asks, which outlives the change.
    pub(crate) session: &'a SessionId,
    pub(crate) new: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) lasts: Duration,
}

/// What a confirmation has come to.
pub(crate) enum Confirmed {
    /// The other address has yet to confirm.
    One,
    /// The new address has taken the place of the old one.
    Both {
        /// The session that asked for it.
        session: SessionId,
        old: String,
    },
}

/// The address of a user, who is held.
pub(crate) async fn present(tx: &mut MySqlConnection, user_id: u64) -> Result<String> {
    let email = sqlx::query_scalar!("select email from users where id = ?", user_id);
    email.fetch_optional(tx).await?.ok_or(Error::DeadToken)
}

/// Puts down what is asked for in place of what was asked before, whose tokens and mails are taken
/// back. The user is held.
pub(crate) async fn ask(
    tx: &mut MySqlConnection,
    asked: &Asked<'_>,
    present: &str,
) -> sqlx::Result<()> {
    let Asked { user_id, session, new, now, lasts } = *asked;
    withdraw(tx, user_id, present, now).await?;
    sqlx::query!(
        "replace into email_changes (user_id, session_id, new_email, created_at, expires_at)
         values (?, ?, ?, ?, ?)",
        user_id,
        session,
        new,
        now,
        now.plus(lasts),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes back what waits, with its tokens and mails. The user is held.
pub(crate) async fn withdraw(
    tx: &mut MySqlConnection,
    user_id: u64,
    present: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let Some(new) = new_address(tx, user_id).await? else { return Ok(()) };
    queue::take_back_all(tx, Kind::ConfirmNewEmail, &new).await?;
    queue::take_back_all(tx, Kind::ConfirmOldEmail, present).await?;
    for purpose in [Purpose::ConfirmOldEmail, Purpose::ConfirmNewEmail] {
        email_token::withdraw(tx, user_id, purpose, now).await?;
    }
    sqlx::query!("delete from email_changes where user_id = ?", user_id).execute(tx).await?;
    Ok(())
}

/// The address that a user, who is held, has asked for; none if nothing waits.
pub(super) async fn new_address(
    tx: &mut MySqlConnection,
    user_id: u64,
) -> sqlx::Result<Option<String>> {
    let new = sqlx::query_scalar!("select new_email from email_changes where user_id = ?", user_id);
    new.fetch_optional(tx).await
}

/// Uses a token up, and makes the change if the other one was used before. What is confirmed already
/// is confirmed: links are clicked twice. The user is held.
pub(crate) async fn confirm(
    tx: &mut MySqlConnection,
    user_id: u64,
    token: &EmailToken,
    purpose: Purpose,
    now: Timestamp,
) -> Result<Confirmed> {
    let waiting = sqlx::query!(
        r#"select session_id as "session: SessionId", new_email,
                  old_confirmed_at as "old_confirmed_at: Timestamp",
                  new_confirmed_at as "new_confirmed_at: Timestamp"
             from email_changes where user_id = ? and expires_at > ?"#,
        user_id,
        now,
    );
    let waiting = waiting.fetch_optional(&mut *tx).await?.ok_or(Error::DeadEmailToken)?;
    let (own, other) = match purpose {
        Purpose::ConfirmOldEmail => (waiting.old_confirmed_at, waiting.new_confirmed_at),
        _ => (waiting.new_confirmed_at, waiting.old_confirmed_at),
    };
    if own.is_none() {
        email_token::use_up(tx, token, purpose, now).await?;
    }
    if other.is_none() {
        let is_old = purpose == Purpose::ConfirmOldEmail;
        sqlx::query!(
            "update email_changes
                set old_confirmed_at = if(?, ?, old_confirmed_at),
                    new_confirmed_at = if(?, new_confirmed_at, ?)
              where user_id = ?",
            is_old,
            own.unwrap_or(now),
            is_old,
            own.unwrap_or(now),
            user_id,
        )
        .execute(tx)
        .await?;
        return Ok(Confirmed::One);
    }
    let old = present(tx, user_id).await?;
    replace(tx, user_id, &waiting.new_email, now).await?;
    sqlx::query!("delete from email_changes where user_id = ?", user_id).execute(tx).await?;
    Ok(Confirmed::Both { session: waiting.session, old })
}

/// Somebody may have registered the address meanwhile; then the change comes to nothing.
async fn replace(tx: &mut MySqlConnection, user_id: u64, new: &str, now: Timestamp) -> Result<()> {
    let replaced = sqlx::query!(
        "update users set email = ?, email_verified_at = ?, updated_at = ? where id = ?",
        new,
        now,
        now,
        user_id,
    )
    .execute(tx)
    .await;
    match replaced {
        Err(sqlx::Error::Database(cause)) if cause.is_unique_violation() => {
            Err(Error::DeadEmailToken)
        }
        other => other.map(drop).map_err(Error::from),
    }
}
