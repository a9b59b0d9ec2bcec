//! The one clock that decides. It counts the time that the machine was suspended and nobody sets it;
//! on Linux it is read without a system call.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A lease that outlives a suspended machine would be no lease.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
/// Elsewhere this one counts suspension, where any does.
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

const SECOND_NS: u64 = 1_000_000_000;
const MILLISECOND_NS: u64 = 1_000_000;

/// An instant of this clock, in nanoseconds since the machine was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Before all others.
    pub(crate) const NEVER: Self = Self(0);
    /// After all others.
    pub(crate) const FOREVER: Self = Self(u64::MAX);

    #[inline]
    pub(crate) fn now() -> Self {
        let now = clock_gettime(CLOCK);
        // Neither is ever negative, and an uptime of five hundred years is none.
        let (seconds, rest) = (now.tv_sec.cast_unsigned(), now.tv_nsec.cast_unsigned());
        Self(seconds.wrapping_mul(SECOND_NS).wrapping_add(rest))
    }

    #[inline]
    pub(crate) const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    #[inline]
    pub(crate) const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds, rounded down.
    #[inline]
    pub(crate) const fn as_millis(self) -> i64 {
        (self.0 / MILLISECOND_NS).cast_signed()
    }

    pub(crate) fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long after `other` this is; nothing if it is not.
    pub(crate) const fn since(self, other: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(other.0))
    }
}
