//! Live sessions of the old system, each with the one refresh token that its holder has.
//!
//! A session without such a token is a row that nobody can use, and stays where it is. In one version
//! of the old system a refresh token does not know its session (C-05); it then belongs to the session
//! of its user that was begun on the same device, or to the only one.

use std::collections::HashSet;

use portcullis_core::Digest;
use serde_json::Value;
use sqlx::MySqlConnection;

use super::ids::Ids;
use super::rows::{OldSession, OldToken, address, instant};
use super::tally::{IMPORTED, THERE};
use super::work::Import;
use crate::base::clock::Timestamp;
use crate::base::device::Device;
use crate::base::session_id::SessionId;
use crate::ledger::outbox;
use crate::sessions::live;
use crate::sessions::rows::{self, NewRefreshToken, NewSession, Source};
use crate::store::standing::standing;

const KIND: &str = "sessions";
const NO_USER: &str = "left out: of users who are disabled or were left out";
const NO_TOKEN: &str = "left out: no live refresh token of their own";
/// The device of sessions that an earlier migration invented (BUG-35).
const INVENTED: &str = "migration";
/// A token that is this much older than a session was not given out with it.
const APART: std::time::Duration = std::time::Duration::from_mins(1);

/// A live session of the old system.
struct Live {
    id: SessionId,
    user_id: u64,
    fingerprint: String,
    ip: String,
    user_agent: String,
    last_activity: Timestamp,
    created_at: Timestamp,
    expires_at: Timestamp,
}

/// A live refresh token of the old system.
struct Token {
    digest: Digest,
    user_id: u64,
    session: Option<String>,
    fingerprint: String,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl Import<'_> {
    /// The sessions of the users from one id to another, of those who are the same person here.
    pub(super) async fn sessions(
        &mut self,
        tx: &mut MySqlConnection,
        ids: Ids,
        people: &HashSet<u64>,
    ) -> anyhow::Result<()> {
        let mut live = Vec::new();
        for old in self.old.sessions(ids).await? {
            if !people.contains(&old.user_id) {
                self.tally.count(KIND, NO_USER);
                continue;
            }
            match self.live(old) {
                Ok(session) => live.push(session),
                Err(fate) => self.tally.count(KIND, fate),
            }
        }
        let tokens = self.old.tokens(ids).await?;
        let tokens: Vec<Token> = tokens.into_iter().filter_map(|old| self.token(old)).collect();
        let known = known(tx, ids).await?;
        for sessions in live.chunk_by(|one, next| one.user_id == next.user_id) {
            self.of_one_user(tx, sessions, &tokens, &known).await?;
        }
        Ok(())
    }

    fn live(&self, old: OldSession) -> Result<Live, &'static str> {
        let fingerprint = fingerprint(old.device.as_deref());
        if fingerprint == INVENTED {
            return Err("left out: invented by an earlier migration");
        }
        let id = SessionId::parse(&old.id).ok_or("left out: unknown id format")?;
        let last_activity = old.last_activity.or(old.created_at).map(instant).unwrap_or_default();
        let created_at = old.created_at.map_or(last_activity, instant);
        let limit = self.now.plus(self.app.settings.session_lifetime());
        let expires_at = old.expires_at.map(instant).unwrap_or_default().min(limit);
        if old.is_active == Some(0) || expires_at <= self.now {
            return Err("left out: ended or expired");
        }
        let idle_s = self.app.settings.sessions.idle_timeout_s();
        if !live::is_in_use(last_activity, idle_s, self.now) {
            return Err("left out: idle for longer than SESSION_IDLE_TIMEOUT");
        }
        if self.revoked.has_session(id.as_str(), old.user_id, last_activity) {
            return Err("left out: a revocation ended them, or may have");
        }
        Ok(Live {
            id,
            user_id: old.user_id,
            fingerprint,
            ip: address(old.ip.as_deref()).unwrap_or_else(|| "0.0.0.0".to_owned()),
            user_agent: plain(old.user_agent),
            last_activity: last_activity.min(self.now),
            created_at: created_at.min(self.now),
            expires_at,
        })
    }

    fn token(&self, old: OldToken) -> Option<Token> {
        let token = Token {
            digest: Digest::from_hex(old.hash.as_bytes())?,
            user_id: old.user_id,
            session: old.session_id,
            fingerprint: fingerprint(old.device.as_deref()),
            created_at: instant(old.created_at?),
            expires_at: instant(old.expires_at?),
        };
        let is_live = old.is_active != Some(0)
            && token.expires_at > self.now
            && !self.revoked.has_token(&token.digest);
        is_live.then_some(token)
    }

    /// The latest used sessions first, until the user has as many as one may have.
    async fn of_one_user(
        &mut self,
        tx: &mut MySqlConnection,
        sessions: &[Live],
        tokens: &[Token],
        known: &HashSet<String>,
    ) -> anyhow::Result<()> {
        let Some(user_id) = sessions.first().map(|session| session.user_id) else { return Ok(()) };
        let tokens: Vec<&Token> = tokens.iter().filter(|token| token.user_id == user_id).collect();
        let room = self.room(tx, user_id).await?;
        let mut imported = 0;
        for (place, session) in sessions.iter().enumerate() {
            let fate = match (&room, token_of(place, sessions, &tokens)) {
                _ if known.contains(session.id.as_str()) => THERE,
                (None, _) => NO_USER,
                (Some(room), _) if session.created_at <= room.watermark => {
                    "left out: their user has logged out everywhere here"
                }
                (_, None) => NO_TOKEN,
                (Some(room), _) if imported >= room.places => {
                    "left out: beyond MAX_SESSIONS_PER_USER"
                }
                (_, Some(token)) => {
                    self.insert(tx, session, token).await?;
                    imported += 1;
                    IMPORTED
                }
            };
            self.tally.count(KIND, fate);
        }
        if imported > 0 {
            self.has_changed_sessions = true;
            // Nothing that must be told, but that something of theirs has changed: a Redis which has
            // not heard of it, or loses it again, is to be compared about them.
            outbox::add(tx, user_id, &[], self.now).await?;
        }
        Ok(())
    }

    /// How many sessions more the user may have; none if they may not have any.
    async fn room(&self, tx: &mut MySqlConnection, user_id: u64) -> sqlx::Result<Option<Room>> {
        let user = standing!(query!(
            r#"select is_active as "is_active: bool", tokens_valid_after as "watermark: Timestamp",
                      (select e.tokens_valid_after from everybody e where e.id = 1)
                          as "everybodys: Timestamp",
                      (select count(*) from user_sessions s
                        where s.user_id = u.id and "#
                + STANDING
                + r#") as "sessions!: i64"
                 from users u where id = ?"#,
            self.now,
            user_id,
        ))
        .fetch_optional(tx)
        .await?;
        let cap = i64::from(self.app.settings.sessions.max_sessions_per_user);
        Ok(user.filter(|user| user.is_active).map(|user| Room {
            places: cap - user.sessions,
            watermark: user.watermark.max(user.everybodys).unwrap_or_default(),
        }))
    }

    async fn insert(
        &self,
        tx: &mut MySqlConnection,
        session: &Live,
        token: &Token,
    ) -> sqlx::Result<()> {
        let sessions = &self.app.settings.sessions;
        let device = if sessions.device_fingerprinting {
            Device::from_user_agent(Some(&session.user_agent), None)
        } else {
            Device::unrecorded()
        };
        let expires_at = session.expires_at.min(token.expires_at);
        let source =
            Source { device: &device, ip_address: &session.ip, user_agent: &session.user_agent };
        let row = NewSession {
            id: &session.id,
            user_id: session.user_id,
            source,
            last_activity: session.last_activity,
            created_at: session.created_at,
            authenticated_at: session.created_at,
            expires_at,
            idle_timeout_s: sessions.idle_timeout_s(),
        };
        rows::insert_session(tx, &row).await?;
        let row = NewRefreshToken {
            digest: token.digest,
            user_id: session.user_id,
            session: &session.id,
            parent: None,
            reference: None,
            source,
            created_at: token.created_at,
            expires_at,
        };
        rows::insert_refresh_token(tx, &row).await
    }
}

/// What a user's account leaves for imported sessions.
struct Room {
    places: i64,
    watermark: Timestamp,
}

async fn known(tx: &mut MySqlConnection, ids: Ids) -> sqlx::Result<HashSet<String>> {
    let known = sqlx::query_scalar!(
        "select id from user_sessions where user_id between ? and ?",
        ids.first,
        ids.last,
    )
    .fetch_all(tx)
    .await?;
    Ok(known.into_iter().collect())
}

/// The newest token of a session; tokens come newest first, sessions latest used first.
fn token_of<'t>(place: usize, sessions: &[Live], tokens: &[&'t Token]) -> Option<&'t Token> {
    let session = &sessions[place];
    // On one device the latest used session has the token.
    let same_device = |other: &Live| other.fingerprint == session.fingerprint;
    let is_latest = !sessions[..place].iter().any(same_device);
    let is_its = |token: &Token| {
        if let Some(id) = &token.session {
            return id == session.id.as_str();
        }
        let on_its_device = is_latest
            && !session.fingerprint.is_empty()
            && token.fingerprint == session.fingerprint;
        let is_of_its_time = token.created_at.plus(APART) >= session.created_at;
        is_of_its_time && (sessions.len() == 1 || on_its_device)
    };
    tokens.iter().find(|token| is_its(token)).copied()
}

/// What the old system calls the device.
fn fingerprint(device: Option<&str>) -> String {
    let device: Value = device.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    device["fingerprint"].as_str().unwrap_or_default().to_owned()
}

/// A User-Agent as it is kept of our own sessions.
fn plain(user_agent: Option<String>) -> String {
    user_agent.unwrap_or_default().chars().filter(|c| !c.is_control()).take(512).collect()
}
