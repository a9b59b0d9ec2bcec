//! The system's clock, by which a server of this machine ends sessions.

use std::time::{Duration, Instant, SystemTime};

/// Milliseconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "the one home of the system's clock")]
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// When a millisecond of that clock has begun for sure.
pub(crate) fn instant_of(unix: u64) -> Instant {
    let (now, present) = (Instant::now(), unix_ms());
    match unix.checked_sub(present) {
        Some(ahead) => now + Duration::from_millis(ahead),
        None => now.checked_sub(Duration::from_millis(present - unix)).unwrap_or(now),
    }
}
