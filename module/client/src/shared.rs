//! What a watch and its thread share beside what is known of tokens: options, counters, and what the
//! thread is doing.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::answers::{State, Stats, Why};
use crate::clock::Moment;
use crate::hit::Knowledge;
use crate::lease::Lease;
use crate::options::Options;
use crate::question::Fingerprints;

pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) knowledge: Knowledge,
    /// Of a node of a cluster: whom beats ask about there.
    pub(crate) node: Option<Box<str>>,
    pub(crate) fingerprints: Fingerprints,
    pub(crate) counters: Counters,
    /// How many questions have no outcome yet.
    pub(crate) open: AtomicUsize,
    phase: Mutex<Phase>,
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
    pub(crate) fn new(options: Options, node: Option<Box<str>>) -> Self {
        Self {
            knowledge: Knowledge::new(Lease::new(options.lease), options.most_tokens),
            options,
            node,
            fingerprints: Fingerprints::new(),
            counters: Counters::default(),
            open: AtomicUsize::new(0),
            phase: Mutex::new(Phase::Away),
        }
    }

    /// The thread does something else from now on, which is told to whoever reads the log.
    pub(crate) fn enter(&self, phase: Phase) {
        let mut present = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if *present == phase {
            return;
        }
        match &phase {
            Phase::Away => tracing::warn!("the connection to Redis is lost"),
            Phase::Joining => tracing::debug!("there is a connection to Redis"),
            Phase::Joined => tracing::info!("watching"),
            Phase::Doubtful(why) => tracing::warn!(%why, "Redis cannot be relied on"),
        }
        *present = phase;
    }

    /// The ledger that beats ask about, which is nobody's.
    pub(crate) fn beat_key(&self) -> String {
        [&self.options.prefix, self.node.as_deref().unwrap_or("0")].concat()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn state(&self) -> State {
        match self.phase() {
            Phase::Away => State::Away,
            Phase::Joining => State::Joining,
            Phase::Doubtful(why) => State::Doubtful(why),
            Phase::Joined => {
                // In this order, so that it rather says too little than too much.
                let (here, now) = (Instant::now(), Moment::now());
                let until = self.knowledge.lease.until();
                if now < until {
                    State::Watching { until: here + until.since(now) }
                } else {
                    State::Lapsed
                }
            }
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            hits: self.knowledge.hits(),
            asked: self.counters.asked.get(),
            beats: self.counters.beats.get(),
            unavailable: self.counters.unavailable.get(),
            changes: self.counters.changes.get(),
            eras: self.knowledge.lease.era.present(),
            connections: self.counters.connections.get(),
            tokens: self.knowledge.tokens.len(),
        }
    }
}
