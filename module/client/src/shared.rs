//! What a watch and its thread share beside what is known of tokens: options, counters, and what the
//! thread is doing.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use crate::answers::{State, Stats, Why};
use crate::clock::Moment;
use crate::hit::Knowledge;
use crate::lease::Lease;
use crate::options::Options;
use crate::question::Fingerprints;

pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) knowledge: Knowledge,
    pub(crate) fingerprints: Fingerprints,
    pub(crate) counters: Counters,
    /// How many questions have no outcome yet.
    pub(crate) open: AtomicUsize,
    /// Whoever is watched; those of a cluster come and go.
    posts: Mutex<Vec<Arc<Post>>>,
    /// What the watch as a whole is doing, while nobody is watched.
    idle: Mutex<State>,
    /// Somebody heard that a slot is elsewhere.
    pub(crate) moved: Notify,
}

/// One server that is watched, and what its line is doing.
pub(crate) struct Post {
    pub(crate) kind: Kind,
    /// What the log calls it.
    name: String,
    /// Of one that shares the slots with others; the watch's own if there is none.
    pub(crate) lease: Option<Arc<Lease>>,
    /// The ledger that beats ask about, which is nobody's.
    beat: Mutex<Arc<str>>,
    phase: Mutex<Phase>,
}

/// What a server has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any that has all ledgers.
    Any,
    /// The primary that sentinels name.
    Primary,
    /// A node of a cluster that the caller knows.
    Node,
    /// A primary of a cluster that the watch keeps track of.
    Shard,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) asked: Counter,
    pub(crate) beats: Counter,
    pub(crate) unavailable: Counter,
    pub(crate) changes: Counter,
    pub(crate) connections: Counter,
}

#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the thread is doing; whether a lease stands is a matter of time, and looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Away,
    Joining,
    Joined,
    Doubtful(Why),
}

impl Shared {
    pub(crate) fn new(options: Options, is_by_slot: bool) -> Self {
        let lease = Lease::new(options.lease);
        Self {
            knowledge: Knowledge::new(lease, options.most_tokens, is_by_slot),
            options,
            fingerprints: Fingerprints::new(),
            counters: Counters::default(),
            open: AtomicUsize::new(0),
            posts: Mutex::default(),
            idle: Mutex::new(State::Away),
            moved: Notify::new(),
        }
    }

    /// The lease of a server that is watched.
    pub(crate) fn lease<'a>(&'a self, post: &'a Post) -> &'a Lease {
        post.lease.as_deref().unwrap_or(&self.knowledge.lease)
    }

    /// These are watched from here on. While nobody is, this is what is told.
    pub(crate) fn post(&self, posts: Vec<Arc<Post>>, idle: State) {
        *self.posts.lock().unwrap_or_else(PoisonError::into_inner) = posts;
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = idle;
    }

    /// That of the one that is worst off; of several that are watched, until all are.
    pub(crate) fn state(&self) -> State {
        let posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let states = posts.iter().map(|post| post.state(self.lease(post)));
        let worst = states.reduce(|one, other| match (&one, &other) {
            (State::Watching { until }, State::Watching { until: sooner }) if sooner < until => {
                other
            }
            _ if rank(&other) > rank(&one) => other,
            _ => one,
        });
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_whole = || self.knowledge.map.as_ref().is_none_or(|map| map.load().is_whole());
        match worst {
            Some(State::Watching { .. }) if !is_whole() => State::Doubtful(Why::Cluster),
            Some(worst) => worst,
            None => idle(),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let map = self.knowledge.map.as_ref().map(ArcSwap::load_full);
        let eras = map.iter().flat_map(|map| map.leases()).map(|lease| lease.era.past());
        Stats {
            hits: self.knowledge.hits(),
            asked: self.counters.asked.get(),
            beats: self.counters.beats.get(),
            unavailable: self.counters.unavailable.get(),
            changes: self.counters.changes.get(),
            eras: eras.fold(self.knowledge.lease.era.present(), u64::saturating_add),
            connections: self.counters.connections.get(),
            tokens: self.knowledge.tokens.len(),
        }
    }
}

impl Kind {
    /// Whether others share the slots with it.
    pub(crate) const fn is_node(self) -> bool {
        matches!(self, Self::Node | Self::Shard)
    }
}

/// The greater, the worse.
const fn rank(state: &State) -> u8 {
    match state {
        State::Watching { .. } => 0,
        State::Lapsed => 1,
        State::Joining => 2,
        State::Away => 3,
        State::Doubtful(_) => 4,
    }
}

impl Post {
    pub(crate) fn new(kind: Kind, name: String, lease: Option<Arc<Lease>>, beat: &str) -> Self {
        let (beat, phase) = (Mutex::new(beat.into()), Mutex::new(Phase::Away));
        Self { kind, name, lease, beat, phase }
    }

    /// The line does something else from now on, which is told to whoever reads the log.
    pub(crate) fn enter(&self, phase: Phase) {
        let mut present = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if *present == phase {
            return;
        }
        let server = &self.name;
        match &phase {
            Phase::Away => tracing::warn!(server, "the connection to Redis is lost"),
            Phase::Joining => tracing::debug!(server, "there is a connection to Redis"),
            Phase::Joined => tracing::info!(server, "watching"),
            Phase::Doubtful(why) => tracing::warn!(server, %why, "Redis cannot be relied on"),
        }
        *present = phase;
    }

    pub(crate) fn beat(&self) -> Arc<str> {
        Arc::clone(&self.beat.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Beats ask about another ledger from here on.
    pub(crate) fn beat_at(&self, key: &str) {
        *self.beat.lock().unwrap_or_else(PoisonError::into_inner) = key.into();
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn state(&self, lease: &Lease) -> State {
        match self.phase() {
            Phase::Away => State::Away,
            Phase::Joining => State::Joining,
            Phase::Doubtful(why) => State::Doubtful(why),
            Phase::Joined => {
                // In this order, so that it rather says too little than too much.
                let (here, now) = (Instant::now(), Moment::now());
                let until = lease.until();
                if now < until {
                    State::Watching { until: here + until.since(now) }
                } else {
                    State::Lapsed
                }
            }
        }
    }
}
