//! The fast copy: what the service says to the Redis module and what it hears.
//!
//! Nothing is decided here. A change comes out of the outbox, a question from a request; an error
//! means that Redis could not be asked or is not believed (`line.rs`), never that a token is good.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use redis::{FromRedisValue, Pipeline, RedisError, RedisResult, Value};
use tokio::sync::{Semaphore, SetOnce};

use super::ended_until::Everybody;
use super::outbox::refusing_users::Aside;
use super::outbox::settled_row::Settled;
use super::outbox::unmarked::Unmarked;
use super::recently_repaired::Resting;
use crate::base::background::Background;
use crate::base::clock::{Clock, Timestamp};
use crate::base::last_use::Uses;
use crate::base::random::Random;
use crate::base::session_id::SessionId;
use crate::ledger::line::{Line, Lines};
use crate::ledger::lives::Lives;
use crate::ledger::shards::Shards;
use crate::settings::{Invalid, Stores};
use crate::store::database::Store;
use crate::store::history::FIRST;

/// How many servers this instance brings up to date at once: at least so many, and if there are many
/// connections to MySQL, of which each takes one, this part of them.
const HYDRATIONS: u32 = 2;
const SHARE_OF_POOL: u32 = 4;
/// How many users are compared at most.
const MOST_COMPARED: usize = 100_000;

/// The ledgers of all users, and all that is known about them; a clone is the same.
#[derive(Clone)]
pub struct Ledgers(Arc<Parts>);

/// What ledgers are looked after with.
pub struct Parts {
    pub(crate) shards: Shards,
    pub(super) lives: Lives,
    /// How many servers may be brought up to date at once: each takes a connection to MySQL.
    pub(super) hydrations: Semaphore,
    prefix: String,
    pub(super) replicas: u8,
    /// How long Redis may take, and both stores, one after the other.
    pub(super) deadline: Duration,
    pub(super) stores_deadline: Duration,
    /// For how long a server's ledgers are vouched for; without an end if nothing is set.
    pub(super) confirm_lease: Option<Duration>,
    /// How long the outbox keeps what was delivered.
    pub(super) outbox_retention: Duration,
    /// If more users than this are to be compared with MySQL, everybody is filled in, which is faster.
    pub most_compared: AtomicUsize,
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
    pub(super) everybody: Everybody,
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
    pub(crate) fn new(
        stores: &Stores,
        uses: Arc<Uses>,
        around: Surroundings,
    ) -> Result<Self, Invalid> {
        let hydrations = HYDRATIONS.max(stores.db_pool_size / SHARE_OF_POOL);
        let Surroundings { store, clock, random, background } = around;
        let (prefix, deadline) = (stores.ledger_key_prefix.clone(), stores.redis_deadline);
        Ok(Self(Arc::new(Parts {
            shards: Shards::new(stores)?,
            lives: Lives::default(),
            hydrations: Semaphore::new(hydrations as usize),
            prefix,
            replicas: stores.redis_wait_replicas,
            deadline,
            stores_deadline: stores.deadline(),
            confirm_lease: stores.confirm_lease(),
            outbox_retention: stores.outbox_retention,
            most_compared: AtomicUsize::new(MOST_COMPARED),
            store,
            clock,
            random,
            background,
            uses,
            resting: Resting::default(),
            aside: Aside::default(),
            settled: Settled::default(),
            unmarked: Unmarked::default(),
            everybody: Everybody::default(),
            looked: SetOnce::new(),
        })))
    }

    /// Waits until Redis has been looked at for the first time.
    pub async fn looked_at(&self) {
        self.looked.wait().await;
    }

    /// Waits until Redis is believed anew: whoever has something to tell may tell it now.
    pub(crate) async fn believed_again(&self) {
        self.shards.up.notified().await;
    }

    /// Since when an ending waits that Redis refuses to take.
    pub(crate) fn lacks_since(&self) -> Option<Timestamp> {
        self.aside.lacks_since()
    }

    /// Whether Redis is there and lacks nothing.
    pub fn is_believed(&self) -> bool {
        self.shards.is_believed()
    }

    /// Whether whoever has this user is believed, and about their slot.
    pub(crate) fn is_believed_of(&self, user_id: u64) -> bool {
        self.shards.is_believed_of(self.key(user_id).as_bytes())
    }

    /// Which server of a cluster has a key; nothing where there is one for all, or nobody has it.
    pub(crate) fn shard(&self, key: &str) -> String {
        self.shards.of(key.as_bytes()).map(|lines| lines.name().to_owned()).unwrap_or_default()
    }

    /// Whether every user is somebody's.
    pub(crate) fn is_whole(&self) -> bool {
        self.shards.is_whole()
    }

    /// On how many tokens verdicts are kept, if any are.
    pub(crate) fn keeps(&self) -> Option<usize> {
        self.shards.keeps()
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
        let (lines, line) = self.line_to(&self.key(user_id))?;
        let told = command.query_async(&mut line.tell.clone()).await;
        self.heard(&lines, &line, told)
    }

    /// When each live session of a user was last seen.
    pub async fn last_seen(&self, user_id: u64) -> RedisResult<HashMap<String, Timestamp>> {
        let mut command = redis::cmd("AUTH.SESSION");
        command.arg("LIST").arg(self.key(user_id));
        let (lines, line) = self.line_to(&self.key(user_id))?;
        let answer = command.query_async(&mut line.ask.clone()).await;
        let sessions: Vec<HashMap<String, Value>> = self.heard(&lines, &line, answer)?;
        sessions.iter().map(seen).collect()
    }

    fn line_to(&self, key: &str) -> RedisResult<(Arc<Lines>, Arc<Line>)> {
        let lines = self.shards.of(key.as_bytes())?;
        let line = lines.any()?;
        Ok((lines, line))
    }

    /// Passes an answer on, and takes to heart what is wrong with the line, and where a slot is.
    pub(super) fn heard<T>(
        &self,
        lines: &Lines,
        line: &Arc<Line>,
        answer: RedisResult<T>,
    ) -> RedisResult<T> {
        let moved = answer.as_ref().err().and_then(RedisError::redirect_node);
        if let Some((_, slot)) = moved {
            self.shards.doubt_slot(slot);
        }
        lines.heard(line, answer)
    }

    /// Asks something that is about no ledger over the same lines, so that whatever is wrong with them
    /// is noticed by everybody. All of it must be where `key` is.
    pub(crate) async fn ask_beside<T: FromRedisValue>(
        &self,
        key: &str,
        question: &Pipeline,
    ) -> RedisResult<T> {
        let lines = self.shards.of(key.as_bytes())?;
        let line = lines.beside()?;
        let answer = question.query_async(&mut line.ask.clone()).await;
        self.heard(&lines, &line, answer)
    }

    /// Whether this is the key of a user's ledger.
    pub(crate) fn is_ours(&self, key: &[u8]) -> bool {
        let id = key.strip_prefix(self.prefix.as_bytes()).and_then(|id| str::from_utf8(id).ok());
        id.is_some_and(|id| id.parse::<u64>().is_ok())
    }

    /// In which slot a user's ledger is; it does not matter where one server has all.
    pub(super) fn slot(&self, user_id: u64) -> u16 {
        self.shards.slot(self.key(user_id).as_bytes())
    }

    /// Since which return of MySQL rows have their numbers.
    pub(super) fn returned(&self) -> u64 {
        self.store.history.sign().unwrap_or(FIRST)
    }

    /// What the keys of all ledgers begin with.
    pub(super) fn key_prefix(&self) -> &str {
        &self.prefix
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

pub(super) fn unexpected(command: &'static str) -> RedisError {
    RedisError::from((
        redis::ErrorKind::UnexpectedReturnType,
        "unexpected reply to",
        command.into(),
    ))
}
