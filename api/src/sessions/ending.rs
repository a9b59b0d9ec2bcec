//! How sessions end before their time. Everything that ends a session comes through here, so that
//! its refresh tokens end with it and its ledger hears of it.
//!
//! Locks are taken in one order everywhere: user, sessions, refresh tokens. Whatever changes an
//! indexed column of a session locks its user too, because of the foreign key; so statements that
//! change a session name its user first. Whatever ends something raises the user's version, which does
//! in a group of servers what the lock does in one (`store/held_rows.rs`).

use serde::Serialize;
use sqlx::MySqlConnection;
use sqlx::types::Json;
use utoipa::ToSchema;

use crate::base::client::Client;
use crate::base::clock::Timestamp;
use crate::base::device::Device;
use crate::base::session_id::SessionId;
use crate::ledger::change::Change;
use crate::ledger::outbox;
use crate::metrics;
use crate::store::transaction::Transaction;

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
    pub at: Timestamp,
    /// On whose request.
    pub client: &'a Client,
}

impl<'a> Ending<'a> {
    /// The device that a revocation keeps.
    pub(super) fn device(&self) -> Option<Json<&'a Device>> {
        self.is_by_owner().then_some(Json(&self.client.device))
    }

    /// The address that a revocation keeps.
    pub(super) fn address(&self) -> Option<String> {
        self.is_by_owner().then(|| self.client.ip.to_string())
    }

    /// Where an administrator was is kept in the trail alone, so that it goes when they do.
    const fn is_by_owner(&self) -> bool {
        !matches!(self.reason, Reason::Admin | Reason::Disabled)
    }
}

/// Counts of what was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Ended {
    /// Sessions that were ended.
    #[serde(rename = "sessions_revoked")]
    pub sessions: u64,
    /// Refresh tokens that were ended with them.
    #[serde(rename = "tokens_revoked")]
    pub tokens: u64,
}

/// Ends some of a user's sessions; those that are not theirs or not live are left out. What the ledger
/// must be told is put with the `changes`.
pub(crate) async fn end(
    tx: &mut Transaction,
    user_id: u64,
    sessions: &[SessionId],
    ending: Ending<'_>,
    changes: &mut Vec<Change>,
) -> sqlx::Result<Ended> {
    let ended = end_rows(tx, user_id, sessions, ending).await?;
    if ended.sessions > 0 {
        changes.push(Change::Revoke { sessions: sessions.to_vec() });
    }
    Ok(ended)
}

/// The same where nothing else is decided: the ledger hears of it by a row of its own.
pub(crate) async fn end_alone(
    tx: &mut Transaction,
    user_id: u64,
    sessions: &[SessionId],
    ending: Ending<'_>,
) -> sqlx::Result<Ended> {
    let mut changes = Vec::new();
    let ended = end(tx, user_id, sessions, ending, &mut changes).await?;
    if !changes.is_empty() {
        outbox::add(tx, user_id, &changes, ending.at).await?;
    }
    Ok(ended)
}

/// Ends all of a user's sessions and whatever was issued up to now, and remembers the instant.
pub(super) async fn end_all(
    tx: &mut Transaction,
    user_id: u64,
    ending: Ending<'_>,
    changes: &mut Vec<Change>,
) -> sqlx::Result<Ended> {
    sqlx::query!(
        "update users
            set tokens_valid_after = greatest(coalesce(tokens_valid_after, ?), ?),
                ledger_version = ledger_version + 1
          where id = ?",
        ending.at,
        ending.at,
        user_id,
    )
    .execute(&mut **tx)
    .await?;
    let sessions = not_ended(tx, user_id).await?;
    let ended = end_rows(tx, user_id, &sessions, ending).await?;
    // By name as well: a session is ended even if its host's clock was ahead.
    changes.push(Change::RevokeAll { at: ending.at });
    if !sessions.is_empty() {
        changes.push(Change::Revoke { sessions });
    }
    Ok(ended)
}

/// The ids of a user's sessions that were not ended early. More than are live: an idle one ends as
/// well, or later news of its use would bring it back, and so does one that a clock calls expired.
/// Not locked: the end of each is decided when its row is changed, and who locks the user beforehand
/// misses none.
pub async fn not_ended(tx: &mut MySqlConnection, user_id: u64) -> sqlx::Result<Vec<SessionId>> {
    sqlx::query_scalar!(
        r#"select id as "id: SessionId" from user_sessions where user_id = ? and is_active"#,
        user_id,
    )
    .fetch_all(tx)
    .await
}

/// One after the other in one order, each by its key. A statement that searches for rows locks what
/// it looks at on its way, so that strangers' logouts would wait for each other in a circle.
async fn end_rows(
    tx: &mut Transaction,
    user_id: u64,
    sessions: &[SessionId],
    ending: Ending<'_>,
) -> sqlx::Result<Ended> {
    let mut in_order: Vec<&SessionId> = sessions.iter().collect();
    in_order.sort_unstable_by_key(|session| session.as_str());
    let mut ended = Ended { sessions: 0, tokens: 0 };
    for session in in_order {
        if end_session(tx, user_id, session, ending).await? {
            ended.sessions += 1;
            ended.tokens += revoke_refresh_tokens(tx, session, ending).await?;
        }
    }
    count(tx, ended, ending.reason);
    Ok(ended)
}

/// Counts what ended, once that lasts.
pub(super) fn count(tx: &mut Transaction, ended: Ended, reason: Reason) {
    let (reason, Ended { sessions, tokens }) = (reason.as_str(), ended);
    tx.once_committed(move || {
        metrics::sessions_revoked(reason, sessions);
        metrics::tokens_blacklisted("refresh", tokens);
    });
}

/// Ends it with what may still be spent of it, and tells whether it had not ended before.
pub(super) async fn end_session(
    tx: &mut MySqlConnection,
    user_id: u64,
    session: &SessionId,
    ending: Ending<'_>,
) -> sqlx::Result<bool> {
    let ended = sqlx::query!(
        "update users u straight_join user_sessions s on s.user_id = u.id
                left join refresh_tokens t
                       on t.session_id = s.id and t.spent_at is null and t.revoked_at is null
            set u.ledger_version = u.ledger_version + 1,
                s.is_active = false, s.ended_at = ?, s.ended_reason = ?, t.revoked_at = ?
          where u.id = ? and s.id = ? and s.is_active",
        ending.at,
        ending.reason.as_str(),
        ending.at,
        user_id,
        session,
    )
    .execute(tx)
    .await?
    .rows_affected();
    Ok(ended > 0)
}

/// Keeps on record what ended with a session, and tells how many tokens that were.
async fn revoke_refresh_tokens(
    tx: &mut MySqlConnection,
    session: &SessionId,
    ending: Ending<'_>,
) -> sqlx::Result<u64> {
    let revoked = sqlx::query!(
        "insert into token_blacklist_enhanced
            (token_hash, token_type, token_expiry, blacklisted_at, reason, user_id, session_id,
             device_info, ip_address)
         select token_hash, 'refresh', expires_at, ?, ?, user_id, session_id, ?, ?
           from refresh_tokens
          where session_id = ? and revoked_at = ?
         on duplicate key update token_expiry = greatest(token_expiry, refresh_tokens.expires_at)",
        ending.at,
        ending.reason.as_str(),
        ending.device(),
        ending.address(),
        session,
        ending.at,
    );
    Ok(revoked.execute(tx).await?.rows_affected())
}
