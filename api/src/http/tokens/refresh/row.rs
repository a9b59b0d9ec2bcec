//! What is known of a refresh token.

use std::time::Duration;

use sqlx::MySqlConnection;

use crate::App;
use crate::base::clock::Timestamp;
use crate::base::error::{Error, Over, Result};
use crate::base::role::Role;
use crate::base::session_id::SessionId;
use crate::sessions::live;
use crate::store::standing::standing;
use crate::tokens::issue::Grant;
use crate::tokens::secret::RefreshToken;

/// A refresh token with its session, its user and what became of it.
pub(super) struct Row {
    pub(super) id: u64,
    pub(super) user_id: u64,
    pub(super) session: SessionId,
    pub(super) spent_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    /// The digest of the token that followed it.
    successor: Option<Vec<u8>>,
    pub(super) successor_is_live: bool,
    session_stands: bool,
    pub(super) email: String,
    pub(super) role: Role,
    authenticated_at: Timestamp,
    last_activity: Timestamp,
    pub(super) expires_at: Timestamp,
    idle_timeout_s: u32,
    ended_at: Option<Timestamp>,
    ended_reason: Option<String>,
}

impl Row {
    /// The token may be spent, but session and user must be in good standing (BUG-03).
    pub(super) fn session_lives(&self, app: &App, now: Timestamp) -> bool {
        let (uses, seen) = (&app.ledgers.uses, self.last_activity);
        self.revoked_at.is_none()
            && self.session_stands
            && live::is_still_used(uses, &self.session, seen, self.idle_timeout_s, now)
    }

    /// What the tokens say that it is exchanged for.
    pub(super) const fn grant(&self) -> Grant<'_> {
        Grant {
            user_id: self.user_id,
            role: self.role,
            session: &self.session,
            authenticated_at: self.authenticated_at,
            expires_at: self.expires_at,
        }
    }

    /// Why it cannot be exchanged though it is known, for whoever holds it.
    pub(super) fn refusal(&self, app: &App, now: Timestamp) -> Error {
        let last_used = app.ledgers.uses.last_used(self.session.as_str(), self.last_activity);
        let idle = Duration::from_secs(self.idle_timeout_s.into());
        let over = match (self.ended_at, &self.ended_reason) {
            (Some(at), Some(reason)) => Over { reason: reason.clone().into(), at },
            _ if self.expires_at <= now => Over { reason: "expired".into(), at: self.expires_at },
            _ if !live::is_in_use(last_used, self.idle_timeout_s, now) => {
                Over { reason: "idle".into(), at: last_used.plus(idle) }
            }
            // The user was disabled or logged out this instant, or only the token was ended.
            _ => return Error::DeadRefreshToken,
        };
        Error::SessionOver(over)
    }

    /// The token that followed it, for whoever asks again; none, if the key that derived it is not
    /// read any more.
    pub(super) fn successor(&self, app: &App, token: &RefreshToken) -> Option<RefreshToken> {
        app.refresh_keys.successor_again(token, self.successor.as_deref()?)
    }

    /// Whether it is in the wrong hands: it came back late, or after its successor was spent.
    pub(super) fn is_reused(&self, app: &App, now: Timestamp) -> bool {
        self.spent_at.is_some_and(|spent_at| {
            now.since(spent_at) > app.settings.tokens.refresh_grace || !self.successor_is_live
        })
    }
}

/// Looks a token up by its digest; none, if nobody here gave it out.
pub(super) async fn find(
    db: &mut MySqlConnection,
    token: &RefreshToken,
    now: Timestamp,
) -> Result<Option<Row>> {
    let digest = token.digest();
    let row = standing!(query_as!(
        Row,
        r#"select t.id, t.user_id, t.session_id as "session: SessionId",
                  t.spent_at as "spent_at: Timestamp", t.revoked_at as "revoked_at: Timestamp",
                  c.token_hash as "successor?",
                  (c.id is not null and c.spent_at is null and c.revoked_at is null)
                      as "successor_is_live!: bool",
                  u.email, u.role as "role: Role", s.authenticated_at as "authenticated_at: Timestamp",
                  s.last_activity as "last_activity: Timestamp", s.expires_at as "expires_at: Timestamp",
                  s.idle_timeout_s, s.ended_at as "ended_at: Timestamp", s.ended_reason,
                  ("#
            + STANDING
            + r#") as "session_stands!: bool"
             from refresh_tokens t
             join user_sessions s on s.id = t.session_id
             join users u on u.id = t.user_id
             left join refresh_tokens c on c.parent_id = t.id
            where t.token_hash = ?"#,
        now,
        digest.as_bytes().as_slice(),
    ))
    .fetch_optional(db)
    .await?;
    Ok(row)
}
