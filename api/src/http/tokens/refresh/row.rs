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
use crate::tokens::place::{Place, Reference};
use crate::tokens::secret::RefreshToken;

/// A refresh token with its session, its user and what became of it.
pub(super) struct Row {
    pub(super) id: u64,
    pub(super) user_id: u64,
    pub(super) session: SessionId,
    /// Where the present token of the session stands; none, if this one has a row of its own.
    pub(super) place: Option<Place>,
    /// Set, if this one was spent.
    pub(super) spent: Option<Spent>,
    revoked_at: Option<Timestamp>,
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

/// How a token was spent, and what followed it.
pub(super) struct Spent {
    at: Timestamp,
    /// The digest of its successor.
    successor: Option<Vec<u8>>,
    /// The successor's place; none, if that is of the earlier form.
    place: Option<Place>,
    /// Whether the successor may still be exchanged.
    pub(super) successor_is_live: bool,
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
}

impl Spent {
    /// The token that followed it, for whoever asks again; none, if the key that made it is not read
    /// any more.
    pub(super) fn successor(&self, app: &App, token: &RefreshToken) -> Option<RefreshToken> {
        let digest = self.successor.as_deref()?;
        match self.place {
            Some(place) => app.refresh_keys.token_again(place, digest),
            None => app.refresh_keys.successor_again(token, digest),
        }
    }

    /// Whether it is in the wrong hands: it came back late, or after its successor was spent.
    pub(super) fn is_reused(&self, app: &App, now: Timestamp) -> bool {
        now.since(self.at) > app.settings.tokens.refresh_grace || !self.successor_is_live
    }
}

/// The columns of a row. Of a token with a row of its own the one that followed it is in another row, of
/// any other it is in the same.
struct Found {
    id: u64,
    user_id: u64,
    session: SessionId,
    reference: Option<Vec<u8>>,
    generation: u32,
    token_hash: Vec<u8>,
    exchanged_at: Option<Timestamp>,
    spent_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    next_hash: Option<Vec<u8>>,
    next_reference: Option<Vec<u8>>,
    next_is_live: bool,
    email: String,
    role: Role,
    authenticated_at: Timestamp,
    last_activity: Timestamp,
    expires_at: Timestamp,
    idle_timeout_s: u32,
    ended_at: Option<Timestamp>,
    ended_reason: Option<String>,
    session_stands: bool,
}

/// Looks up the one row for which this holds.
macro_rules! found {
    ($db:expr, $now:expr, $which:literal $(, $value:expr)+) => {
        standing!(query_as!(
            Found,
            r#"select t.id, t.user_id, t.session_id as "session: SessionId", t.reference,
                      t.generation, t.token_hash, t.exchanged_at as "exchanged_at: Timestamp",
                      t.spent_at as "spent_at: Timestamp", t.revoked_at as "revoked_at: Timestamp",
                      c.token_hash as "next_hash?", c.reference as "next_reference?",
                      (c.id is not null and c.spent_at is null and c.exchanged_at is null
                           and c.revoked_at is null) as "next_is_live!: bool",
                      u.email, u.role as "role: Role",
                      s.authenticated_at as "authenticated_at: Timestamp",
                      s.last_activity as "last_activity: Timestamp",
                      s.expires_at as "expires_at: Timestamp", s.idle_timeout_s,
                      coalesce(s.ended_at, e.ended_at) as "ended_at: Timestamp",
                      coalesce(s.ended_reason, if(e.id is null, null, 'admin')) as ended_reason,
                      ("#
                + STANDING
                + r#") as "session_stands!: bool"
                 from refresh_tokens t
                 join user_sessions s on s.id = t.session_id
                 join users u on u.id = t.user_id
                 left join refresh_tokens c on c.parent_id = t.id
                 left join everybody e on e.id = 1 and e.tokens_valid_after >= s.created_at
                where "#
                + $which,
            $now,
            $($value),+
        ))
        .fetch_optional(&mut *$db)
        .await?
    };
}

/// Looks a token up by its digest or, if that is not kept any more, by its place; none, if nobody here
/// gave it out.
pub(super) async fn find(
    app: &App,
    db: &mut MySqlConnection,
    token: &RefreshToken,
    now: Timestamp,
) -> Result<Option<Row>> {
    let digest = token.digest();
    if let Some(found) = found!(db, now, "t.token_hash = ?", digest.as_bytes().as_slice()) {
        return Ok(Some(found.kept()));
    }
    let Some(place) = app.refresh_keys.place(token) else { return Ok(None) };
    let (reference, generation) = (place.reference.as_slice(), place.generation);
    let later = found!(db, now, "t.reference = ? and t.generation > ?", reference, generation);
    Ok(later.map(|found| found.after(place)))
}

impl Found {
    /// Of the token whose digest is kept.
    fn kept(self) -> Row {
        let spent = self.spent_at.map(|at| Spent {
            at,
            successor: self.next_hash.clone(),
            place: self.next_reference.as_deref().and_then(|it| placed(it, 0)),
            successor_is_live: self.next_is_live,
        });
        self.row(spent)
    }

    /// Of a token that was exchanged for one which is kept or came before that.
    fn after(self, place: Place) -> Row {
        let spent = Spent {
            at: self.exchanged_at.unwrap_or_default(),
            successor: Some(self.token_hash.clone()),
            place: Some(place.next()),
            successor_is_live: self.generation == place.next().generation,
        };
        self.row(Some(spent))
    }

    fn row(self, spent: Option<Spent>) -> Row {
        Row {
            id: self.id,
            user_id: self.user_id,
            session: self.session,
            place: self.reference.as_deref().and_then(|it| placed(it, self.generation)),
            spent,
            revoked_at: self.revoked_at,
            session_stands: self.session_stands,
            email: self.email,
            role: self.role,
            authenticated_at: self.authenticated_at,
            last_activity: self.last_activity,
            expires_at: self.expires_at,
            idle_timeout_s: self.idle_timeout_s,
            ended_at: self.ended_at,
            ended_reason: self.ended_reason,
        }
    }
}

fn placed(reference: &[u8], generation: u32) -> Option<Place> {
    Some(Place { reference: Reference::try_from(reference).ok()?, generation })
}
