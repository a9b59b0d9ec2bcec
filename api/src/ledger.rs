//! The fast copy: what the service says to the Redis module and what it hears.
//!
//! Nothing is decided here. A change comes out of the outbox, a question from a request; an error
//! means that Redis could not be asked or is not believed (`line.rs`), never that a token is good.

use std::collections::HashMap;
use std::time::Duration;

use portcullis_core::{Digest, Verdict};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value};
use secrecy::ExposeSecret as _;

use crate::clock::UnixMs;
use crate::config::Stores;
use crate::line::Lines;
use crate::outbox::Change;
use crate::session_id::SessionId;

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

    /// Tells ledgers some changes, in order, in one round trip and outside `MULTI`: a full server
    /// refuses queued writes, and a revocation must go through.
    ///
    /// A session that is refused for good (its end has come, say) is given up, which refuses too
    /// much at worst. Anything else that is refused is an error and will be told again.
    pub async fn apply(&self, changes: &[(u64, Change)]) -> RedisResult<()> {
        // Without a line, what an earlier one was told may yet be heard: even nothing has to wait.
        let line = self.lines.any()?;
        if changes.is_empty() {
            return Ok(());
        }
        let told = self.tell(&mut line.tell.clone(), changes).await;
        self.lines.heard(&line, told)
    }

    async fn tell(
        &self,
        redis: &mut MultiplexedConnection,
        changes: &[(u64, Change)],
    ) -> RedisResult<()> {
        let now = now_if_needed(redis, changes).await?;
        let mut pipeline = Pipeline::new();
        for (user_id, change) in changes {
            pipeline.add_command(change.command(&self.key(*user_id), now));
        }
        pipeline.ignore_errors();
        let replies: Vec<Value> = pipeline.query_async(redis).await?;
        for ((user_id, change), reply) in changes.iter().zip(replies) {
            let Value::ServerError(refusal) = reply else { continue };
            let module_is_there = !refusal.details().is_some_and(|d| d.contains("unknown command"));
            let for_good = module_is_there && refusal.code() == "ERR";
            if !(for_good && matches!(change, Change::Create { .. })) {
                return Err(refusal.into());
            }
            tracing::error!(user_id, %refusal, "Redis does not take a session");
        }
        self.wait_for_replicas(redis).await
    }

    /// Half the deadline, so that missing replicas are not taken for a broken line.
    ///
    /// `WAIT` waits for what this connection has written. A change that was told before on another
    /// one changes nothing, so something is written that always counts as a change, means nothing
    /// and is not refused by a full server: the sentinel's expiry, at the end of time.
    async fn wait_for_replicas(&self, redis: &mut MultiplexedConnection) -> RedisResult<()> {
        if self.replicas == 0 {
            return Ok(());
        }
        let patience = u64::try_from(self.deadline.as_millis() / 2).unwrap_or(1).max(1);
        let mut questions = redis::pipe();
        questions.cmd("PEXPIREAT").arg(self.lines.sentinel()).arg(UnixMs::MAX.0).ignore();
        questions.cmd("WAIT").arg(self.replicas).arg(patience);
        let (have,): (u8,) = questions.query_async(redis).await?;
        if have < self.replicas {
            return Err(RedisError::from((
                redis::ErrorKind::UnexpectedReturnType,
                "too few replicas have heard it",
            )));
        }
        Ok(())
    }

    /// Moves a session's last activity forward.
    pub async fn touch(&self, user_id: u64, session: &SessionId, at: UnixMs) -> RedisResult<()> {
        let mut command = redis::cmd("AUTH.SESSION");
        command.arg("TOUCH").arg(self.key(user_id)).arg(session.as_str()).arg("AT").arg(at.0);
        let line = self.lines.any()?;
        let told = command.exec_async(&mut line.tell.clone()).await;
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
    /// Whether it only ends things, so that telling it late brings nothing back.
    pub(crate) const fn is_ending(&self) -> bool {
        match self {
            Self::Create { .. } => false,
            Self::Revoke { .. } | Self::RevokeAll { .. } | Self::Blacklist { .. } => true,
        }
    }

    /// Whether it may be told again whatever has come after it. Not so a watermark: of a host whose
    /// clock is ahead it would, held back to another present, end what began since.
    pub(crate) const fn names_its_end(&self) -> bool {
        match self {
            Self::Create { .. } | Self::RevokeAll { .. } => false,
            Self::Revoke { .. } | Self::Blacklist { .. } => true,
        }
    }

    pub(crate) fn command(&self, key: &str, now: UnixMs) -> Cmd {
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

/// The watermark may not lie in Redis' future, so one that comes from a host whose clock is ahead is
/// held back to Redis' own time.
async fn now_if_needed(
    redis: &mut MultiplexedConnection,
    changes: &[(u64, Change)],
) -> RedisResult<UnixMs> {
    if !changes.iter().any(|(_, change)| matches!(change, Change::RevokeAll { .. })) {
        return Ok(UnixMs::MAX);
    }
    redis_now(redis).await
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
