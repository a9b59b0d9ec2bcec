//! Until when what is known may be used, and what time it is where it comes from.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::cells::Era;
use crate::clock::Moment;

/// Read at every hit and written a few times a second, so it has a cache line of its own.
#[repr(align(128))]
pub(crate) struct Lease {
    until: AtomicU64,
    /// How far the server's clock is ahead of ours at most, in milliseconds.
    ahead_ms: AtomicI64,
    pub(crate) era: Era,
    /// Which life of the server's ledgers the era is of.
    life: AtomicI64,
    length: Duration,
    /// Until when it is known that this is the server to ask, where others say which one is.
    limit: AtomicU64,
}

/// No server's life.
const NO_LIFE: i64 = i64::MIN;

/// The server's reading was rounded down, and so was ours that is taken from it.
const ROUNDED_MS: i64 = 2;

impl Lease {
    pub(crate) fn new(length: Duration) -> Self {
        let (until, ahead_ms) = (AtomicU64::new(0), AtomicI64::new(0));
        let (era, life) = (Era::default(), AtomicI64::new(NO_LIFE));
        let limit = AtomicU64::new(Moment::FOREVER.as_nanos());
        Self { until, ahead_ms, era, life, length, limit }
    }

    /// That of one of several servers, which is not believed yet.
    pub(crate) fn of_server(number: u32, length: Duration) -> Self {
        Self { era: Era::first_of(number), limit: AtomicU64::new(0), ..Self::new(length) }
    }

    /// Until then this is known to be the server to ask. What was lent before stands as it did.
    pub(crate) fn believe_until(&self, limit: Moment) {
        self.limit.store(limit.as_nanos(), Ordering::Release);
    }

    /// Whether this is known to be the server to ask.
    pub(crate) fn is_believed(&self, now: Moment) -> bool {
        now.as_nanos() < self.limit.load(Ordering::Acquire)
    }

    /// Until when an answer to what was asked then may be handed on.
    pub(crate) fn end_for(&self, sent: Moment) -> Moment {
        let limit = Moment::from_nanos(self.limit.load(Ordering::Acquire));
        sent.plus(self.length).min(limit)
    }

    /// Whether what is known may be used. Whoever sees that it may also sees every change that had
    /// been heard of when the lease was given.
    #[inline]
    pub(crate) fn stands(&self, now: Moment) -> bool {
        now.as_nanos() < self.until.load(Ordering::Acquire)
    }

    /// What the server's clock shows by now at most, in milliseconds since the epoch.
    #[inline]
    pub(crate) fn server_ms(&self, now: Moment) -> i64 {
        now.as_millis().saturating_add(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// A question that was sent at this instant has been answered, by a clock that showed `now_ms`.
    pub(crate) fn renew(&self, sent: Moment, now_ms: i64) {
        let ahead_ms = now_ms.saturating_sub(sent.as_millis()).saturating_add(ROUNDED_MS);
        self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
        self.until.store(self.end_for(sent).as_nanos(), Ordering::Release);
    }

    /// Nothing that is known may be used any more.
    pub(crate) fn end(&self) {
        self.until.store(0, Ordering::Release);
        self.era.begin();
    }

    /// What is known is of other ledgers from here on. Whoever sees the new life sees that nothing of
    /// the old one counts, and whoever sees an answer of the new one sees the new life.
    pub(crate) fn begin_life(&self, life: i64) {
        self.end();
        self.life.store(life, Ordering::Release);
    }

    /// Which life the last answer was of; none before the first.
    #[inline]
    pub(crate) fn life(&self) -> Option<i64> {
        Some(self.life.load(Ordering::Acquire)).filter(|life| *life != NO_LIFE)
    }

    pub(crate) fn until(&self) -> Moment {
        Moment::from_nanos(self.until.load(Ordering::Acquire))
    }
}
