//! The fast copy: what the service says to the Redis module and what it hears.
//!
//! Nothing is decided here. A change comes out of the outbox, a question from a request; an error
//! means that Redis could not be asked or is not believed (`line.rs`), never that a token is good.

use std::collections::HashMap;
use std::time::Duration;

use portcullis_core::{Digest, Verdict};
use redis::{Cmd, RedisError, RedisResult, Value};
use secrecy::ExposeSecret as _;

use crate::base::clock::UnixMs;
use crate::base::session_id::SessionId;
use crate::ledger::line::Lines;
use crate::settings::Stores;

/// The ledgers of all users.
pub struct Ledger {
    pub(crate) lines: Lines,
    prefix: String,
    pub(super) replicas: u8,
    pub(super) deadline: Duration,
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

fn seen(session: &HashMap<String, Value>) -> RedisResult<(String, UnixMs)> {
    let field = |name| session.get(name).cloned().ok_or_else(|| unexpected("AUTH.SESSION LIST"));
    let id = redis::from_redis_value(field("id")?)?;
    let seen_ms = redis::from_redis_value(field("seen_ms")?)?;
    Ok((id, UnixMs(seen_ms)))
}

fn unexpected(command: &'static str) -> RedisError {
    RedisError::from((redis::ErrorKind::UnexpectedReturnType, "not an answer of", command.into()))
}
