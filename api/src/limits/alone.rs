//! The counts of one process by itself, while Redis is away. There are never more than it can hold.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::counted::Counted;
use crate::base::clock::{Clock, Timestamp};

/// How many counts are kept at most.
const MOST: usize = 100_000;

/// What this process counts by itself.
pub(super) struct Alone {
    counts: Mutex<HashMap<String, Entry>>,
    clock: Clock,
}

struct Entry {
    count: u32,
    ends: Timestamp,
}

impl Entry {
    fn counted(&self, now: Timestamp) -> Counted {
        Counted { count: self.count, resets_in: self.ends.since(now), is_shared: false }
    }
}

impl Alone {
    pub(super) fn new(clock: Clock) -> Self {
        Self { counts: Mutex::default(), clock }
    }

    pub(super) fn add(&self, key: &str, window: Duration) -> Counted {
        let now = self.clock.now();
        let mut counts = self.counts();
        make_room(&mut counts, now);
        let entry = counts.entry(key.to_owned()).or_insert(Entry { count: 0, ends: now });
        if entry.ends <= now {
            *entry = Entry { count: 0, ends: now.plus(window) };
        }
        entry.count = entry.count.saturating_add(1);
        entry.counted(now)
    }

    pub(super) fn take_back(&self, key: &str) {
        if let Some(entry) = self.counts().get_mut(key) {
            entry.count = entry.count.saturating_sub(1);
        }
    }

    /// Nothing, if there is no such count or its window has ended.
    pub(super) fn standing(&self, key: &str) -> Counted {
        let now = self.clock.now();
        let counts = self.counts();
        let entry = counts.get(key).filter(|entry| entry.ends > now);
        let nothing = Entry { count: 0, ends: now };
        entry.unwrap_or(&nothing).counted(now)
    }

    pub(super) fn forget(&self, key: &str) {
        self.counts().remove(key);
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.counts().len()
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what has ended; if that is not enough, the half that ends first. What is remembered longest,
/// the failures of accounts, so outlives any number of addresses.
fn make_room(counts: &mut HashMap<String, Entry>, now: Timestamp) {
    if counts.len() < MOST {
        return;
    }
    counts.retain(|_, entry| entry.ends > now);
    if counts.len() >= MOST {
        let mut ends: Vec<Timestamp> = counts.values().map(|entry| entry.ends).collect();
        let (_, middle, _) = ends.select_nth_unstable(MOST / 2);
        let middle = *middle;
        counts.retain(|_, entry| entry.ends > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_17_no_number_of_addresses_makes_a_process_forget_an_account_or_grow() {
        let clock = Clock::manual(Timestamp(1_800_000_000_000));
        let alone = Alone::new(clock.clone());
        alone.add("account", Duration::from_hours(24));
        for address in 0..250_000 {
            alone.add(&address.to_string(), Duration::from_mins(15));
            clock.advance(Duration::from_millis(1));
        }
        assert_eq!(alone.standing("account").count, 1);
        assert!(alone.held() <= MOST, "{}", alone.held());
    }

    #[test]
    fn f_17_those_that_all_end_at_once_make_room_as_well() {
        let alone = Alone::new(Clock::manual(Timestamp(1_800_000_000_000)));
        for address in 0..100_010 {
            alone.add(&address.to_string(), Duration::from_mins(15));
        }
        assert!(alone.held() <= MOST, "{}", alone.held());
    }
}
