//! What a client may ask of a ledger's sessions, and what comes of it.
//!
//! A client speaks of now: what it says about the future is taken as now, a session that is idle
//! or expired is none, and limits hold. The outcome of a request is made of plain steps (`put`,
//! `end`, `touch`, …) which mean the same when a replica or a log replays them later.

use core::cmp::Ordering;
use core::time::Duration;

use crate::session::{Facts, Session, State};
use crate::verdict::is_covered;
use crate::{Ledger, Now, Present, UnixMs};

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
    /// Now if nothing is known, and always after the watermark.
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

/// Why a session may not begin; the first that holds, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// What its sender knows may be out of date (`fence.rs`): ask for a token and read again.
    Stale,
    /// It began at or before an instant that ended everything of its subject.
    Ended,
    /// The ledger is full and nobody may be evicted.
    TooManySessions,
}

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedOut {
    /// Sessions begun at or before this instant were ended.
    pub until: UnixMs,
    /// Those that were stored.
    pub ended: Vec<Session>,
    /// How many of them were live.
    pub live: usize,
    /// Whether anything is different now, the watermark included.
    pub changed: bool,
}

impl Ledger {
    /// Begins or prolongs a session, atomically with the evictions that this takes.
    pub fn create(
        &mut self,
        request: &Create<'_>,
        present: impl Into<Present>,
    ) -> Result<Created, Refusal> {
        let present = present.into();
        if self.has_ended(request, present) {
            return Err(Refusal::Ended);
        }
        let (now, first) = (present.now, self.first_instant(present));
        let asked = request.created.map(|at| if at > now { now.max(first) } else { at });
        let known =
            self.find(request.id).filter(|it| self.is_live(it, present)).map(Session::facts);
        let is_new = known.is_none();
        let mut created = Created { is_new, ..Created::default() };
        if is_new {
            let others = self.live_but(request.id, present).count();
            let stay = request.keep.unwrap_or(request.limit).saturating_sub(1);
            let excess = others.saturating_sub(stay);
            if excess > 0 && request.keep.is_none() {
                return Err(Refusal::TooManySessions);
            }
            created.evicted = self.first_to_go(request.id, excess, present);
            created.forgotten = self.long_idle(request, present);
        }
        let earlier = known.map_or(UnixMs(0), |it| it.seen);
        let session = Session::new(&Facts {
            id: request.id,
            device: request.device.or(known.map(|it| it.device)).unwrap_or_default(),
            created: asked.or(known.map(|it| it.created)).unwrap_or(now.max(first)),
            seen: request.seen.unwrap_or(now).min(now).max(earlier),
            expires: request.expires,
            idle_s: request.idle_s.or(known.map(|it| it.idle_s)).unwrap_or_default(),
        });
        self.end(created.forgotten.iter().chain(&created.evicted).map(AsRef::as_ref), present);
        self.put(&session.facts());
        Ok(created)
    }

    /// Whether that session began at or before the watermark. What is said of the future is taken
    /// as now, which is always later. But for the watermark of everybody, which may lie in the future
    /// itself: whoever set it has compared it with what clocks that are ahead have said.
    #[must_use]
    pub fn has_ended(&self, request: &Create<'_>, present: impl Into<Present>) -> bool {
        let present = present.into();
        request.created.is_some_and(|at| {
            is_covered(at, present.watermark)
                || at <= present.now && at < self.first_instant(present)
        })
    }

    /// Notes that a live session was used. An idle one is not revived.
    pub fn touch_live(
        &mut self,
        id: &[u8],
        at: Option<UnixMs>,
        present: impl Into<Present>,
    ) -> Touched {
        let present = present.into();
        if !self.find(id).is_some_and(|it| self.is_live(it, present)) {
            return Touched::Dead;
        }
        let at = at.unwrap_or(present.now).min(present.now);
        if self.touch(id, at) { Touched::To(at) } else { Touched::Unmoved }
    }

    /// Ends every session but one; without an exception this is a logout of everybody and is
    /// remembered by the watermark. With `at`, sessions begun after that instant stay: a logout
    /// that is delivered late must not end a login that came after it.
    pub fn log_out(
        &mut self,
        at: Option<UnixMs>,
        except: Option<&[u8]>,
        present: impl Into<Present>,
    ) -> LoggedOut {
        let present = present.into();
        let now = present.now;
        // If the clock has stepped back, sessions may have begun after now. They end as well.
        let newest = self.sessions().iter().map(|it| it.created).max();
        let until = at.unwrap_or_else(|| newest.map_or(now, |newest| newest.max(now)));
        let ended = self.end_begun_until(until, except);
        let live = ended.iter().filter(|it| self.is_live(it, present)).count();
        let raised = except.is_none() && self.raise_watermark(until);
        LoggedOut { until, live, changed: raised || !ended.is_empty(), ended }
    }

    /// The live sessions, most recently seen first: the reverse of the order of eviction.
    #[must_use]
    pub fn live_sessions(&self, present: impl Into<Present>) -> Vec<&Session> {
        let mut live: Vec<_> = self.live_but(&[], present.into()).collect();
        live.sort_unstable_by(|one, other| eviction_order(other, one));
        live
    }

    /// The first `count` of the live sessions but `id` in the order of eviction.
    fn first_to_go(&self, id: &[u8], count: usize, present: Present) -> Vec<Box<[u8]>> {
        if count == 0 {
            return Vec::new();
        }
        let mut others: Vec<_> = self.live_but(id, present).collect();
        others.sort_unstable_by(|one, other| eviction_order(one, other));
        others.into_iter().take(count).map(|it| it.id().into()).collect()
    }

    /// The live sessions but `id`.
    fn live_but<'a>(&'a self, id: &'a [u8], present: Present) -> impl Iterator<Item = &'a Session> {
        self.sessions().iter().filter(move |it| self.is_live(it, present) && it.id() != id)
    }

    /// A few sessions so long idle that nobody needs to hear `IDLE` any more. Where many are
    /// stored, any idle one counts, so that abandoned sessions cannot pile up.
    fn long_idle(&self, request: &Create<'_>, present: Present) -> Vec<Box<[u8]>> {
        let crowded = self.sessions().len() >= request.limit;
        let kept = if crowded { Duration::ZERO } else { IDLE_KEPT };
        let forgettable = |it: &&Session| {
            self.state(it, present) == State::Idle
                && it.id() != request.id
                && it.idle_since().is_some_and(|since| present.has_reached(since.plus(kept)))
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
mod tests;
