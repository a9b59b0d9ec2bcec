//! Where the counts are kept: in Redis, and in this process while Redis is away.
//!
//! They go over the same line as everything else that is said to Redis (`ledger/line.rs`): whoever
//! notices first that a server is gone, or is no primary any more, notices it for all, and what comes
//! back is used again at once (F-20). Every key ends by itself: whatever writes one gives it an end
//! in the same step.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::{FromRedisValue, Pipeline};

use super::alone::Alone;
use super::counted::Counted;
use crate::base::clock::Clock;
use crate::base::log_targets as log;
use crate::ledger::ledgers::Ledgers;

/// Not below any ledger's prefix.
const PREFIX: &str = "portcullis:limit:";

pub(super) struct Counts {
    redis: Ledgers,
    alone: Alone,
    /// Of which servers the log knows that this process counts by itself instead.
    told: Mutex<HashSet<String>>,
}

impl Counts {
    pub(super) fn new(redis: Ledgers, clock: Clock) -> Self {
        Self { redis, alone: Alone::new(clock), told: Mutex::default() }
    }

    /// Counts once more; the first of a window starts it.
    pub(super) async fn add(&self, key: &str, window: Duration) -> Counted {
        let name = [PREFIX, key].concat();
        let mut pipeline = redis::pipe();
        pipeline.atomic().cmd("INCR").arg(&name);
        pipeline.cmd("PEXPIRE").arg(&name).arg(milliseconds(window)).arg("NX").ignore();
        pipeline.cmd("PTTL").arg(&name);
        match self.ask(&name, &pipeline).await {
            Some((count, left_ms)) => counted(count, left_ms),
            None => self.alone.add(key, window),
        }
    }

    /// Takes one count back. Should its window have ended meanwhile, there is nothing to take it from.
    pub(super) async fn take_back(&self, key: &str, window: Duration) {
        let name = [PREFIX, key].concat();
        let window = milliseconds(window);
        let mut pipeline = redis::pipe();
        pipeline.atomic().cmd("SET").arg(&name).arg(1).arg("NX").arg("PX").arg(window).ignore();
        pipeline.cmd("DECR").arg(&name).ignore();
        pipeline.cmd("PEXPIRE").arg(&name).arg(window).arg("NX").ignore();
        if self.ask::<()>(&name, &pipeline).await.is_none() {
            self.alone.take_back(key);
        }
    }

    /// What was counted so far, without counting.
    pub(super) async fn standing(&self, key: &str) -> Counted {
        let name = [PREFIX, key].concat();
        let mut pipeline = redis::pipe();
        pipeline.cmd("GET").arg(&name).cmd("PTTL").arg(&name);
        match self.ask::<(Option<i64>, i64)>(&name, &pipeline).await {
            Some((count, left_ms)) => counted(count.unwrap_or(0), left_ms),
            None => self.alone.standing(key),
        }
    }

    /// What this process has counted while Redis was away.
    pub(super) fn counted_alone(&self, key: &str) -> u32 {
        self.alone.standing(key).count
    }

    /// How long each key still has, if it is there. They must be of one account.
    pub(super) async fn remaining<const N: usize>(&self, keys: [&str; N]) -> [Option<Duration>; N] {
        let names = keys.map(|key| [PREFIX, key].concat());
        let Some(one) = names.first() else { return keys.map(|_| None) };
        let mut pipeline = redis::pipe();
        for name in &names {
            pipeline.cmd("PTTL").arg(name);
        }
        let left = match self.ask::<[i64; N]>(one, &pipeline).await {
            Some(left_ms) => left_ms.map(|left_ms| counted(0, left_ms).resets_in),
            None => keys.map(|key| self.alone.standing(key).resets_in),
        };
        left.map(|left| Some(left).filter(|left| !left.is_zero()))
    }

    /// Forgets keys. They must be of one account.
    pub(super) async fn forget(&self, keys: &[&str]) {
        let names: Vec<String> = keys.iter().map(|key| [PREFIX, key].concat()).collect();
        let Some(one) = names.first() else { return };
        self.ask::<()>(one, redis::pipe().cmd("DEL").arg(&names).ignore()).await;
        for key in keys {
            self.alone.forget(key);
        }
    }

    async fn ask<T: FromRedisValue>(&self, key: &str, question: &Pipeline) -> Option<T> {
        let answer = self.redis.ask_beside(key, question).await;
        let shard = self.redis.shard(key);
        let mut alone = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match &answer {
            Ok(_) if alone.remove(&shard) => {
                tracing::info!(
                    target: log::LIMIT_STORE,
                    shard,
                    "rate limits are counted in Redis again"
                );
            }
            Err(cause) if alone.insert(shard.clone()) => tracing::warn!(
                target: log::LIMIT_STORE,
                shard,
                %cause,
                "Redis is unavailable for rate limits; this instance counts on its own"
            ),
            Ok(_) | Err(_) => {}
        }
        answer.ok()
    }
}

/// As Redis tells it. What has ended in this very moment has no time left.
fn counted(count: i64, left_ms: i64) -> Counted {
    Counted {
        count: u32::try_from(count.max(0)).unwrap_or(u32::MAX),
        resets_in: Duration::from_millis(u64::try_from(left_ms).unwrap_or(0)),
        is_shared: true,
    }
}

fn milliseconds(window: Duration) -> u64 {
    u64::try_from(window.as_millis()).unwrap_or(u64::MAX)
}
