//! The way to one server, and whether what it says may be believed.
//!
//! A line is two connections to one life of one server, named by its run id: one for questions, one
//! for changes. Belief belongs to a line and ends with it. A connection cannot wander to another
//! process, so a server that was killed, replaced or restored is always met on a new line, and a
//! new line is not believed until `watch.rs` has seen on it that
//!
//!     the server is a primary,
//!     the module says that somebody confirmed this life (a start, a lost link, a promotion and a
//!     FLUSHALL each end that), and
//!     MySQL names this life as the one that was brought up to date, and the sentinel the run id.
//!
//! Whatever goes wrong on a line ends it. No request opens one: while there is none, Redis is not
//! asked, which is the circuit breaker. What is believed is decided in `belief.rs`, and which server
//! has which users in `shards.rs`; here are the connections to one of them.

mod claims;
mod connecting;
mod ground;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use portcullis_client::Options;
use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult};
use tokio::sync::Notify;

use crate::base::log_targets as log;
use crate::ledger::module_lack::Lack;

use super::belief::{Behind, Belief, Doubt, LineId};
use super::ended_until::Heard;
use super::kept::{self, Kept};
use super::redis_fault::{breaks_line, unavailable};
use super::way::{Place, Way};
use crate::settings::{Host, Stores};
use ground::Ground;

/// Connections to one life of Redis.
pub(crate) struct Line {
    /// For questions.
    pub(crate) ask: MultiplexedConnection,
    /// For changes, which may have to wait for replicas.
    pub(crate) tell: MultiplexedConnection,
    /// How to get to where it leads.
    place: Place,
    /// Which life it is.
    run_id: Arc<str>,
    /// Up to which instant it has heard that everybody's sessions have ended.
    pub(super) heard_of_everybody: Heard,
    /// What this instance calls it.
    id: LineId,
}

/// How every server is spoken to.
#[derive(Clone)]
pub(crate) struct Manner {
    /// What the keys of ledgers begin with.
    prefix: String,
    deadline: Duration,
    kept: Option<Options>,
    /// Rung when a line is believed.
    up: Arc<Notify>,
}

impl Manner {
    /// As the settings say.
    pub(crate) fn new(stores: &Stores, up: Arc<Notify>) -> Self {
        let (prefix, deadline) = (stores.ledger_key_prefix.clone(), stores.redis_deadline);
        Self { prefix, deadline, kept: kept::options(stores), up }
    }
}

/// What can be said of Redis in two words, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Condition {
    /// It is there and lacks nothing.
    Believed,
    /// It is there, and nobody has seen yet that it lacks nothing.
    NotConfirmed,
    /// It has no module that this service could use.
    NoModule,
    /// It cannot be asked.
    Unreachable,
}

/// The current line to one server, if any, and what is known about it.
pub(crate) struct Lines {
    way: Way,
    /// What the server is called in its cluster; nothing if it is in none.
    name: Option<String>,
    deadline: Duration,
    /// What follows the tag in the name of the sentinel.
    prefix: String,
    /// What is kept of what was asked, and forgotten when belief says so.
    pub(crate) kept: Kept,
    state: RwLock<State>,
    /// Rung when a line has ended or is not believed any more, or should be looked at.
    pub(crate) trouble: Notify,
    /// Rung when a line is believed, for whoever has something to tell.
    up: Arc<Notify>,
}

#[derive(Default)]
struct State {
    line: Option<Arc<Line>>,
    belief: Belief,
    /// Which life of its ledgers was believed when the line was last looked at.
    life: Option<i64>,
    /// What is wrong with the module at the end of the line: ledgers cannot be spoken of there.
    lack: Option<Lack>,
    ground: Ground,
}

impl Lines {
    /// To the one server that there is, or to the primary that others name.
    pub(crate) fn to_one(way: Way, manner: Manner) -> Self {
        let state = State { ground: Ground::all(), ..State::default() };
        Self::new(way, None, manner, state)
    }

    /// To a node of a cluster.
    pub(crate) fn to_node(way: Way, name: &str, manner: Manner) -> Self {
        Self::new(way, Some(name.to_owned()), manner, State::default())
    }

    fn new(way: Way, name: Option<String>, manner: Manner, state: State) -> Self {
        let Manner { prefix, deadline, kept, up } = manner;
        let (kept, state, trouble) = (Kept::new(kept), RwLock::new(state), Notify::new());
        Self { way, name, deadline, prefix, kept, state, trouble, up }
    }

    /// What the server is called in its cluster.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// Whether it shares its users with others.
    pub(crate) fn is_of_a_cluster(&self) -> bool {
        self.name.is_some()
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

    /// The line, if what it says about this user, whose ledger is in this slot, may be believed, and
    /// which life of the ledgers that is about.
    pub(crate) fn believed_about(
        &self,
        user_id: u64,
        slot: u16,
        behind: &Behind,
    ) -> RedisResult<(Arc<Line>, Option<i64>)> {
        let state = self.read();
        state.belief.about(user_id, behind).map_err(|doubt| match doubt {
            Doubt::Line => unavailable("Redis is not trusted"),
            Doubt::Behind => unavailable("the ledger is behind"),
        })?;
        if !state.ground.is_firm(slot) {
            return Err(unavailable("the slot is on the move"));
        }
        let line = state.line.clone().ok_or_else(|| unavailable("no connection to Redis"))?;
        Ok((line, state.life))
    }

    /// Whether it is believed about all that it has.
    pub(crate) fn is_believed(&self) -> bool {
        let state = self.read();
        state.belief.is_believed() && state.ground.is_all_firm()
    }

    /// Whether it is believed about what is in this slot.
    pub(crate) fn is_believed_of(&self, slot: u16) -> bool {
        let state = self.read();
        state.belief.is_believed() && state.ground.is_firm(slot)
    }

    /// Whether it is believed about what stays where it is.
    pub(crate) fn is_line_believed(&self) -> bool {
        self.read().belief.is_believed()
    }

    /// What can be said of Redis now.
    pub(crate) fn condition(&self) -> Condition {
        let state = self.read();
        match (&state.line, state.lack) {
            (None, _) => Condition::Unreachable,
            (Some(_), Some(_)) => Condition::NoModule,
            // Of slots that move MySQL knows enough.
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
                run_id = %line.run_id(),
                shard = self.name,
                "Redis is up to date and trusted"
            );
        }
    }

    /// Stops believing without ending the line.
    pub(crate) fn doubt(&self) {
        if self.write().belief.doubt() {
            tracing::warn!(
                target: log::LINE,
                shard = self.name,
                "Redis is no longer trusted; MySQL answers"
            );
            self.trouble.notify_one();
        }
    }

    /// Passes an answer on, and ends the line if the answer says that something is wrong with it.
    pub(crate) fn heard<T>(&self, line: &Arc<Line>, answer: RedisResult<T>) -> RedisResult<T> {
        match &answer {
            Err(cause) if cause.code() == Some("NOTREADY") => self.doubt(),
            Err(cause) if cause.redirect_node().is_some() => {}
            Err(cause) if breaks_line(cause) => self.end(line, cause),
            Ok(_) | Err(_) => {}
        }
        answer
    }

    fn end(&self, line: &Arc<Line>, cause: &RedisError) {
        if self.leave(line) {
            tracing::warn!(
                target: log::LINE,
                run_id = %line.run_id(),
                shard = self.name,
                %cause,
                "the connection to Redis was lost; MySQL answers"
            );
            self.trouble.notify_one();
        }
    }

    /// Ends a line that leads to the wrong place; whether it was the current one.
    pub(crate) fn leave(&self, line: &Line) -> bool {
        let mut state = self.write();
        let is_current = state.belief.end_line(line.id);
        if is_current {
            state.line = None;
            state.lack = None;
        }
        is_current
    }

    /// Whether it listens at `host:port`.
    pub(crate) fn listens_at(&self, address: &str) -> bool {
        self.way.node().is_some_and(|Host { name, port }| format!("{name}:{port}") == address)
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
    pub(crate) fn run_id(&self) -> &Arc<str> {
        &self.run_id
    }
}
