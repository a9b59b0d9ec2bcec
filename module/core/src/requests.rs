//! What a client may ask of a ledger's sessions, and what comes of it.
//!
//! A client speaks of now: what it says about the future is taken as now, a session that is idle
//! or expired is none, and limits hold. The outcome of a request is made of plain steps (`put`,
//! `end`, `touch`, …) which mean the same when a replica or a log replays them later.

use core::cmp::Ordering;
use core::time::Duration;

use crate::session::{Facts, Session, State};
use crate::{Ledger, UnixMs};

/// How long an idle session is kept so that its holder hears `IDLE` and not `NO_SESSION`.
const IDLE_KEPT: Duration = Duration::from_hours(1);
/// Sessions dropped because they are long idle, by one request.
const FORGOTTEN_PER_REQUEST: usize = 2;

/// A session to begin, or to prolong if that id is live. `None` keeps what is known.
#[derive(Clone, Copy, Debug)]
pub struct Create<'a> {
    /// Its id.
    pub id: &'a [u8],
    /// Replaces any earlier expiry, also a later one.
    pub expires: UnixMs,
    /// Seconds; 0 for none, and none if nothing is known.
    pub idle_s: Option<u32>,
    /// Empty if nothing is known.
    pub device: Option<&'a [u8]>,
    /// Now if nothing is known.
    pub created: Option<UnixMs>,
    /// Now if not given. Never moves back.
    pub seen: Option<UnixMs>,
    /// How many sessions may be live afterwards; the least recently seen others go.
    pub keep: Option<usize>,
    /// How many may be live if nobody may be evicted.
    pub limit: usize,
}

/// What a [`Create`] changed, in the order in which it was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Created {
    /// Sessions that had been idle for long, dropped.
    pub forgotten: Vec<Box<[u8]>>,
    /// Live sessions that were ended to make room.
    pub evicted: Vec<Box<[u8]>>,
    /// Whether this id is new, and not a live session prolonged.
    pub is_new: bool,
}

/// The ledger is full and nobody may be evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManySessions;

/// What a touch did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// There is no such live session.
    Dead,
    /// It was seen at that instant or later already.
    Unmoved,
    /// It was last seen at this instant now.
    To(UnixMs),
}

/// What a logout of many did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedOut {
    /// Sessions begun at or before this instant were ended.
    pub until: UnixMs,
    /// Live ones among them.
    pub ended: usize,
    /// Whether anything is different now, the watermark included.
    pub changed: bool,
}

impl Ledger {
    /// Begins or prolongs a session, atomically with the evictions that this takes.
    pub fn create(
        &mut self,
        request: &Create<'_>,
        now: UnixMs,
    ) -> Result<Created, TooManySessions> {
        let known = self.find(request.id).filter(|it| it.is_live(now)).map(Session::facts);
        let is_new = known.is_none();
        let mut created = Created { is_new, ..Created::default() };
        if is_new {
            let others = self.live_but(request.id, now).count();
            let stay = request.keep.unwrap_or(request.limit).saturating_sub(1);
            let excess = others.saturating_sub(stay);
            if excess > 0 && request.keep.is_none() {
                return Err(TooManySessions);
            }
            created.evicted = self.first_to_go(request.id, excess, now);
            created.forgotten = self.long_idle(request, now);
        }
        let earlier = known.map_or(UnixMs(0), |it| it.seen);
        let asked = request.created.map(|at| at.min(now));
        let session = Session::new(&Facts {
            id: request.id,
            device: request.device.or(known.map(|it| it.device)).unwrap_or_default(),
            created: asked.or(known.map(|it| it.created)).unwrap_or(now),
            seen: request.seen.unwrap_or(now).min(now).max(earlier),
            expires: request.expires,
            idle_s: request.idle_s.or(known.map(|it| it.idle_s)).unwrap_or_default(),
        });
        self.end(created.forgotten.iter().chain(&created.evicted).map(AsRef::as_ref), now);
        self.put(&session.facts());
        Ok(created)
    }

    /// Notes that a live session was used. An idle one is not revived.
    pub fn touch_live(&mut self, id: &[u8], at: Option<UnixMs>, now: UnixMs) -> Touched {
        if !self.find(id).is_some_and(|it| it.is_live(now)) {
            return Touched::Dead;
        }
        let at = at.unwrap_or(now).min(now);
        if self.touch(id, at) { Touched::To(at) } else { Touched::Unmoved }
    }

    /// Ends every session but one; without an exception this is a logout of everybody and is
    /// remembered by the watermark. With `at`, sessions begun after that instant stay: a logout
    /// that is delivered late must not end a login that came after it.
    pub fn log_out(&mut self, at: Option<UnixMs>, except: Option<&[u8]>, now: UnixMs) -> LoggedOut {
        // If the clock has stepped back, sessions may have begun after now. They end as well.
        let newest = self.sessions().iter().map(|it| it.created).max();
        let until = at.unwrap_or_else(|| newest.map_or(now, |newest| newest.max(now)));
        let ended = self.end_begun_until(until, except, now);
        let raised = except.is_none() && self.raise_watermark(until);
        LoggedOut {
            until,
            ended: ended.iter().filter(|state| **state == State::Live).count(),
            changed: raised || !ended.is_empty(),
        }
    }

    /// The live sessions, most recently seen first: the reverse of the order of eviction.
    #[must_use]
    pub fn live_sessions(&self, now: UnixMs) -> Vec<&Session> {
        let mut live: Vec<_> = self.live_but(&[], now).collect();
        live.sort_unstable_by(|one, other| eviction_order(other, one));
        live
    }

    /// The first `count` of the live sessions but `id` in the order of eviction.
    fn first_to_go(&self, id: &[u8], count: usize, now: UnixMs) -> Vec<Box<[u8]>> {
        if count == 0 {
            return Vec::new();
        }
        let mut others: Vec<_> = self.live_but(id, now).collect();
        others.sort_unstable_by(|one, other| eviction_order(one, other));
        others.into_iter().take(count).map(|it| it.id().into()).collect()
    }

    /// The live sessions but `id`.
    fn live_but<'a>(&'a self, id: &'a [u8], now: UnixMs) -> impl Iterator<Item = &'a Session> {
        self.sessions().iter().filter(move |it| it.is_live(now) && it.id() != id)
    }

    /// A few sessions so long idle that nobody needs to hear `IDLE` any more. Where many are
    /// stored, any idle one counts, so that abandoned sessions cannot pile up.
    fn long_idle(&self, request: &Create<'_>, now: UnixMs) -> Vec<Box<[u8]>> {
        let crowded = self.sessions().len() >= request.limit;
        let kept = if crowded { Duration::ZERO } else { IDLE_KEPT };
        let forgettable = |it: &&Session| {
            it.state(now) == State::Idle
                && it.id() != request.id
                && it.idle_since().is_some_and(|since| now >= since.plus(kept))
        };
        let forgotten = self.sessions().iter().filter(forgettable).take(FORGOTTEN_PER_REQUEST);
        forgotten.map(|it| it.id().into()).collect()
    }
}

/// Least recently seen first, then oldest, then by id.
fn eviction_order(one: &Session, other: &Session) -> Ordering {
    let place = |it: &Session| (it.seen, it.created);
    place(one).cmp(&place(other)).then_with(|| one.id().cmp(other.id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1000;

    fn new(id: &str) -> Create<'_> {
        Create {
            id: id.as_bytes(),
            expires: UnixMs(100_000),
            idle_s: None,
            device: None,
            created: None,
            seen: None,
            keep: None,
            limit: LIMIT,
        }
    }

    fn evicted(ledger: &mut Ledger, request: &Create<'_>, now: u64) -> Vec<Box<[u8]>> {
        ledger.create(request, UnixMs(now)).unwrap_or_default().evicted
    }

    fn live(ledger: &Ledger, now: u64) -> Vec<&[u8]> {
        ledger.live_sessions(UnixMs(now)).into_iter().map(Session::id).collect()
    }

    #[test]
    fn the_least_recently_seen_goes_and_never_the_new_one() {
        let mut ledger = Ledger::default();
        for (id, now) in [("a", 1), ("b", 2), ("c", 3)] {
            assert!(evicted(&mut ledger, &new(id), now).is_empty());
        }
        ledger.touch_live(b"a", None, UnixMs(4));
        let old = Create { keep: Some(2), seen: Some(UnixMs(0)), ..new("d") };
        assert_eq!(evicted(&mut ledger, &old, 5), [Box::from(*b"b"), Box::from(*b"c")]);
        assert_eq!(live(&ledger, 5), [b"a", b"d"]);
    }

    #[test]
    fn ties_are_decided_by_age_and_then_by_id() {
        let mut ledger = Ledger::default();
        for (id, created) in [("c", 1), ("b", 1), ("a", 2)] {
            let seen = Some(UnixMs(5));
            evicted(&mut ledger, &Create { created: Some(UnixMs(created)), seen, ..new(id) }, 9);
        }
        assert_eq!(live(&ledger, 9), [b"a", b"c", b"b"]);
        let one = Create { keep: Some(3), ..new("d") };
        assert_eq!(evicted(&mut ledger, &one, 9), [Box::from(*b"b")]);
    }

    #[test]
    fn prolonging_keeps_what_is_not_given_and_evicts_nobody() {
        let mut ledger = Ledger::default();
        let first = Create { idle_s: Some(60), device: Some(b"phone"), ..new("a") };
        evicted(&mut ledger, &first, 10);
        evicted(&mut ledger, &new("b"), 11);
        let again =
            Create { expires: UnixMs(50), seen: Some(UnixMs(5)), keep: Some(1), ..new("a") };
        let outcome = ledger.create(&again, UnixMs(20));
        assert_eq!(outcome, Ok(Created::default()));
        let facts = ledger
            .find(b"a")
            .map(|it| (it.device().to_vec(), it.created, it.seen, it.expires, it.idle_s));
        assert_eq!(facts, Some((b"phone".to_vec(), UnixMs(10), UnixMs(10), UnixMs(50), 60)));
    }

    #[test]
    fn an_id_that_died_begins_anew() {
        let mut ledger = Ledger::default();
        evicted(&mut ledger, &Create { idle_s: Some(1), device: Some(b"old"), ..new("a") }, 10);
        let outcome = ledger.create(&new("a"), UnixMs(5_000));
        assert_eq!(outcome, Ok(Created { is_new: true, ..Created::default() }));
        let facts = ledger.find(b"a").map(|it| (it.device().to_vec(), it.created, it.idle_s));
        assert_eq!(facts, Some((Vec::new(), UnixMs(5_000), 0)));
    }

    #[test]
    fn a_full_ledger_refuses_where_nobody_may_be_evicted() {
        let mut ledger = Ledger::default();
        evicted(&mut ledger, &new("a"), 1);
        let request = Create { limit: 1, ..new("b") };
        assert_eq!(ledger.create(&request, UnixMs(2)), Err(TooManySessions));
        assert_eq!(live(&ledger, 2), [b"a"]);
        assert!(ledger.create(&Create { limit: 1, ..new("a") }, UnixMs(2)).is_ok());
    }

    #[test]
    fn what_a_client_says_of_the_future_is_taken_as_now() {
        let mut ledger = Ledger::default();
        let later = Some(UnixMs(99));
        evicted(&mut ledger, &Create { created: later, seen: later, ..new("a") }, 10);
        let instants = ledger.find(b"a").map(|it| (it.created, it.seen));
        assert_eq!(instants, Some((UnixMs(10), UnixMs(10))));
        assert_eq!(ledger.touch_live(b"a", later, UnixMs(20)), Touched::To(UnixMs(20)));
        assert_eq!(ledger.touch_live(b"a", Some(UnixMs(15)), UnixMs(21)), Touched::Unmoved);
    }

    #[test]
    fn a_touch_does_not_revive() {
        let mut ledger = Ledger::default();
        evicted(&mut ledger, &Create { idle_s: Some(1), ..new("a") }, 0);
        assert_eq!(ledger.touch_live(b"a", Some(UnixMs(999)), UnixMs(1_000)), Touched::Dead);
        assert!(ledger.touch(b"a", UnixMs(999)), "a replayed one moves it all the same");
    }

    #[test]
    fn long_idle_sessions_are_forgotten_a_few_at_a_time() {
        let hour_and_second = 3_601_000;
        let mut ledger = Ledger::default();
        for id in ["a", "b", "c"] {
            let expires = UnixMs(u64::from(u32::MAX));
            evicted(&mut ledger, &Create { idle_s: Some(1), expires, ..new(id) }, 0);
        }
        let request = Create { expires: UnixMs(u64::from(u32::MAX)), ..new("d") };
        let early = ledger.clone().create(&request, UnixMs(hour_and_second - 1));
        assert_eq!(early.map(|it| it.forgotten.len()), Ok(0));
        let crowded = ledger.clone().create(&Create { limit: 3, ..request }, UnixMs(1_000));
        assert_eq!(crowded.map(|it| it.forgotten.len()), Ok(2));
        let late = ledger.create(&request, UnixMs(hour_and_second));
        assert_eq!(late.map(|it| it.forgotten), Ok(vec![Box::from(*b"a"), Box::from(*b"b")]));
    }

    #[test]
    fn a_late_logout_spares_what_began_after_it() {
        let mut ledger = Ledger::default();
        evicted(&mut ledger, &new("old"), 10);
        evicted(&mut ledger, &new("new"), 30);
        let outcome = ledger.log_out(Some(UnixMs(20)), None, UnixMs(40));
        assert_eq!(outcome, LoggedOut { until: UnixMs(20), ended: 1, changed: true });
        assert_eq!(live(&ledger, 40), [b"new"]);
        let again = ledger.log_out(Some(UnixMs(20)), None, UnixMs(50));
        assert_eq!(again, LoggedOut { until: UnixMs(20), ended: 0, changed: false });
    }

    #[test]
    fn a_logout_ends_what_began_before_the_clock_stepped_back() {
        let mut ledger = Ledger::default();
        evicted(&mut ledger, &new("a"), 1_000);
        let outcome = ledger.log_out(None, None, UnixMs(500));
        assert_eq!(outcome, LoggedOut { until: UnixMs(1_000), ended: 1, changed: true });
        assert_eq!(ledger.watermark(), Some(UnixMs(1_000)));
    }

    #[test]
    fn an_exception_keeps_one_and_sets_no_watermark() {
        let mut ledger = Ledger::default();
        evicted(&mut ledger, &new("a"), 1);
        evicted(&mut ledger, &new("b"), 1);
        assert_eq!(ledger.log_out(None, Some(b"a"), UnixMs(2)).ended, 1);
        assert_eq!(live(&ledger, 2), [b"a"]);
        assert_eq!(ledger.watermark(), None);
    }
}
