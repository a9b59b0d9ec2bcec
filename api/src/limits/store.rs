//! Where the counts are kept: in Redis, and in this process while Redis is away.
//!
//! Every key ends by itself. After a failure Redis is left alone for a moment, so that its outage
//! costs one deadline and not one for each request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisResult};
use secrecy::ExposeSecret as _;

use crate::base::clock::{Clock, Timestamp};
use crate::base::log_targets as log;
use crate::settings::Stores;

/// Not below any ledger's prefix.
const PREFIX: &str = "portcullis:limit:";
/// How long Redis is left alone after a failure.
const REST: Duration = Duration::from_secs(1);
/// How many counts this process keeps at most while Redis is away.
const MOST: usize = 100_000;

/// A count and when it starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) count: u32,
    pub(super) resets_in: Duration,
}

pub(super) struct Counts {
    redis: ConnectionManager,
    rests_until: AtomicU64,
    local: Mutex<HashMap<String, Entry>>,
    clock: Clock,
}

struct Entry {
    count: u32,
    ends: Timestamp,
}

impl Counts {
    pub(super) fn new(stores: &Stores, clock: Clock) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(stores.redis_deadline))
            .set_response_timeout(Some(stores.redis_deadline));
        let client = Client::open(stores.redis_url().expose_secret())?;
        Ok(Self {
            redis: ConnectionManager::new_lazy_with_config(client, config)?,
            rests_until: AtomicU64::new(0),
            local: Mutex::new(HashMap::new()),
            clock,
        })
    }

    /// Counts once more; the first of a window starts it.
    pub(super) async fn add(&self, key: &str, window: Duration) -> Counted {
        let name = [PREFIX, key].concat();
        let mut pipeline = redis::pipe();
        pipeline.atomic().cmd("INCR").arg(&name);
        pipeline.cmd("PEXPIRE").arg(&name).arg(milliseconds(window)).arg("NX").ignore();
        pipeline.cmd("PTTL").arg(&name);
        let counted =
            self.ask(async |mut redis| pipeline.query_async::<(u32, u64)>(&mut redis).await).await;
        match counted {
            Some((count, ttl_ms)) => Counted { count, resets_in: Duration::from_millis(ttl_ms) },
            None => self.add_here(key, window),
        }
    }

    /// Takes one count back. Should the window have ended meanwhile, the next count sets it right.
    pub(super) async fn take_back(&self, key: &str) {
        let mut command = redis::cmd("DECR");
        command.arg([PREFIX, key].concat());
        let taken = self.ask(async |mut redis| command.exec_async(&mut redis).await).await;
        if taken.is_none()
            && let Some(entry) = self.here().get_mut(key)
        {
            entry.count = entry.count.saturating_sub(1);
        }
    }

    /// How long each key still has, if it is there.
    pub(super) async fn remaining<const N: usize>(&self, keys: [&str; N]) -> [Option<Duration>; N] {
        let mut pipeline = redis::pipe();
        for key in keys {
            pipeline.cmd("PTTL").arg([PREFIX, key].concat());
        }
        let told =
            self.ask(async |mut redis| pipeline.query_async::<[i64; N]>(&mut redis).await).await;
        let left = match told {
            Some(told) => told.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0))),
            None => keys.map(|key| self.remaining_here(key)),
        };
        left.map(|left| Some(left).filter(|left| !left.is_zero()))
    }

    fn remaining_here(&self, key: &str) -> Duration {
        let here = self.here();
        here.get(key).map(|entry| entry.ends.since(self.clock.now())).unwrap_or_default()
    }

    /// Forgets keys.
    pub(super) async fn forget(&self, keys: &[&str]) {
        let mut command = redis::cmd("DEL");
        for key in keys {
            command.arg([PREFIX, key].concat());
        }
        self.ask(async |mut redis| command.exec_async(&mut redis).await).await;
        let mut here = self.here();
        for key in keys {
            here.remove(*key);
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.here().len()
    }

    fn here(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_here(&self, key: &str, window: Duration) -> Counted {
        let now = self.clock.now();
        let mut here = self.here();
        make_room(&mut here, now);
        let entry = here.entry(key.to_owned()).or_insert(Entry { count: 0, ends: now });
        if entry.ends <= now {
            *entry = Entry { count: 0, ends: now.plus(window) };
        }
        entry.count = entry.count.saturating_add(1);
        Counted { count: entry.count, resets_in: entry.ends.since(now) }
    }

    async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(ConnectionManager) -> RedisResult<T>,
    ) -> Option<T> {
        if self.clock.now().0 < self.rests_until.load(Ordering::Relaxed) {
            return None;
        }
        let answer = question(self.redis.clone()).await;
        answer
            .inspect_err(|cause| {
                tracing::warn!(
                    target: log::LIMIT_STORE,
                    %cause,
                    "Redis is unavailable for rate limits; this instance counts on its own"
                );
                self.rests_until.store(self.clock.now().plus(REST).0, Ordering::Relaxed);
            })
            .ok()
    }
}

/// Drops what has ended; if that is not enough, everything, rather than grow without end.
fn make_room(here: &mut HashMap<String, Entry>, now: Timestamp) {
    if here.len() >= MOST {
        here.retain(|_, entry| entry.ends > now);
    }
    if here.len() >= MOST {
        here.clear();
    }
}

fn milliseconds(window: Duration) -> u64 {
    u64::try_from(window.as_millis()).unwrap_or(u64::MAX)
}
