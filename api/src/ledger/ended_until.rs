//! Up to which instant everybody's sessions have ended, as far as this instance and the servers at the end
//! of its lines have heard. Only that; what is done about it is in `everybody.rs`.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::RedisResult;

use super::redis_fault::unavailable;
use crate::base::clock::Timestamp;

/// How often MySQL is asked.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What this instance knows of the instant.
#[derive(Default)]
pub(crate) struct Everybody {
    known: AtomicU64,
    /// Whether MySQL has ever said it.
    was_told: AtomicBool,
    /// Commits that are under way, and may have happened already.
    open: AtomicU32,
    asked: Mutex<Option<Instant>>,
}

/// Up to which instant a server has heard that everything has ended.
#[derive(Default)]
pub(crate) struct Heard(AtomicU64);

impl Heard {
    /// It has heard of this one.
    pub(super) fn raise(&self, to: Timestamp) {
        self.0.fetch_max(to.0, Ordering::SeqCst);
    }

    /// The latest that it has heard of.
    pub(super) fn latest(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    /// Whether it has heard of this one, or of a later one.
    pub(super) fn has(&self, instant: Timestamp) -> bool {
        self.0.load(Ordering::SeqCst) >= instant.0
    }
}

impl Everybody {
    /// A commit that may end everybody's sessions is under way.
    pub(super) fn begin_commit(&self) {
        self.open.fetch_add(1, Ordering::SeqCst);
    }

    /// It is known what came of it.
    pub(super) fn end_commit(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    /// MySQL has said so.
    pub(super) fn raise(&self, to: Timestamp) {
        self.known.fetch_max(to.0, Ordering::SeqCst);
        self.was_told.store(true, Ordering::SeqCst);
    }

    /// Whether MySQL has ever said it, if only that there is none.
    pub(super) fn was_told(&self) -> bool {
        self.was_told.load(Ordering::SeqCst)
    }

    /// What a server has not heard.
    pub(super) fn lacking(&self, heard: &Heard) -> Option<Timestamp> {
        let known = self.known.load(Ordering::SeqCst);
        Some(Timestamp(known)).filter(|known| !heard.has(*known))
    }

    /// Refuses to ask a server that may not have heard of it.
    pub(super) fn must_be_heard(&self, heard: &Heard) -> RedisResult<()> {
        let is_open = self.open.load(Ordering::SeqCst) > 0;
        if is_open || self.lacking(heard).is_some() {
            return Err(unavailable("a logout of everybody is on its way to Redis"));
        }
        Ok(())
    }

    /// Whether MySQL is to be asked again.
    pub(super) fn is_due(&self) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = asked.is_none_or(|at| at.elapsed() >= ASK_EVERY);
        if is_due {
            *asked = Some(Instant::now());
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_lags_behind_until_it_has_heard_of_the_latest() {
        let (everybody, heard) = (Everybody::default(), Heard::default());
        assert_eq!(everybody.lacking(&heard), None, "there is nothing to hear");
        assert!(!everybody.was_told());
        everybody.raise(Timestamp(5));
        assert!(everybody.was_told());
        assert_eq!(everybody.lacking(&heard), Some(Timestamp(5)));
        heard.raise(Timestamp(4));
        assert!(heard.has(Timestamp(4)) && !heard.has(Timestamp(5)));
        assert!(everybody.must_be_heard(&heard).is_err());
        heard.raise(Timestamp(5));
        everybody.raise(Timestamp(3));
        heard.raise(Timestamp(1));
        assert!(everybody.must_be_heard(&heard).is_ok(), "neither goes back");
    }

    #[test]
    fn nobody_is_asked_while_it_is_not_known_whether_everybody_has_ended() {
        let (everybody, heard) = (Everybody::default(), Heard::default());
        everybody.begin_commit();
        everybody.begin_commit();
        everybody.end_commit();
        assert!(everybody.must_be_heard(&heard).is_err());
        everybody.end_commit();
        assert!(everybody.must_be_heard(&heard).is_ok());
    }
}
