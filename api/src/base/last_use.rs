//! When sessions were last used, as far as this instance knows better than MySQL or Redis.
//!
//! A busy session would otherwise cost two writes a request. So each is written down at most once in a
//! while, and what a store has not heard yet is known here until it has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::base::session_id::SessionId;

/// How many sessions are kept at most because Redis has not heard of their use, and how long. Should
/// it call one of the others idle, MySQL is asked.
const MOST_UNHEARD: usize = 10_000;
const UNHEARD_KEPT: Duration = Duration::from_hours(1);

/// What this instance has seen of the sessions lately.
pub(crate) struct Uses {
    interval: Duration,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// When each session was last written down, by its id, and from where it was used then.
    written: HashMap<String, Use>,
    /// What MySQL has not heard yet.
    waiting: HashMap<String, Use>,
    /// What Redis could not hear.
    unheard: HashMap<SessionId, Unheard>,
}

/// A use of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) at: Timestamp,
    /// From where, if that is known: a service that asks about a token does not say.
    pub(crate) from: Option<IpAddr>,
}

/// A use of a user's session that Redis has not heard of.
#[derive(Clone, Copy)]
pub(crate) struct Unheard {
    pub(crate) user_id: u64,
    pub(crate) at: Timestamp,
}

impl Uses {
    /// Each session is written down every `interval` at most.
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, seen: Mutex::default() }
    }

    /// Whether it is time to write down that this session is in use; if so, it counts as written. That
    /// it is used from elsewhere MySQL hears of in any case.
    pub(crate) fn due(&self, session: &str, now: Timestamp, from: Option<IpAddr>) -> bool {
        let mut seen = self.seen();
        let last = seen.written.get(session).copied();
        let written = last.filter(|last| now.since(last.at) < self.interval);
        let has_moved = from.is_some() && last.and_then(|last| last.from) != from;
        if written.is_some() && !has_moved {
            return false;
        }
        let from = from.or(last.and_then(|last| last.from));
        let at = written.map_or(now, |written| written.at);
        seen.written.insert(session.to_owned(), Use { at, from });
        seen.waiting.insert(session.to_owned(), Use { at: now, from });
        written.is_none()
    }

    /// When the session was last used: what MySQL knows, or what it has not heard yet.
    pub(crate) fn last_used(&self, session: &str, last_activity: Timestamp) -> Timestamp {
        let waiting = self.seen().waiting.get(session).copied();
        waiting.map_or(last_activity, |last| last.at.max(last_activity))
    }

    /// From where the session was last used, if MySQL has not heard of it.
    pub(crate) fn last_from(&self, session: &str) -> Option<IpAddr> {
        self.seen().waiting.get(session).and_then(|last| last.from)
    }

    /// What MySQL has not heard. It waits until [`Self::has_heard`].
    pub(crate) fn waiting(&self, now: Timestamp) -> HashMap<String, Use> {
        let mut seen = self.seen();
        seen.written.retain(|_, last| now.since(last.at) < self.interval);
        seen.waiting.clone()
    }

    /// Whether MySQL, which knows of the one use of a session, should hear of the other. What another
    /// instance has written lately does for all of them.
    pub(crate) fn is_news(&self, known: Use, last: Use) -> bool {
        let has_moved = last.from.is_some() && last.from != known.from;
        last.at >= known.at && (has_moved || last.at.since(known.at) >= self.interval)
    }

    /// Somebody else has written the session down at this instant, so that this use is no news. The
    /// next one is when theirs is, whoever sees it first.
    pub(crate) fn others_have_written(&self, session: &str, at: Timestamp, last: Use) {
        self.has_heard(session, last);
        if let Some(written) = self.seen().written.get_mut(session) {
            written.at = written.at.min(at);
        }
    }

    /// MySQL has heard of this use; a later one waits.
    pub(crate) fn has_heard(&self, session: &str, heard: Use) {
        let mut seen = self.seen();
        if seen.waiting.get(session) == Some(&heard) {
            seen.waiting.remove(session);
        }
    }

    /// What Redis could not hear and shall be told again.
    pub(crate) fn unheard(&self, now: Timestamp) -> HashMap<SessionId, Unheard> {
        let mut seen = self.seen();
        seen.unheard.retain(|_, it| now.since(it.at) < UNHEARD_KEPT);
        seen.unheard.clone()
    }

    pub(crate) fn redis_missed(&self, session: &SessionId, missed: Unheard) {
        let mut seen = self.seen();
        let earlier = seen.unheard.get(session).copied();
        if earlier.is_none_or(|it| it.at < missed.at)
            && (earlier.is_some() || seen.unheard.len() < MOST_UNHEARD)
        {
            seen.unheard.insert(session.clone(), missed);
        }
    }

    /// Redis has heard of this use; a later one is told again.
    pub(crate) fn redis_heard(&self, session: &SessionId, at: Timestamp) {
        let mut seen = self.seen();
        if seen.unheard.get(session).is_some_and(|it| it.at <= at) {
            seen.unheard.remove(session);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_session_is_written_once_an_interval() {
        let uses = Uses::new(Duration::from_mins(1));
        assert!(uses.due("s", Timestamp(0), None));
        assert!(!uses.due("s", Timestamp(59_999), None));
        assert!(uses.due("other", Timestamp(59_999), None));
        assert!(uses.due("s", Timestamp(60_000), None));
        assert_eq!(uses.last_used("s", Timestamp(1)), Timestamp(60_000));
        assert_eq!(uses.last_used("s", Timestamp(60_001)), Timestamp(60_001));
    }

    #[test]
    fn what_was_written_long_ago_takes_no_memory() {
        let uses = Uses::new(Duration::from_mins(1));
        uses.due("s", Timestamp(0), None);
        assert_eq!(uses.waiting(Timestamp(60_000)).len(), 1);
        uses.has_heard("s", Use { at: Timestamp(0), from: None });
        assert!(uses.seen().written.is_empty() && uses.seen().waiting.is_empty());
    }

    #[test]
    fn f_06_a_use_is_known_here_until_mysql_has_heard_of_it_and_of_no_earlier_one() {
        let uses = Uses::new(Duration::from_mins(1));
        uses.due("s", Timestamp(5), None);
        let being_written = uses.waiting(Timestamp(5));
        assert_eq!(uses.last_used("s", Timestamp(0)), Timestamp(5));
        uses.due("s", Timestamp(60_005), None);
        uses.has_heard("s", being_written["s"]);
        assert_eq!(uses.last_used("s", Timestamp(5)), Timestamp(60_005));
    }

    #[test]
    fn what_one_instance_has_written_another_does_not_write_again_before_its_time() {
        let (one, other) = (Uses::new(Duration::from_mins(1)), Uses::new(Duration::from_mins(1)));
        let from = "203.0.113.7".parse().ok();
        assert!(one.due("s", Timestamp(0), from) && other.due("s", Timestamp(30_000), from));
        let written = one.waiting(Timestamp(0))["s"];
        let seen = other.waiting(Timestamp(30_000))["s"];
        assert!(!other.is_news(written, seen));
        other.others_have_written("s", written.at, seen);
        assert!(other.waiting(Timestamp(30_000)).is_empty());
        // In step with the one that wrote, so that nothing is missed if that one dies.
        assert!(
            !other.due("s", Timestamp(59_999), from) && other.due("s", Timestamp(60_000), from)
        );
        assert!(other.is_news(written, Use { at: Timestamp(60_000), from }));
        let moved = Use { at: Timestamp(1), from: "2001:db8::1".parse().ok() };
        assert!(other.is_news(written, moved));
        assert!(
            !other.is_news(Use { at: Timestamp(2), ..written }, moved),
            "somebody knows better"
        );
        assert!(!other.is_news(written, Use { at: Timestamp(1), from: None }));
    }

    #[test]
    fn f_46_who_moves_is_noted_at_once_and_written_no_oftener() {
        let uses = Uses::new(Duration::from_mins(1));
        let [home, away] = ["203.0.113.7", "2001:db8::1"].map(|ip| ip.parse().ok());
        assert!(uses.due("s", Timestamp(0), home));
        assert!(!uses.due("s", Timestamp(1), away), "Redis has heard that it is in use");
        assert_eq!(uses.last_from("s"), away);
        assert!(!uses.due("s", Timestamp(2), None), "who does not say has not moved");
        assert_eq!(uses.waiting(Timestamp(2))["s"], Use { at: Timestamp(1), from: away });
        assert!(uses.due("s", Timestamp(60_000), None));
        assert_eq!(uses.last_from("s"), away);
        uses.has_heard("s", Use { at: Timestamp(60_000), from: away });
        assert_eq!(uses.last_from("s"), None);
    }

    #[test]
    fn f_06_what_redis_missed_is_told_again_for_an_hour_at_most() {
        let uses = Uses::new(Duration::from_mins(1));
        let session = SessionId::parse(&"7".repeat(32)).unwrap();
        let missed = |at| uses.redis_missed(&session, Unheard { user_id: 7, at: Timestamp(at) });
        let unheard = |now| uses.unheard(Timestamp(now)).get(&session).map(|it| it.at.0);
        missed(2);
        missed(1);
        uses.redis_heard(&session, Timestamp(1));
        assert_eq!(unheard(3_600_001), Some(2), "the later use");
        uses.redis_heard(&session, Timestamp(2));
        assert_eq!(unheard(3_600_001), None);
        missed(2);
        assert_eq!(unheard(3_600_002), None);
    }
}
