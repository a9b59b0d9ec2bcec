//! What time it is, as the server sees it.

use portcullis_core::{MonotonicMs, Now, Present, UnixMs};
use redis_module::raw;

use crate::server::{all_ledgers, ffi};

/// Now. Servers since Redis 7.2 have read the clock already when a command begins.
#[inline]
pub(crate) fn now() -> UnixMs {
    // SAFETY: written once by `RedisModule_Init`, before any command can run.
    let now_ms = match unsafe { raw::RedisModule_CachedMicroseconds } {
        // SAFETY: takes no pointers.
        Some(cached_us) => (unsafe { cached_us() }) / 1000,
        // SAFETY: takes no pointers.
        None => unsafe { ffi::clock_ms() },
    };
    UnixMs(u64::try_from(now_ms).unwrap_or(0))
}

/// Now, and what holds for every ledger.
pub(crate) fn present() -> Present {
    present_at(now())
}

/// The same at this moment, as [`exact_now`].
pub(crate) fn exact_present() -> Present {
    present_at(exact_now())
}

/// The same at an instant that was read before.
pub(crate) fn present_at(now: UnixMs) -> Present {
    Present { now, watermark: all_ledgers::watermark() }
}

/// Now, read at this moment: not the instant at which a command, a script or a transaction began.
#[inline]
pub(crate) fn exact_now() -> UnixMs {
    // SAFETY: takes no pointers.
    UnixMs(u64::try_from(unsafe { ffi::clock_ms() }).unwrap_or(0))
}

/// The server's clock that no administrator and no other host can set.
pub(crate) fn monotonic_now() -> MonotonicMs {
    // SAFETY: takes no pointers.
    MonotonicMs(unsafe { ffi::monotonic_us() } / 1000)
}

/// Now for a question that compares it with a few instants, nearly always far from now. Redis 7.0
/// has no clock that was read already, and reading one takes a twentieth of a whole check: there
/// the kernel's last tick will do, and the clock is read only for an instant near it.
#[derive(Clone, Copy)]
pub(crate) enum QuickNow {
    Exact(UnixMs),
    /// Never later than now, and not much earlier.
    Tick(UnixMs),
}

/// Milliseconds within which a tick is not trusted: it is the begun second of a clock that moves
/// every 10 ms or more often, unless the whole machine is held up.
const NEAR_MS: u64 = 5000;

impl QuickNow {
    #[inline]
    pub(crate) fn read() -> Self {
        // SAFETY: written once by `RedisModule_Init`, before any command can run.
        if unsafe { raw::RedisModule_CachedMicroseconds }.is_some() {
            return Self::Exact(now());
        }
        let mut tick = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: writes to `tick`.
        let status = unsafe { libc::clock_gettime(libc::CLOCK_REALTIME_COARSE, &raw mut tick) };
        match (status, u64::try_from(tick.tv_sec)) {
            (0, Ok(seconds)) => Self::Tick(UnixMs(seconds.saturating_mul(1000))),
            _ => Self::Exact(now()),
        }
    }
}

impl Now for QuickNow {
    #[inline]
    fn has_reached(self, instant: UnixMs) -> bool {
        match self {
            Self::Exact(now) => now >= instant,
            Self::Tick(tick) if tick >= instant => true,
            Self::Tick(tick) => instant.0.abs_diff(tick.0) <= NEAR_MS && now() >= instant,
        }
    }

    #[inline]
    fn watermark(self) -> UnixMs {
        all_ledgers::watermark()
    }
}
