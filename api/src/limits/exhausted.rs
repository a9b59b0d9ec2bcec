//! Who has used a limit up. Known here without asking Redis, so that whoever goes on all the same
//! costs nobody anything: no question, no key, and no more than a few looks into MySQL at a time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::base::clock::{Clock, Timestamp};

/// How many are kept at most. Whoever finds no room is counted in Redis as before.
const MOST: usize = 20_000;
/// How many tokens are looked up at the same time for those who have sent too many unknown ones.
const TURNS: usize = 2;

/// Limits that are used up, by the name of their count.
pub(super) struct Exhausted {
    until: Mutex<HashMap<String, Timestamp>>,
    turns: Semaphore,
    clock: Clock,
}

impl Exhausted {
    pub(super) fn new(clock: Clock) -> Self {
        Self { until: Mutex::default(), turns: Semaphore::new(TURNS), clock }
    }

    /// How much longer a limit is used up.
    pub(super) fn rest(&self, key: &str) -> Option<Duration> {
        let until = self.until().get(key).copied();
        let now = self.clock.now();
        until.filter(|until| *until > now).map(|until| until.since(now))
    }

    /// It is used up for so long.
    pub(super) fn note(&self, key: String, rest: Duration) {
        let now = self.clock.now();
        let mut until = self.until();
        if until.len() >= MOST {
            until.retain(|_, until| *until > now);
        }
        if until.len() < MOST {
            until.insert(key, now.plus(rest));
        }
    }

    /// Waits for one of the few turns that all of them share.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    fn until(&self) -> MutexGuard<'_, HashMap<String, Timestamp>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_17_what_is_used_up_is_known_until_its_window_ends_and_there_is_room_for_so_many() {
        let clock = Clock::manual(Timestamp(1_800_000_000_000));
        let exhausted = Exhausted::new(clock.clone());
        for key in 0..MOST + 10 {
            exhausted.note(key.to_string(), Duration::from_mins(15));
        }
        assert_eq!(exhausted.until().len(), MOST);
        assert_eq!(exhausted.rest("7"), Some(Duration::from_mins(15)));
        clock.advance(Duration::from_mins(15));
        assert_eq!(exhausted.rest("7"), None);
        exhausted.note("one more".to_owned(), Duration::from_mins(1));
        assert_eq!(exhausted.until().len(), 1);
    }
}
