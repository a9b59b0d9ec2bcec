//! The one answer to *is this session live?*
//!
//! A session stands while it was not ended, has not expired, its user is not disabled and it began
//! after everything of theirs was last ended. It is live while it stands and is in use: a session
//! with an idle limit was used since.
//!
//! Whether it stands is MySQL's to say, so that part is SQL (`standing!`). When it was last used
//! others may know better: this instance, whose news reach MySQL in batches, or Redis. So that part
//! is decided here, with the latest of what is known. Who needs only *stands* says why at the spot.

use std::time::Duration;

use crate::App;
use crate::base::clock::UnixMs;
use crate::base::session_id::SessionId;
use crate::store::database::{Store, time};
use crate::store::standing::standing;

/// What a count may take: nobody waits for it.
const COUNT_PATIENCE: Duration = Duration::from_secs(30);

/// Whether a session that stands is in use; `last_activity` is what MySQL knows.
pub(crate) fn in_use(
    app: &App,
    session: &SessionId,
    (last_activity, idle_timeout_s): (UnixMs, u32),
    now: UnixMs,
) -> bool {
    is_in_use(app.ledgers.uses.last_used(session.as_str(), last_activity), idle_timeout_s, now)
}

/// The same, when it is known when the session was last used. At its limit it is idle.
pub(crate) fn is_in_use(last_used: UnixMs, idle_timeout_s: u32, now: UnixMs) -> bool {
    let limit = Duration::from_secs(idle_timeout_s.into());
    limit.is_zero() || now.since(last_used) < limit
}

/// How many sessions are live, by the uses that MySQL has heard of. Only here does SQL judge the use:
/// the sessions of everybody are too many to be looked at one by one.
async fn count(store: &Store, now: UnixMs) -> sqlx::Result<f64> {
    standing!(query_scalar!(
        r#"select cast(count(*) as double) as "live!: f64" from user_sessions s
            where (s.idle_timeout_s = 0
                   or s.last_activity > ? - interval s.idle_timeout_s second) and "#
            + STANDING,
        now,
        now,
    ))
    .fetch_one(&store.pool)
    .await
}

/// How many sessions are live, for whoever watches: it looks at every session, so it may take longer
/// than a request.
pub async fn count_patiently(store: &Store, now: UnixMs) -> sqlx::Result<f64> {
    time(COUNT_PATIENCE, count(store, now)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_idle_at_the_instant_of_its_limit() {
        assert!(is_in_use(UnixMs(1_000), 2, UnixMs(2_999)));
        assert!(!is_in_use(UnixMs(1_000), 2, UnixMs(3_000)));
    }

    #[test]
    fn without_a_limit_no_session_is_idle() {
        assert!(is_in_use(UnixMs(0), 0, UnixMs::MAX));
    }

    #[test]
    fn a_session_that_was_used_by_a_clock_ahead_is_in_use() {
        assert!(is_in_use(UnixMs(5_000), 1, UnixMs(1_000)));
    }
}
