//! How sessions end before their time. Everything that ends a session comes through here, so that
//! its refresh tokens end with it and its ledger hears of it.
//!
//! Locks are taken in one order everywhere: user, sessions, refresh tokens.

use serde::Serialize;
use sqlx::MySqlConnection;
use sqlx::types::Json;

use crate::clock::UnixMs;
use crate::metrics;
use crate::outbox::{self, Change};
use crate::request::Client;
use crate::session_id::SessionId;

/// Why something was ended, as the tables spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The user logged out of it.
    Logout,
    /// The user logged out everywhere.
    LogoutAll,
    /// The user ended it from another session.
    Revoked,
    /// A newer login needed its place.
    Evicted,
    /// The same client logged in again.
    Replaced,
    /// A spent refresh token of it came back.
    TokenReuse,
    /// The user changed the password.
    PasswordChange,
    /// The user proved the address and chose a new password.
    PasswordReset,
    /// An administrator disabled the user.
    Disabled,
    /// An administrator ended it.
    Admin,
}

impl Reason {
    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::LogoutAll => "logout_all",
            Self::Revoked => "revoked",
            Self::Evicted => "evicted",
            Self::Replaced => "replaced",
            Self::TokenReuse => "token_reuse",
            Self::PasswordChange => "password_change",
            Self::PasswordReset => "password_reset",
            Self::Disabled => "disabled",
            Self::Admin => "admin",
        }
    }
}

/// The circumstances of an ending.
#[derive(Clone, Copy)]
pub struct Ending<'a> {
    /// Why.
    pub reason: Reason,
    /// When.
    pub at: UnixMs,
    /// On whose request.
    pub client: &'a Client,
}

/// What came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ended {
    /// Live sessions that were ended.
    #[serde(rename = "sessions_revoked")]
    pub sessions: u64,
    /// Live refresh tokens that were ended with them.
    #[serde(rename = "tokens_revoked")]
    pub tokens: u64,
}

/// Ends some of a user's sessions; those that are not theirs or not live are left out.
pub async fn end(
    tx: &mut MySqlConnection,
    user_id: u64,
    sessions: &[SessionId],
    ending: Ending<'_>,
) -> sqlx::Result<Ended> {
    let ended = end_rows(tx, user_id, sessions, ending).await?;
    if ended.sessions > 0 {
        let change = Change::Revoke { sessions: sessions.to_vec() };
        outbox::add(tx, user_id, &[change], ending.at).await?;
    }
    Ok(ended)
}

/// Ends all of a user's sessions and whatever was issued up to now, and remembers the instant.
pub async fn end_all(
    tx: &mut MySqlConnection,
    user_id: u64,
    ending: Ending<'_>,
) -> sqlx::Result<Ended> {
    sqlx::query!(
        "update users
            set tokens_valid_after = greatest(coalesce(tokens_valid_after, ?), ?)
          where id = ?",
        ending.at,
        ending.at,
        user_id,
    )
    .execute(&mut *tx)
    .await?;
    let sessions = live_sessions(tx, user_id).await?;
    let ended = end_rows(tx, user_id, &sessions, ending).await?;
    // By name as well: a session is ended even if its host's clock was ahead.
    let mut changes = vec![Change::RevokeAll { at: ending.at }];
    if !sessions.is_empty() {
        changes.push(Change::Revoke { sessions });
    }
    outbox::add(tx, user_id, &changes, ending.at).await?;
    Ok(ended)
}

/// The ids of a user's sessions that were not ended early, locked until the transaction is over.
pub async fn live_sessions(tx: &mut MySqlConnection, user_id: u64) -> sqlx::Result<Vec<SessionId>> {
    sqlx::query_scalar!(
        r#"select id as "id: SessionId" from user_sessions
            where user_id = ? and is_active for update"#,
        user_id,
    )
    .fetch_all(tx)
    .await
}

async fn end_rows(
    tx: &mut MySqlConnection,
    user_id: u64,
    sessions: &[SessionId],
    ending: Ending<'_>,
) -> sqlx::Result<Ended> {
    // Ids hold no comma, so one parameter carries them all.
    let ids = sessions.iter().map(SessionId::as_str).collect::<Vec<_>>().join(",");
    let sessions = sqlx::query!(
        "update user_sessions set is_active = false, ended_at = ?, ended_reason = ?
          where user_id = ? and is_active and find_in_set(id, ?)",
        ending.at,
        ending.reason.as_str(),
        user_id,
        ids,
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if sessions == 0 {
        return Ok(Ended { sessions: 0, tokens: 0 });
    }
    blacklist_refresh_tokens(tx, user_id, &ids, ending).await?;
    let tokens = sqlx::query!(
        "update refresh_tokens t
           join user_sessions s on s.id = t.session_id
            set t.revoked_at = ?
          where s.user_id = ? and find_in_set(s.id, ?)
            and t.spent_at is null and t.revoked_at is null",
        ending.at,
        user_id,
        ids,
    )
    .execute(tx)
    .await?
    .rows_affected();
    metrics::sessions_revoked(ending.reason.as_str(), sessions);
    metrics::tokens_blacklisted("refresh", tokens);
    Ok(Ended { sessions, tokens })
}

async fn blacklist_refresh_tokens(
    tx: &mut MySqlConnection,
    user_id: u64,
    ids: &str,
    ending: Ending<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into token_blacklist_enhanced
            (token_hash, token_type, token_expiry, blacklisted_at, reason, user_id, session_id,
             device_info, ip_address)
         select t.token_hash, 'refresh', t.expires_at, ?, ?, t.user_id, t.session_id, ?, ?
           from user_sessions s
           join refresh_tokens t on t.session_id = s.id
          where s.user_id = ? and find_in_set(s.id, ?)
            and t.spent_at is null and t.revoked_at is null
         on duplicate key update token_expiry = greatest(token_expiry, values(token_expiry))",
        ending.at,
        ending.reason.as_str(),
        Json(&ending.client.device),
        ending.client.ip.to_string(),
        user_id,
        ids,
    )
    .execute(tx)
    .await?;
    Ok(())
}
