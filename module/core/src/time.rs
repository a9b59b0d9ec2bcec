//! The one unit of time: milliseconds since the Unix epoch, always absolute.

use core::time::Duration;

/// An instant, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMs(pub u64);

/// Now, for whoever only asks whether an instant has come, and what holds for every ledger then. An
/// exact instant is one; a caller whose clock is slow to read may look at it only when the answer is
/// close.
pub trait Now: Copy {
    /// Whether it is that instant or later.
    fn has_reached(self, instant: UnixMs) -> bool;

    /// The watermark of everybody: what began at or before it has ended, in whichever ledger it is.
    /// 0 for none.
    #[inline]
    fn watermark(self) -> UnixMs {
        UnixMs(0)
    }
}

/// What holds for every ledger alike: what time it is, and the watermark of everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// What time it is.
    pub now: UnixMs,
    /// 0 for none.
    pub watermark: UnixMs,
}

impl Now for Present {
    #[inline]
    fn has_reached(self, instant: UnixMs) -> bool {
        self.now >= instant
    }

    #[inline]
    fn watermark(self) -> UnixMs {
        self.watermark
    }
}

impl From<UnixMs> for Present {
    /// Where nothing is said of everybody.
    fn from(now: UnixMs) -> Self {
        Self { now, watermark: UnixMs(0) }
    }
}

impl Now for UnixMs {
    #[inline]
    fn has_reached(self, instant: UnixMs) -> bool {
        self >= instant
    }
}

impl UnixMs {
    /// The last instant that is stored: the end of the year 9999.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// This instant moved forward, at most to [`UnixMs::MAX`].
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(span_ms)).min(Self::MAX)
    }
}
