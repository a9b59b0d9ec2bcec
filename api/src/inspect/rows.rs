//! What MySQL says of a token.

use std::fmt;

use portcullis_core::Digest;

use crate::App;
use crate::base::clock::Timestamp;
use crate::base::session_id::SessionId;
use crate::sessions::live;
use crate::store::standing::standing;
use crate::tokens::access::Claims;
use crate::tokens::secret::RefreshToken;

/// What it comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    Live,
    /// Unused for as long as its session may be, as far as MySQL has heard.
    Idle,
    Dead(String),
    Nothing,
    Unreachable(String),
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live => f.write_str("live"),
            Self::Idle => f.write_str("its session is idle"),
            Self::Dead(why) => f.write_str(why),
            Self::Nothing => f.write_str("knows nothing of it"),
            Self::Unreachable(cause) => write!(f, "no answer: {cause}"),
        }
    }
}

/// What is kept of a refresh token's session.
struct Kept {
    user_id: u64,
    session: SessionId,
    created_at: Timestamp,
    expires_at: Timestamp,
    generation: u32,
    exchanged_at: Option<Timestamp>,
    spent_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

/// A refresh token as it was given out.
pub(super) struct RefreshRow {
    pub(super) user_id: u64,
    pub(super) session: SessionId,
    /// Of one that many came after nobody knows it.
    pub(super) issued_at: Option<Timestamp>,
    pub(super) expires_at: Timestamp,
    spent: Option<Spent>,
    revoked_at: Option<Timestamp>,
}

/// How a refresh token was exchanged.
struct Spent {
    at: Timestamp,
    /// The one that followed it was exchanged then, and it was some time before.
    is_long_ago: bool,
}

/// A token that was mailed.
pub(super) struct MailedRow {
    pub(super) user_id: u64,
    pub(super) purpose: String,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
    used_at: Option<Timestamp>,
}

impl MailedRow {
    pub(super) fn state(&self, now: Timestamp) -> Known {
        match self.used_at {
            Some(at) => Known::Dead(format!("was used or withdrawn at {}", at.rfc3339())),
            None if self.expires_at <= now => Known::Dead("has expired".to_owned()),
            None => Known::Live,
        }
    }
}

/// What became of an access token whose signature and claims are good.
pub(super) async fn access_token(app: &App, digest: Digest, claims: &Claims) -> Known {
    let revocation = sqlx::query!(
        r#"select reason, blacklisted_at as "at: Timestamp" from token_blacklist_enhanced
            where token_hash = ?"#,
        digest.as_bytes().as_slice(),
    );
    match app.store.in_time(revocation.fetch_optional(&app.store.pool)).await {
        Ok(Some(row)) => {
            Known::Dead(format!("was revoked at {} ({})", row.at.rfc3339(), row.reason))
        }
        Ok(None) => session(app, claims.user_id, &claims.session_id).await,
        Err(cause) => Known::Unreachable(cause.to_string()),
    }
}

/// A refresh token by its digest or, if that is of a later one, by its place.
pub(super) async fn refresh_token(
    app: &App,
    token: &RefreshToken,
) -> Result<Option<RefreshRow>, String> {
    let digest = token.digest();
    let row = sqlx::query_as!(
        Kept,
        r#"select user_id, session_id as "session: SessionId",
                  created_at as "created_at: Timestamp", expires_at as "expires_at: Timestamp",
                  generation, exchanged_at as "exchanged_at: Timestamp",
                  spent_at as "spent_at: Timestamp", revoked_at as "revoked_at: Timestamp"
             from refresh_tokens where token_hash = ?"#,
        digest.as_bytes().as_slice(),
    );
    let found = app.store.in_time(row.fetch_optional(&app.store.pool)).await;
    if let Some(kept) = found.map_err(|cause| cause.to_string())? {
        let issued_at = kept.exchanged_at.unwrap_or(kept.created_at);
        let spent = kept.spent_at.map(|at| Spent { at, is_long_ago: false });
        return Ok(Some(kept.with(Some(issued_at), spent)));
    }
    let Some(place) = app.refresh_keys.place(token) else { return Ok(None) };
    let row = sqlx::query_as!(
        Kept,
        r#"select user_id, session_id as "session: SessionId",
                  created_at as "created_at: Timestamp", expires_at as "expires_at: Timestamp",
                  generation, exchanged_at as "exchanged_at: Timestamp",
                  spent_at as "spent_at: Timestamp", revoked_at as "revoked_at: Timestamp"
             from refresh_tokens where reference = ? and generation > ?"#,
        place.reference.as_slice(),
        place.generation,
    );
    let found = app.store.in_time(row.fetch_optional(&app.store.pool)).await;
    Ok(found.map_err(|cause| cause.to_string())?.map(|kept| {
        let issued_at = (place.generation == 0).then_some(kept.created_at);
        let is_long_ago = kept.generation > place.next().generation;
        let spent = kept.exchanged_at.map(|at| Spent { at, is_long_ago });
        kept.with(issued_at, spent)
    }))
}

impl Kept {
    fn with(self, issued_at: Option<Timestamp>, spent: Option<Spent>) -> RefreshRow {
        let Self { user_id, session, expires_at, revoked_at, .. } = self;
        RefreshRow { user_id, session, issued_at, expires_at, spent, revoked_at }
    }
}

/// What became of a refresh token.
pub(super) async fn state_of(app: &App, token: &RefreshRow) -> Known {
    if let Some(at) = token.revoked_at {
        return Known::Dead(format!("was revoked at {}", at.rfc3339()));
    }
    if let Some(Spent { at, is_long_ago: true }) = token.spent {
        return Known::Dead(format!("was exchanged before {}, as was its successor", at.rfc3339()));
    }
    if let Some(Spent { at, .. }) = token.spent {
        let until = at.plus(app.settings.tokens.refresh_grace).rfc3339();
        return Known::Dead(format!(
            "was exchanged at {}; until {until} whoever repeats that gets the same successor",
            at.rfc3339(),
        ));
    }
    session(app, token.user_id, &token.session).await
}

/// A mailed token by its digest.
pub(super) async fn mailed_token(app: &App, digest: Digest) -> Result<Option<MailedRow>, String> {
    let row = sqlx::query_as!(
        MailedRow,
        r#"select user_id, purpose, created_at as "created_at: Timestamp",
                  expires_at as "expires_at: Timestamp", used_at as "used_at: Timestamp"
             from email_tokens where token_hash = ?"#,
        digest.as_bytes().as_slice(),
    );
    let found = app.store.in_time(row.fetch_optional(&app.store.pool)).await;
    found.map_err(|cause| cause.to_string())
}

/// What became of a session.
async fn session(app: &App, user_id: u64, session: &SessionId) -> Known {
    let now = app.clock.now();
    let row = standing!(query!(
        r#"select (s.is_active and e.id is null) as "is_active!: bool",
                  coalesce(s.ended_at, e.ended_at) as "ended_at: Timestamp",
                  coalesce(s.ended_reason, if(e.id is null, null, 'admin')) as ended_reason,
                  s.expires_at as "expires_at: Timestamp",
                  s.last_activity as "last_activity: Timestamp", s.idle_timeout_s,
                  u.is_active as "user_is_active: bool", ("#
            + STANDING
            + r#") as "stands!: bool"
             from user_sessions s join users u on u.id = s.user_id
             left join everybody e on e.id = 1 and e.tokens_valid_after >= s.created_at
            where s.id = ? and s.user_id = ?"#,
        now,
        session,
        user_id,
    ));
    let row = match app.store.in_time(row.fetch_optional(&app.store.pool)).await {
        Ok(Some(row)) => row,
        Ok(None) => return Known::Nothing,
        Err(cause) => return Known::Unreachable(cause.to_string()),
    };
    if row.stands {
        let is_used = live::is_in_use(row.last_activity, row.idle_timeout_s, now);
        return if is_used { Known::Live } else { Known::Idle };
    }
    Known::Dead(if !row.is_active {
        let at = row.ended_at.map(|at| format!(" at {}", at.rfc3339())).unwrap_or_default();
        let why = row.ended_reason.map(|why| format!(" ({why})")).unwrap_or_default();
        format!("its session ended{at}{why}")
    } else if row.expires_at <= now {
        format!("its session expired at {}", row.expires_at.rfc3339())
    } else if !row.user_is_active {
        "its user is disabled".to_owned()
    } else {
        "its session began before everything of its user was ended".to_owned()
    })
}
