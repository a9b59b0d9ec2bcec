//! Users whose ledgers refuse: they are set aside for a while that grows, so that they hold up nobody
//! else. Where the whole server takes no changes, nobody's rests: it would wait on when it takes them.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::clock::Timestamp;

/// How long a user is left alone whose ledger refuses, at first and at most.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_mins(1);

/// Users whose ledgers refuse.
#[derive(Default)]
pub(crate) struct Aside(Mutex<HashMap<u64, Rest>>);

/// A user who is left alone for a while.
struct Rest {
    until: Instant,
    length: Duration,
    /// The last row that was tried. What is written after it does not rest.
    newest: u64,
    /// When the ending was written that their ledger refuses, if it is one.
    lacks_since: Option<Timestamp>,
}

impl Aside {
    /// Since when an ending waits that Redis does not take.
    pub(crate) fn lacks_since(&self) -> Option<Timestamp> {
        self.resting().values().filter_map(|aside| aside.lacks_since).min()
    }

    /// Whether this row of a user has been tried lately, in vain.
    pub(super) fn rests(&self, row: u64, user_id: u64) -> bool {
        let now = Instant::now();
        self.resting().get(&user_id).is_some_and(|aside| now < aside.until && row <= aside.newest)
    }

    /// Whether an ending waits that Redis does not take.
    pub(in crate::ledger) fn lacks_any(&self) -> bool {
        self.lacks_since().is_some()
    }

    pub(super) fn set_aside(&self, user_id: u64, refused: Refused) {
        let Refused { newest, lacks_since, is_own } = refused;
        let mut resting = self.resting();
        let before = resting.get(&user_id).map_or(Duration::ZERO, |it| it.length);
        let length =
            if is_own { (before * 2).clamp(FIRST_REST, LONGEST_REST) } else { Duration::ZERO };
        let until = Instant::now() + length;
        resting.insert(user_id, Rest { until, length, newest, lacks_since });
    }

    pub(super) fn keep_aside(&self, waiting: &HashSet<u64>) {
        self.resting().retain(|user_id, _| waiting.contains(user_id));
    }

    /// What was refused is not in MySQL any more.
    pub(in crate::ledger) fn forget(&self) {
        self.resting().clear();
    }

    fn resting(&self) -> MutexGuard<'_, HashMap<u64, Rest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What Redis refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Whether it is an ending, which is worse.
    pub(super) is_ending: bool,
    /// Whether it is the user's own ledger that refuses, and not the whole server.
    pub(super) is_own: bool,
}

/// What one attempt at a user's rows came to, if Redis refused any.
#[derive(Clone, Copy, Default)]
pub(super) struct Refused {
    newest: u64,
    /// When the oldest ending among them was written.
    lacks_since: Option<Timestamp>,
    /// Whether it is this user's own ledger that refuses.
    is_own: bool,
}

impl Refused {
    pub(super) fn add(&mut self, row: u64, written_at: Timestamp, refusal: Refusal) {
        let Refusal { is_ending, is_own } = refusal;
        self.newest = self.newest.max(row);
        self.is_own |= is_own;
        let since = is_ending.then_some(written_at);
        self.lacks_since = self.lacks_since.into_iter().chain(since).min();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Refusal = Refusal { is_ending: false, is_own: true };

    #[test]
    fn what_the_whole_server_refuses_does_not_rest_and_is_lacked_all_the_same() {
        let (aside, mut refused) = (Aside::default(), Refused::default());
        refused.add(7, Timestamp(3), Refusal { is_ending: true, is_own: false });
        for _ in 0..5 {
            aside.set_aside(1, refused);
            assert!(!aside.rests(7, 1));
        }
        assert_eq!(aside.lacks_since(), Some(Timestamp(3)));
        refused.add(7, Timestamp(3), OWN);
        aside.set_aside(1, refused);
        assert!(aside.rests(7, 1), "now it is the ledger");
    }

    #[test]
    fn f_08_what_is_written_later_does_not_rest_with_what_was_refused() {
        let (aside, mut refused) = (Aside::default(), Refused::default());
        refused.add(7, Timestamp(0), OWN);
        aside.set_aside(1, refused);
        assert!(aside.rests(6, 1) && aside.rests(7, 1));
        assert!(!aside.rests(8, 1), "an ending, say");
        assert!(!aside.rests(7, 2), "somebody else");
    }

    #[test]
    fn f_08_the_oldest_ending_that_was_refused_counts_whatever_else_was() {
        let (aside, mut refused) = (Aside::default(), Refused::default());
        for (id, created_at, is_ending) in
            [(5, 1, false), (6, 20, true), (7, 10, true), (8, 30, false)]
        {
            refused.add(id, Timestamp(created_at), Refusal { is_ending, ..OWN });
        }
        aside.set_aside(1, refused);
        assert_eq!(aside.lacks_since(), Some(Timestamp(10)));
    }
}
