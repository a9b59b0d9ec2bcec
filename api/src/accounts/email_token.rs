//! Tokens that are mailed: made when their mail is sent, used up once.
//!
//! The last few of a kind are good side by side: whoever asks again, or is asked for by a stranger,
//! loses no link that is still on its way.

use std::time::Duration;

use sqlx::MySqlConnection;

use crate::base::clock::Timestamp;
use crate::base::error::{Error, Result};
use crate::mail::Kind;
use crate::mail::queue;
use crate::store::database::Store;
use crate::tokens::secret::EmailToken;

/// How many tokens of a user and kind are good at the same time.
const KEPT: u32 = 5;

/// What a token allows, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To prove an address.
    VerifyEmail,
    /// To choose a new password.
    ResetPassword,
    /// To confirm a change of address, for whoever has the present one.
    ConfirmOldEmail,
    /// The same, for whoever has the new one.
    ConfirmNewEmail,
}

impl Purpose {
    /// The word in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ConfirmOldEmail => "confirm_old_email",
            Self::ConfirmNewEmail => "confirm_new_email",
        }
    }
}

/// Whose token it is, whatever became of it.
pub(crate) async fn owner(store: &Store, token: &EmailToken, purpose: Purpose) -> Result<u64> {
    let digest = token.digest();
    let owner = sqlx::query_scalar!(
        "select user_id from email_tokens where token_hash = ? and purpose = ?",
        digest.as_bytes().as_slice(),
        purpose.as_str(),
    );
    owner.fetch_optional(&store.pool).await?.ok_or(Error::DeadEmailToken)
}

/// A token that is about to be sent.
pub(super) struct Issue<'a> {
    pub(super) user_id: u64,
    pub(super) purpose: Purpose,
    pub(super) token: &'a EmailToken,
    pub(super) now: Timestamp,
    pub(super) lasts: Duration,
}

/// Makes a token good from now on and tells its row, which is `known` if an earlier try has made it;
/// none if it was used or withdrawn since. Its user is held.
pub(super) async fn issue(
    tx: &mut MySqlConnection,
    issue: &Issue<'_>,
    known: Option<u64>,
) -> sqlx::Result<Option<u64>> {
    let Some(id) = known else { return insert(tx, issue).await.map(Some) };
    // The key that it is derived with may have changed since.
    let digest = issue.token.digest();
    let renewed = sqlx::query!(
        "update email_tokens set token_hash = ?, expires_at = ? where id = ? and used_at is null",
        digest.as_bytes().as_slice(),
        issue.now.plus(issue.lasts),
        id,
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if renewed > 0 {
        return Ok(Some(id));
    }
    let is_there = sqlx::query_scalar!("select id from email_tokens where id = ?", id);
    match is_there.fetch_optional(&mut *tx).await? {
        Some(_) => Ok(None),
        None => insert(tx, issue).await.map(Some),
    }
}

async fn insert(tx: &mut MySqlConnection, issue: &Issue<'_>) -> sqlx::Result<u64> {
    let Issue { user_id, purpose, token, now, lasts } = *issue;
    let digest = token.digest();
    let id = sqlx::query!(
        "insert into email_tokens (user_id, token_hash, purpose, created_at, expires_at)
         values (?, ?, ?, ?, ?)",
        user_id,
        digest.as_bytes().as_slice(),
        purpose.as_str(),
        now,
        now.plus(lasts),
    )
    .execute(&mut *tx)
    .await?
    .last_insert_id();
    let oldest = sqlx::query_scalar!(
        "select id from email_tokens where user_id = ? and purpose = ? and used_at is null
          order by id desc limit 1 offset ?",
        user_id,
        purpose.as_str(),
        KEPT,
    );
    if let Some(oldest) = oldest.fetch_optional(&mut *tx).await? {
        sqlx::query!(
            "update email_tokens set used_at = ?
              where user_id = ? and purpose = ? and used_at is null and id <= ?",
            now,
            user_id,
            purpose.as_str(),
            oldest,
        )
        .execute(tx)
        .await?;
    }
    Ok(id)
}

/// Uses a mailed token up. Its user is held.
pub(crate) async fn use_up(
    tx: &mut MySqlConnection,
    token: &EmailToken,
    purpose: Purpose,
    now: Timestamp,
) -> Result<()> {
    let digest = token.digest();
    let used = sqlx::query!(
        "update email_tokens set used_at = ?
          where token_hash = ? and purpose = ? and used_at is null and expires_at > ?",
        now,
        digest.as_bytes().as_slice(),
        purpose.as_str(),
        now,
    )
    .execute(tx)
    .await?
    .rows_affected();
    if used > 0 { Ok(()) } else { Err(Error::DeadEmailToken) }
}

/// Withdraws what was mailed to a user for this. The user is held.
pub(super) async fn withdraw(
    tx: &mut MySqlConnection,
    user_id: u64,
    purpose: Purpose,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update email_tokens set used_at = ?
          where user_id = ? and purpose = ? and used_at is null",
        now,
        user_id,
        purpose.as_str(),
    )
    .execute(tx)
    .await
    .map(drop)
}

/// Withdraws every reset of a user whose password has just been chosen, those too that were asked for
/// and have not been sent. The user is held.
pub(crate) async fn withdraw_resets(
    tx: &mut MySqlConnection,
    user_id: u64,
    email: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    withdraw(tx, user_id, Purpose::ResetPassword, now).await?;
    queue::take_back_all(tx, Kind::ResetPassword, email).await
}
