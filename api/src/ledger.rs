//! The fast copy: what the service says to the Redis module and what it hears.
//!
//! Nothing is decided here. A change comes out of the outbox, a question from a request; an error
//! means that Redis could not be asked or is not believed (`line.rs`), never that a token is good.

use std::collections::HashMap;
use std::time::Duration;

use portcullis_core::{Digest, Verdict};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, RedisResult, Value};
use secrecy::ExposeSecret as _;

use crate::base::clock::UnixMs;
use crate::base::session_id::SessionId;
use crate::line::Lines;
use crate::outbox::Change;
use crate::settings::Stores;

mod telling;

pub(crate) use telling::{Fence, Told};

/// The ledgers of all users.
pub struct Ledger {
    pub(crate) lines: Lines,
    prefix: String,
    replicas: u8,
    deadline: Duration,
}

impl Ledger {
    /// Prepares for a Redis that need not be there yet.
    pub fn new(stores: &Stores) -> RedisResult<Self> {
        let (prefix, deadline) = (stores.ledger_key_prefix.clone(), stores.redis_deadline);
        let sentinel = format!("portcullis:sentinel:{prefix}");
        let lines = Lines::new(stores.redis_url().expose_secret(), sentinel, deadline)?;
        Ok(Self { lines, prefix, replicas: stores.redis_wait_replicas, deadline })
    }

    /// Whether Redis is there and lacks nothing.
    pub fn is_believed(&self) -> bool {
        self.lines.is_believed()
    }

    /// `AUTH.CHECK key DIGEST hex SESSION sid`: the one question of the hot path. The token itself
    /// stays here, so that no `MONITOR` ever shows one.
    pub async fn check(
        &self,
        user_id: u64,
        digest: Digest,
        session: &SessionId,
    ) -> RedisResult<Verdict> {
        let line = self.lines.believed_about(user_id)?;
        let mut command = Cmd::with_capacity(6, 192);
        command.arg("AUTH.CHECK").arg(self.key(user_id));
        command.arg("DIGEST").arg(digest.to_hex().as_slice());
        command.arg("SESSION").arg(session.as_str());
        let answer = line.checks.ask(command).await;
        match self.lines.heard(&line, answer)? {
            Value::Okay => Ok(Verdict::Ok),
            Value::SimpleString(word) => match word.as_str() {
                "OK" => Ok(Verdict::Ok),
                "NO_SESSION" => Ok(Verdict::NoSession),
                "IDLE" => Ok(Verdict::Idle),
                "LOGGED_OUT" => Ok(Verdict::LoggedOut),
                "REVOKED" => Ok(Verdict::Revoked),
                _ => Err(unexpected("AUTH.CHECK")),
            },
            _ => Err(unexpected("AUTH.CHECK")),
        }
    }

    /// Moves a session's last activity forward; false if the ledger has no such live session.
    pub async fn touch(&self, user_id: u64, session: &SessionId, at: UnixMs) -> RedisResult<bool> {
        let mut command = redis::cmd("AUTH.SESSION");
        command.arg("TOUCH").arg(self.key(user_id)).arg(session.as_str()).arg("AT").arg(at.0);
        let line = self.lines.any()?;
        let told = command.query_async(&mut line.tell.clone()).await;
        self.lines.heard(&line, told)
    }

    /// When each live session of a user was last seen.
    pub async fn last_seen(&self, user_id: u64) -> RedisResult<HashMap<String, UnixMs>> {
        let mut command = redis::cmd("AUTH.SESSION");
        command.arg("LIST").arg(self.key(user_id));
        let line = self.lines.any()?;
        let answer = command.query_async(&mut line.ask.clone()).await;
        let sessions: Vec<HashMap<String, Value>> = self.lines.heard(&line, answer)?;
        sessions.iter().map(seen).collect()
    }

    /// What the module counts: `INFO portcullis`.
    pub async fn info(&self) -> RedisResult<String> {
        let line = self.lines.any()?;
        let answer = redis::cmd("INFO").arg("portcullis").query_async(&mut line.ask.clone()).await;
        self.lines.heard(&line, answer)
    }

    /// Whether Redis answers and has the module.
    pub async fn ping(&self) -> RedisResult<()> {
        let mut command = redis::cmd("AUTH.CHECK");
        command.arg(self.key(0)).arg("ping");
        let line = self.lines.any()?;
        let answer = command.exec_async(&mut line.ask.clone()).await;
        self.lines.heard(&line, answer)
    }

    /// Whether this is the key of a user's ledger.
    pub(crate) fn is_ours(&self, key: &[u8]) -> bool {
        let id = key.strip_prefix(self.prefix.as_bytes()).and_then(|id| str::from_utf8(id).ok());
        id.is_some_and(|id| id.parse::<u64>().is_ok())
    }

    /// Where a user's ledger is.
    pub(crate) fn key(&self, user_id: u64) -> String {
        format!("{}{user_id}", self.prefix)
    }
}

impl Change {
    /// The session that it begins; `None` if it only ends things, so that telling it late, or twice,
    /// brings nothing back.
    pub(crate) const fn begins(&self) -> Option<&SessionId> {
        match self {
            Self::Create { session, .. } => Some(session),
            Self::Revoke { .. } | Self::RevokeAll { .. } | Self::Blacklist { .. } => None,
        }
    }

    pub(crate) const fn is_ending(&self) -> bool {
        self.begins().is_none()
    }

    /// The command that tells it. No watermark lies beyond `now`; a beginning carries the fence.
    pub(crate) fn command(&self, key: &str, now: UnixMs, fence: Option<&Fence>) -> Cmd {
        match self {
            Self::Create { session, created_at, seen_at, expires_at, idle_s, device } => {
                let mut command = redis::cmd("AUTH.SESSION");
                command.arg("CREATE").arg(key).arg(session.as_str());
                command.arg("PXAT").arg(expires_at.0).arg("CREATED").arg(created_at.0);
                command.arg("SEEN").arg(seen_at.unwrap_or(*created_at).0);
                if *idle_s > 0 {
                    command.arg("IDLE").arg(*idle_s);
                }
                command.arg("DEVICE").arg(device);
                if let Some(fence) = fence {
                    command.arg("FENCE").arg(fence.as_str());
                }
                command
            }
            Self::Revoke { sessions } => {
                let mut command = redis::cmd("AUTH.SESSION");
                command.arg("REVOKE").arg(key);
                for session in sessions {
                    command.arg(session.as_str());
                }
                command
            }
            Self::RevokeAll { at } => {
                let mut command = redis::cmd("AUTH.SESSION");
                command.arg("REVOKEALL").arg(key).arg("AT").arg(now.min(*at).0);
                command
            }
            Self::Blacklist { digest, expires_at } => {
                let mut command = redis::cmd("AUTH.BLACKLIST");
                command.arg(key).arg("DIGEST").arg(digest).arg("PXAT").arg(expires_at.0);
                command
            }
        }
    }
}

/// What time it is for Redis.
pub(crate) async fn redis_now(redis: &mut MultiplexedConnection) -> RedisResult<UnixMs> {
    let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(redis).await?;
    Ok(UnixMs(seconds * 1_000 + micros / 1_000))
}

fn seen(session: &HashMap<String, Value>) -> RedisResult<(String, UnixMs)> {
    let field = |name| session.get(name).cloned().ok_or_else(|| unexpected("AUTH.SESSION LIST"));
    let id = redis::from_redis_value(field("id")?)?;
    let seen_ms = redis::from_redis_value(field("seen_ms")?)?;
    Ok((id, UnixMs(seen_ms)))
}

fn unexpected(command: &'static str) -> RedisError {
    RedisError::from((redis::ErrorKind::UnexpectedReturnType, "not an answer of", command.into()))
}
