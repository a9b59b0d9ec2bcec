//! The way to Redis, and whether what it says may be believed.
//!
//! A line is two connections to one life of one server, named by its run id: one for questions, one
//! for changes. Belief belongs to a line and ends with it. A connection cannot wander to another
//! process, so a server that was killed, replaced or restored is always met on a new line, and a
//! new line is not believed until `watch.rs` has seen on it that
//!
//!     the server is a primary,
//!     the module says that somebody confirmed this life (a start, a lost link, a promotion and a
//!     FLUSHALL each end that), and
//!     the sentinel names this run id: it was written here, after all that this life may have
//!     missed was told again.
//!
//! Whatever goes wrong on a line ends it. No request opens one: while there is none, Redis is not
//! asked, which is the circuit breaker. Of a user whose changes are still on their way, Redis is
//! not believed either. What is believed is decided in `belief.rs`; here are the connections.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult};
use tokio::sync::Notify;

use crate::base::log_targets as log;
use crate::ledger::module_lack::Lack;
use crate::ledger::sentinel::{Sight, sight};
use crate::settings::Stores;

use super::belief::{Belief, Delivery, Doubt, LineId};
use super::kept::Kept;
use super::redis_fault::{breaks_line, unavailable};

/// Connections to one life of Redis.
pub(crate) struct Line {
    /// For questions.
    pub(crate) ask: MultiplexedConnection,
    /// For changes, which may have to wait for replicas.
    pub(crate) tell: MultiplexedConnection,
    /// Which life it is.
    run_id: String,
    /// What this instance calls it.
    id: LineId,
}

/// What can be said of Redis in two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It is there and lacks nothing.
    Believed,
    /// It is there, and nobody has seen yet that it lacks nothing.
    NotConfirmed,
    /// It cannot be asked.
    Unreachable,
    /// It has no module that this service could use.
    NoModule,
}

/// The current line, if any, and what is known about it.
pub(crate) struct Lines {
    client: Client,
    deadline: Duration,
    sentinel: String,
    /// What is kept of what was asked, and forgotten when belief says so.
    pub(crate) kept: Kept,
    state: RwLock<State>,
    /// Rung when a line has ended or is not believed any more.
    pub(crate) trouble: Notify,
    /// Rung when a line is believed, for whoever has something to tell.
    pub(crate) up: Notify,
}

#[derive(Default)]
struct State {
    line: Option<Arc<Line>>,
    belief: Belief,
    /// Which life of its ledgers was believed when the line was last looked at.
    life: Option<i64>,
    /// What is wrong with the module at the end of the line: ledgers cannot be spoken of there.
    lack: Option<Lack>,
}

impl Lines {
    pub(crate) fn new(url: &str, sentinel: String, stores: &Stores) -> RedisResult<Self> {
        let (trouble, up) = (Notify::new(), Notify::new());
        let (client, state) = (Client::open(url)?, RwLock::default());
        let (deadline, kept) = (stores.redis_deadline, Kept::at(url, stores));
        Ok(Self { client, deadline, sentinel, kept, state, trouble, up })
    }

    /// The line, believed or not, if there are ledgers at its end.
    pub(crate) fn any(&self) -> RedisResult<Arc<Line>> {
        let lack = self.read().lack;
        lack.map_or_else(|| self.beside(), |lack| Err(unavailable(lack.told())))
    }

    /// The line, for what is about no ledger.
    pub(crate) fn beside(&self) -> RedisResult<Arc<Line>> {
        self.read().line.clone().ok_or_else(|| unavailable("no connection to Redis"))
    }

    /// Takes to heart what was seen of the module, which may also be loaded while a server runs.
    pub(crate) fn note(&self, lack: Option<Lack>) -> RedisResult<()> {
        self.write().lack = lack;
        lack.map_or(Ok(()), |lack| Err(unavailable(lack.told())))
    }

    /// The line, if what it says about this user may be believed, and which life of the ledgers that
    /// is about.
    pub(crate) fn believed_about(&self, user_id: u64) -> RedisResult<(Arc<Line>, Option<i64>)> {
        let state = self.read();
        state.belief.about(user_id).map_err(|doubt| match doubt {
            Doubt::Line => unavailable("Redis is not trusted"),
            Doubt::Behind => unavailable("the ledger is behind"),
        })?;
        let line = state.line.clone().ok_or_else(|| unavailable("no connection to Redis"))?;
        Ok((line, state.life))
    }

    pub(crate) fn is_believed(&self) -> bool {
        self.read().belief.is_believed()
    }

    /// What can be said of Redis now.
    pub(crate) fn condition(&self) -> Condition {
        let state = self.read();
        match (&state.line, state.lack) {
            (None, _) => Condition::Unreachable,
            (Some(_), Some(_)) => Condition::NoModule,
            (Some(_), _) if state.belief.is_believed() => Condition::Believed,
            (Some(_), _) => Condition::NotConfirmed,
        }
    }

    /// Believes the line, should it still be the current one, about this life of its ledgers.
    pub(crate) fn believe(&self, line: &Arc<Line>, ledgers: Option<i64>) {
        let mut state = self.write();
        if !state.belief.is_believed() {
            // What was kept may be from before all that had been missed was told.
            self.kept.forget_all();
        }
        let is_news = state.belief.believe(line.id);
        if state.belief.line() == Some(line.id) {
            state.life = ledgers;
        }
        drop(state);
        if is_news {
            self.up.notify_one();
            tracing::info!(
                target: log::LINE,
                run_id = line.run_id,
                "Redis is up to date and trusted"
            );
        }
    }

    /// Stops believing without ending the line.
    pub(crate) fn doubt(&self) {
        if self.write().belief.doubt() {
            tracing::warn!(target: log::LINE, "Redis is no longer trusted; MySQL answers");
            self.trouble.notify_one();
        }
    }

    /// Passes an answer on, and ends the line if the answer says that something is wrong with it.
    pub(crate) fn heard<T>(&self, line: &Arc<Line>, answer: RedisResult<T>) -> RedisResult<T> {
        match &answer {
            Err(cause) if cause.code() == Some("NOTREADY") => self.doubt(),
            Err(cause) if breaks_line(cause) => self.end(line, cause),
            Ok(_) | Err(_) => {}
        }
        answer
    }

    fn end(&self, line: &Arc<Line>, cause: &RedisError) {
        let mut state = self.write();
        if state.belief.end_line(line.id) {
            tracing::warn!(
                target: log::LINE,
                run_id = line.run_id,
                %cause,
                "the connection to Redis was lost; MySQL answers"
            );
            state.line = None;
            state.lack = None;
            self.trouble.notify_one();
        }
    }

    /// Makes the current line, or a new one that is not believed yet.
    pub(crate) async fn connect(&self) -> RedisResult<Arc<Line>> {
        if let Ok(line) = self.beside() {
            return Ok(line);
        }
        let (ask, tell, sight) = self.open_both().await?;
        let mut state = self.write();
        state.lack = sight.lack;
        let id = state.belief.begin_line();
        let line = Arc::new(Line { ask, tell, run_id: sight.run_id, id });
        state.line = Some(line.clone());
        Ok(line)
    }

    /// Two connections to the same life of one server.
    async fn open_both(
        &self,
    ) -> RedisResult<(MultiplexedConnection, MultiplexedConnection, Sight)> {
        let mut ask = self.open(self.deadline).await?;
        let mut tell = self.open(self.deadline).await?;
        let (asked, told) = (self.look(&mut ask).await?, self.look(&mut tell).await?);
        if asked.run_id != told.run_id {
            return Err(unavailable("the two connections reached different servers"));
        }
        Ok((ask, tell, told))
    }

    /// A connection of one's own, to wherever Redis is now.
    pub(crate) async fn open(&self, deadline: Duration) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.deadline))
            .set_response_timeout(Some(deadline));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// The key of the sentinel.
    pub(crate) fn sentinel(&self) -> &str {
        &self.sentinel
    }

    /// What the server at the other end says of itself.
    pub(crate) async fn look(&self, redis: &mut MultiplexedConnection) -> RedisResult<Sight> {
        sight(redis, &self.sentinel).await
    }

    /// Says a word on the connection for changes. A server with `timeout` closes one on which nothing
    /// is said, and the next change would be the first to notice.
    pub(crate) async fn keep(&self, line: &Line) -> RedisResult<()> {
        redis::cmd("GET").arg(&self.sentinel).exec_async(&mut line.tell.clone()).await
    }

    /// A delivery begins; until it has succeeded Redis is not believed about this user.
    pub(crate) fn begin_delivery(&self, user_id: u64) -> Delivery {
        self.write().belief.begin_delivery(user_id)
    }

    /// The same for a change that goes by itself, if nothing else may wait.
    pub(crate) fn begin_delivery_of_own(&self, user_id: u64) -> (Delivery, bool) {
        let belief = &mut self.write().belief;
        let may_go_alone = !belief.is_behind(user_id);
        (belief.begin_delivery(user_id), may_go_alone)
    }

    /// Redis is not believed about these users until a delivery has succeeded.
    pub(crate) fn doubt_about(&self, users: &[u64]) {
        self.write().belief.doubt_about(users);
    }

    /// Whether this instance knows for whom something waits that it has answered for.
    pub(crate) fn knows_all_who_wait(&self) -> bool {
        self.read().belief.knows_all_who_wait()
    }

    /// Redis is not believed about anybody for whom something waited when this was asked.
    pub(crate) fn note_all_who_wait(&self) {
        self.write().belief.note_all_who_wait();
    }

    /// Redis has confirmed everything, unless a later delivery is on its way.
    pub(crate) fn delivered(&self, user_id: u64, delivery: Delivery) {
        // First: a change that was answered here is not answered from before it.
        self.kept.forget(user_id);
        self.write().belief.delivered(user_id, delivery);
    }

    /// Users whose ledger may lack something.
    pub(crate) fn behind(&self) -> Vec<u64> {
        self.read().belief.behind()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Which life of Redis it leads to.
    pub(crate) fn run_id(&self) -> &str {
        &self.run_id
    }
}
