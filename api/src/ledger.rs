//! The fast copy: what the service says to the Redis module and what it hears.
//!
//! Nothing is decided here. A change comes out of the outbox, a question from a request; an error
//! means that Redis could not be asked, never that a token is good.

use std::collections::HashMap;
use std::time::Duration;

use portcullis_core::Digest;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value};

use crate::clock::UnixMs;
use crate::outbox::Change;
use crate::session_id::SessionId;

/// What `AUTH.CHECK` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Good now.
    Ok,
    /// The session is unknown to Redis.
    NoSession,
    /// The session's idle limit has passed.
    Idle,
    /// Issued before the watermark.
    LoggedOut,
    /// Revoked one by one.
    Revoked,
}

/// The ledgers of all users.
#[derive(Clone)]
pub struct Ledger {
    redis: ConnectionManager,
    prefix: String,
}

impl Ledger {
    /// Prepares a connection; it is made when first needed and again whenever it is lost.
    pub fn new(url: &str, prefix: &str, deadline: Duration) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(deadline))
            .set_response_timeout(Some(deadline));
        let client = redis::Client::open(url)?;
        let redis = ConnectionManager::new_lazy_with_config(client, config)?;
        Ok(Self { redis, prefix: prefix.to_owned() })
    }

    /// `AUTH.CHECK key DIGEST hex SESSION sid`: the one question of the hot path. The token itself
    /// stays here, so that no `MONITOR` ever shows one.
    pub async fn check(
        &self,
        user_id: u64,
        digest: Digest,
        session: &SessionId,
    ) -> RedisResult<Verdict> {
        let mut command = redis::cmd("AUTH.CHECK");
        command.arg(self.key(user_id)).arg("DIGEST").arg(digest.to_hex().as_slice());
        command.arg("SESSION").arg(session.as_str());
        match command.query_async::<Value>(&mut self.redis.clone()).await? {
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

    /// Tells a ledger some changes, in order, in one round trip and outside `MULTI`: a full server
    /// refuses queued writes, and a revocation must go through.
    ///
    /// A session that is refused for good (its end has come, say) is given up, which refuses too
    /// much at worst. Anything else that is refused is an error and will be told again.
    pub async fn apply(&self, user_id: u64, changes: &[Change]) -> RedisResult<()> {
        let key = self.key(user_id);
        let now = self.now_if_needed(changes).await?;
        let mut pipeline = Pipeline::new();
        for change in changes {
            pipeline.add_command(change.command(&key, now));
        }
        pipeline.ignore_errors();
        let replies: Vec<Value> = pipeline.query_async(&mut self.redis.clone()).await?;
        for (change, reply) in changes.iter().zip(replies) {
            let Value::ServerError(refusal) = reply else { continue };
            let module_is_there = !refusal.details().is_some_and(|d| d.contains("unknown command"));
            let for_good = module_is_there && refusal.code() == "ERR";
            if !(for_good && matches!(change, Change::Create { .. })) {
                return Err(refusal.into());
            }
            tracing::error!(user_id, %refusal, "Redis does not take a session");
        }
        Ok(())
    }

    /// The watermark may not lie in Redis' future, so one that comes from a host whose clock is
    /// ahead is held back to Redis' own time.
    async fn now_if_needed(&self, changes: &[Change]) -> RedisResult<UnixMs> {
        if !changes.iter().any(|change| matches!(change, Change::RevokeAll { .. })) {
            return Ok(UnixMs::MAX);
        }
        let (seconds, micros): (u64, u64) =
            redis::cmd("TIME").query_async(&mut self.redis.clone()).await?;
        Ok(UnixMs(seconds * 1_000 + micros / 1_000))
    }

    /// Moves a session's last activity forward.
    pub async fn touch(&self, user_id: u64, session: &SessionId, at: UnixMs) -> RedisResult<()> {
        let mut command = redis::cmd("AUTH.SESSION");
        command.arg("TOUCH").arg(self.key(user_id)).arg(session.as_str()).arg("AT").arg(at.0);
        command.exec_async(&mut self.redis.clone()).await
    }

    /// When each live session of a user was last seen.
    pub async fn last_seen(&self, user_id: u64) -> RedisResult<HashMap<String, UnixMs>> {
        let mut command = redis::cmd("AUTH.SESSION");
        command.arg("LIST").arg(self.key(user_id));
        let sessions: Vec<HashMap<String, Value>> =
            command.query_async(&mut self.redis.clone()).await?;
        sessions.iter().map(seen).collect()
    }

    /// What the module counts: `INFO portcullis`.
    pub async fn info(&self) -> RedisResult<String> {
        redis::cmd("INFO").arg("portcullis").query_async(&mut self.redis.clone()).await
    }

    /// Whether Redis answers and has the module.
    pub async fn ping(&self) -> RedisResult<()> {
        let mut command = redis::cmd("AUTH.CHECK");
        command.arg(self.key(0)).arg("ping");
        command.exec_async(&mut self.redis.clone()).await
    }

    fn key(&self, user_id: u64) -> String {
        format!("{}{user_id}", self.prefix)
    }
}

impl Change {
    fn command(&self, key: &str, now: UnixMs) -> Cmd {
        match self {
            Self::Create { session, created_at, expires_at, idle_s, max, device } => {
                let mut command = redis::cmd("AUTH.SESSION");
                command.arg("CREATE").arg(key).arg(session.as_str());
                command.arg("PXAT").arg(expires_at.0).arg("CREATED").arg(created_at.0);
                command.arg("SEEN").arg(created_at.0);
                if *idle_s > 0 {
                    command.arg("IDLE").arg(*idle_s);
                }
                command.arg("MAX").arg(*max).arg("DEVICE").arg(device);
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

fn seen(session: &HashMap<String, Value>) -> RedisResult<(String, UnixMs)> {
    let field = |name| session.get(name).cloned().ok_or_else(|| unexpected("AUTH.SESSION LIST"));
    let id = redis::from_redis_value(field("id")?)?;
    let seen_ms = redis::from_redis_value(field("seen_ms")?)?;
    Ok((id, UnixMs(seen_ms)))
}

fn unexpected(command: &'static str) -> RedisError {
    RedisError::from((redis::ErrorKind::UnexpectedReturnType, "not an answer of", command.into()))
}
