//! Which row of the outbox was the newest some while ago: numbers that were taken by then have become
//! rows.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// From taking a number to writing the row: moments within one statement.
const SETTLED_AFTER: Duration = Duration::from_secs(10);
/// What the newest row was at some instants, the oldest first.
#[derive(Default)]
pub(crate) struct Settled(Mutex<VecDeque<(Instant, u64)>>);

impl Settled {
    /// Numbers are given anew.
    pub(in crate::ledger) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Notes the newest row; the newest that is settled by now.
    pub(super) fn newest(&self, newest: u64, now: Instant) -> Option<u64> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push_back((now, newest));
        let is_settled = |at: Instant| now.duration_since(at) >= SETTLED_AFTER;
        while seen.get(1).is_some_and(|(at, _)| is_settled(*at)) {
            seen.pop_front();
        }
        seen.front().filter(|(at, _)| is_settled(*at)).map(|(_, newest)| *newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_settled_when_it_was_the_newest_long_enough_ago() {
        let settled = Settled::default();
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        assert_eq!(settled.newest(5, at(0)), None);
        assert_eq!(settled.newest(6, at(5)), None);
        assert_eq!(settled.newest(9, at(10)), Some(5));
        assert_eq!(settled.newest(9, at(14)), Some(5));
        assert_eq!(settled.newest(9, at(16)), Some(6));
        assert_eq!(settled.newest(20, at(60)), Some(9));
    }
}
