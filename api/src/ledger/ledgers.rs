//! The fast copy: what the service says to the Redis module and what it hears.
//!
//! Nothing is decided here. A change comes out of the outbox, a question from a request; an error
//! means that Redis could not be asked or is not believed (`line.rs`), never that a token is good.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use portcullis_client::Watch;
use portcullis_core::{Digest, Verdict};
use redis::{Cmd, FromRedisValue, Pipeline, RedisError, RedisResult, Value};
use secrecy::ExposeSecret as _;
use tokio::sync::SetOnce;

use super::kept::Asked;
use super::outbox::refusing_users::Aside;
use super::outbox::settled_row::Settled;
use super::outbox::unmarked::Unmarked;
use super::recently_repaired::Resting;
use crate::base::background::Background;
use crate::base::clock::{Clock, Timestamp};
use crate::base::last_use::Uses;
use crate::base::random::Random;
use crate::base::session_id::SessionId;
use crate::ledger::line::{Condition, Lines};
use crate::settings::Stores;
use crate::store::database::Store;

/// How long somebody who looks waits for Redis.
const HEARSAY: Duration = Duration::from_secs(5);

/// The ledgers of all users, and all that is known about them; a clone is the same.
#[derive(Clone)]
pub struct Ledgers(Arc<Parts>);

/// What ledgers are looked after with.
pub struct Parts {
    pub(super) lines: Lines,
    prefix: String,
    pub(super) replicas: u8,
    /// How long Redis may take, and both stores, one after the other.
    pub(super) deadline: Duration,
    pub(super) stores_deadline: Duration,
    /// How long the outbox keeps what was delivered.
    pub(super) outbox_retention: Duration,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(super) random: Random,
    pub(crate) background: Background,
    /// What is known of uses that Redis has not heard of.
    pub(crate) uses: Arc<Uses>,
    pub(super) resting: Resting,
    pub(super) aside: Aside,
    pub(super) settled: Settled,
    pub(super) unmarked: Unmarked,
    /// Says when Redis has been looked at for the first time.
    pub(super) looked: SetOnce<()>,
}

/// What ledgers need of the rest of the service.
pub(crate) struct Surroundings {
    /// The truth.
    pub(crate) store: Store,
    /// What time it is.
    pub(crate) clock: Clock,
    /// Where names of work come from.
    pub(crate) random: Random,
    /// Work beside the requests.
    pub(crate) background: Background,
}

impl Deref for Ledgers {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Ledgers {
    /// Prepares for a Redis that need not be there yet.
    pub(crate) fn new(stores: &Stores, uses: Arc<Uses>, around: Surroundings) -> RedisResult<Self> {
        let Surroundings { store, clock, random, background } = around;
        let (prefix, deadline) = (stores.ledger_key_prefix.clone(), stores.redis_deadline);
        let sentinel = format!("portcullis:sentinel:{prefix}");
        let lines = Lines::new(stores.redis_url().expose_secret(), sentinel, stores)?;
        Ok(Self(Arc::new(Parts {
            lines,
            prefix,
            replicas: stores.redis_wait_replicas,
            deadline,
            stores_deadline: stores.deadline(),
            outbox_retention: stores.outbox_retention,
            store,
            clock,
            random,
            background,
            uses,
            resting: Resting::default(),
            aside: Aside::default(),
            settled: Settled::default(),
            unmarked: Unmarked::default(),
            looked: SetOnce::new(),
        })))
    }

    /// Waits until Redis has been looked at for the first time.
    pub async fn looked_at(&self) {
        self.looked.wait().await;
    }

    /// Redis is not believed about these users until a delivery has succeeded.
    pub(crate) fn doubt_about(&self, users: &[u64]) {
        self.lines.doubt_about(users);
    }

    /// Waits until Redis is believed anew: whoever has something to tell may tell it now.
    pub(crate) async fn believed_again(&self) {
        self.lines.up.notified().await;
    }

    /// Since when an ending waits that Redis refuses to take.
    pub(crate) fn lacks_since(&self) -> Option<Timestamp> {
        self.aside.lacks_since()
    }

    /// Whether Redis is there and lacks nothing.
    pub fn is_believed(&self) -> bool {
        self.lines.is_believed()
    }

    /// The one question of the hot path: what is kept, or `AUTH.CHECK key DIGEST hex SESSION sid`. The
    /// token itself stays here, so that no `MONITOR` ever shows one.
    pub(crate) async fn check(&self, asked: &Asked<'_>, digest: Digest) -> RedisResult<Verdict> {
        let (line, ledgers) = self.lines.believed_about(asked.user_id)?;
        let kept = self.lines.kept.verdict(asked, ledgers).await;
        if let Some(verdict) = self.lines.heard(&line, kept)? {
            return Ok(verdict);
        }
        let question = self.question(asked.user_id, digest, asked.session);
        let answer = question.query_async::<Value>(&mut line.ask.clone()).await;
        match self.lines.heard(&line, answer)? {
            Value::Okay => Ok(Verdict::Ok),
            Value::SimpleString(word) => {
                Verdict::of_word(&word).ok_or_else(|| unexpected("AUTH.CHECK"))
            }
            _ => Err(unexpected("AUTH.CHECK")),
        }
    }

    /// What keeps verdicts, for whoever keeps something beside them.
    pub(crate) fn watch(&self) -> Option<&Watch> {
        self.lines.kept.watch()
    }

    /// What Redis says of a token, believed or not: for whoever looks, never to let anybody in.
    pub(crate) async fn hearsay(
        &self,
        user_id: u64,
        digest: Digest,
        session: &SessionId,
    ) -> RedisResult<String> {
        let mut redis = self.lines.open(HEARSAY).await?;
        self.question(user_id, digest, session).query_async(&mut redis).await
    }

    fn question(&self, user_id: u64, digest: Digest, session: &SessionId) -> Cmd {
        let mut command = Cmd::with_capacity(6, 192);
        command.arg("AUTH.CHECK").arg(self.key(user_id));
        command.arg("DIGEST").arg(digest.to_hex().as_slice());
        command.arg("SESSION").arg(session.as_str());
        command
    }

    /// Moves a session's last activity forward; false if the ledger has no such live session.
    pub async fn touch(
        &self,
        user_id: u64,
        session: &SessionId,
        at: Timestamp,
    ) -> RedisResult<bool> {
        let mut command = redis::cmd("AUTH.SESSION");
        command.arg("TOUCH").arg(self.key(user_id)).arg(session.as_str()).arg("AT").arg(at.0);
        let line = self.lines.any()?;
        let told = command.query_async(&mut line.tell.clone()).await;
        self.lines.heard(&line, told)
    }

    /// When each live session of a user was last seen.
    pub async fn last_seen(&self, user_id: u64) -> RedisResult<HashMap<String, Timestamp>> {
        let mut command = redis::cmd("AUTH.SESSION");
        command.arg("LIST").arg(self.key(user_id));
        let line = self.lines.any()?;
        let answer = command.query_async(&mut line.ask.clone()).await;
        let sessions: Vec<HashMap<String, Value>> = self.lines.heard(&line, answer)?;
        sessions.iter().map(seen).collect()
    }

    /// Asks something that is about no ledger over the same line, so that whatever is wrong with it is
    /// noticed by everybody.
    pub(crate) async fn ask_beside<T: FromRedisValue>(
        &self,
        question: &Pipeline,
    ) -> RedisResult<T> {
        let line = self.lines.beside()?;
        let answer = question.query_async(&mut line.ask.clone()).await;
        self.lines.heard(&line, answer)
    }

    /// What the module counts: `INFO portcullis`.
    pub async fn info(&self) -> RedisResult<String> {
        let line = self.lines.beside()?;
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

    /// What can be said of Redis, given how a [`Self::ping`] went.
    pub(crate) fn condition(&self, answer: &RedisResult<()>) -> Condition {
        match (answer, self.lines.condition()) {
            (Ok(()), condition) => condition,
            (Err(cause), _) if cause.code() == Some("NOTREADY") => Condition::NotConfirmed,
            (Err(_), Condition::NoModule) => Condition::NoModule,
            (Err(_), _) => Condition::Unreachable,
        }
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

fn seen(session: &HashMap<String, Value>) -> RedisResult<(String, Timestamp)> {
    let field = |name| session.get(name).cloned().ok_or_else(|| unexpected("AUTH.SESSION LIST"));
    let id = redis::from_redis_value(field("id")?)?;
    let seen_ms = redis::from_redis_value(field("seen_ms")?)?;
    Ok((id, Timestamp(seen_ms)))
}

fn unexpected(command: &'static str) -> RedisError {
    RedisError::from((
        redis::ErrorKind::UnexpectedReturnType,
        "unexpected reply to",
        command.into(),
    ))
}
