//! When a session was last used, written down at most once in a while for each session.
//!
//! A busy session would otherwise cost two writes a request. Redis hears at once, because its idle
//! verdict depends on it; MySQL hears in batches. What MySQL knows may therefore be late by the
//! interval and one batch: never more than a fifth of the idle limit. What this instance knows
//! better is known until MySQL has heard it. What Redis could not hear it is told again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::App;
use crate::base::clock::UnixMs;
use crate::base::log;
use crate::base::session_id::SessionId;
use crate::ledger::repair;

/// How often MySQL hears of activity, unless the idle limit is so short that it must be oftener.
const FLUSH_EVERY: Duration = Duration::from_secs(2);
/// How many sessions are kept at most because Redis has not heard of their use, and how long. Should
/// it call one of the others idle, MySQL is asked.
const MOST_UNHEARD: usize = 10_000;
const UNHEARD_KEPT: Duration = Duration::from_hours(1);

/// What this instance has seen of the sessions lately.
pub struct Activity {
    interval: Duration,
    flush_every: Duration,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// When each session was last written down, by its id.
    written: HashMap<String, UnixMs>,
    /// What MySQL has not heard yet.
    waiting: HashMap<String, UnixMs>,
    /// What Redis could not hear.
    unheard: HashMap<SessionId, Unheard>,
}

/// A use of a user's session.
#[derive(Clone, Copy)]
struct Unheard {
    user_id: u64,
    at: UnixMs,
}

impl Activity {
    /// Writes at most every `interval`, and often enough for an idle limit of `idle` (zero: none).
    pub fn new(interval: Duration, idle: Duration) -> Self {
        let often_enough = if idle.is_zero() { interval } else { idle / 10 };
        Self {
            interval: interval.min(often_enough),
            flush_every: FLUSH_EVERY.min(often_enough.max(Duration::from_millis(10))),
            seen: Mutex::default(),
        }
    }

    /// Whether it is time to write down that this session is in use; if so, it counts as written.
    pub fn due(&self, session: &str, now: UnixMs) -> bool {
        let mut seen = self.seen();
        if seen.written.get(session).is_some_and(|last| now.since(*last) < self.interval) {
            return false;
        }
        seen.written.insert(session.to_owned(), now);
        seen.waiting.insert(session.to_owned(), now);
        true
    }

    /// When the session was last used: what MySQL knows, or what it has not heard yet.
    pub(crate) fn last_used(&self, session: &str, last_activity: UnixMs) -> UnixMs {
        let waiting = self.seen().waiting.get(session).copied();
        waiting.map_or(last_activity, |at| at.max(last_activity))
    }

    /// What MySQL has not heard. It waits until [`Self::has_heard`].
    fn waiting(&self, now: UnixMs) -> HashMap<String, UnixMs> {
        let mut seen = self.seen();
        seen.written.retain(|_, last| now.since(*last) < self.interval);
        seen.waiting.clone()
    }

    /// MySQL has heard of this use; a later one waits.
    fn has_heard(&self, session: &str, at: UnixMs) {
        let mut seen = self.seen();
        if seen.waiting.get(session) == Some(&at) {
            seen.waiting.remove(session);
        }
    }

    /// What Redis could not hear and shall be told again.
    fn unheard(&self, now: UnixMs) -> HashMap<SessionId, Unheard> {
        let mut seen = self.seen();
        seen.unheard.retain(|_, it| now.since(it.at) < UNHEARD_KEPT);
        seen.unheard.clone()
    }

    fn redis_missed(&self, session: &SessionId, missed: Unheard) {
        let mut seen = self.seen();
        let earlier = seen.unheard.get(session).copied();
        if earlier.is_none_or(|it| it.at < missed.at)
            && (earlier.is_some() || seen.unheard.len() < MOST_UNHEARD)
        {
            seen.unheard.insert(session.clone(), missed);
        }
    }

    /// Redis has heard of this use; a later one is told again.
    fn redis_heard(&self, session: &SessionId, at: UnixMs) {
        let mut seen = self.seen();
        if seen.unheard.get(session).is_some_and(|it| it.at <= at) {
            seen.unheard.remove(session);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells Redis that a session is in use. One that it calls idle it does not revive, and one that it
/// has lost it does not know: both are put back.
pub(crate) async fn tell_redis(app: &App, user_id: u64, session: &SessionId, at: UnixMs) {
    match app.ledger.touch(user_id, session, at).await {
        Ok(is_live) => {
            app.activity.redis_heard(session, at);
            if !is_live {
                repair::put_back_later(app, user_id);
            }
        }
        Err(cause) => {
            tracing::debug!(target: log::ACTIVITY, %cause, "Redis did not hear of the activity");
            app.activity.redis_missed(session, Unheard { user_id, at });
        }
    }
}

/// Tells MySQL and Redis what they have not heard yet; what they do not take waits for the next time.
pub async fn flush(app: &App) {
    tell_mysql(app).await;
    for (session, Unheard { user_id, at }) in app.activity.unheard(app.clock.now()) {
        if !app.ledger.is_believed() {
            return;
        }
        tell_redis(app, user_id, &session, at).await;
    }
}

async fn tell_mysql(app: &App) {
    for (session, at) in app.activity.waiting(app.clock.now()) {
        // One statement a session: a batch would lock sessions in an order of its own.
        let written = app.store.repeat(|| {
            let written = sqlx::query!(
                "update user_sessions set last_activity = ?
                  where id = ? and is_active and last_activity < ?",
                at,
                session,
                at,
            )
            .execute(&app.store.pool);
            app.store.in_time(written)
        });
        if let Err(cause) = written.await {
            tracing::warn!(target: log::ACTIVITY, ?cause, "activity could not be written down");
            return;
        }
        app.activity.has_heard(&session, at);
    }
}

/// Flushes again and again, and once more when the service stops.
pub(crate) async fn run(app: App) {
    while !app.background.stop.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(app.activity.flush_every) => {}
            () = app.background.stop.cancelled() => {}
        }
        flush(&app).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_session_is_written_once_an_interval() {
        let activity = Activity::new(Duration::from_mins(1), Duration::ZERO);
        assert!(activity.due("s", UnixMs(0)));
        assert!(!activity.due("s", UnixMs(59_999)));
        assert!(activity.due("other", UnixMs(59_999)));
        assert!(activity.due("s", UnixMs(60_000)));
        assert_eq!(activity.last_used("s", UnixMs(1)), UnixMs(60_000));
        assert_eq!(activity.last_used("s", UnixMs(60_001)), UnixMs(60_001));
    }

    #[test]
    fn a_short_idle_limit_is_written_often_enough_for_it() {
        let activity = Activity::new(Duration::from_mins(1), Duration::from_secs(2));
        assert!(activity.due("s", UnixMs(0)));
        assert!(activity.due("s", UnixMs(200)));
    }

    #[test]
    fn what_was_written_long_ago_takes_no_memory() {
        let activity = Activity::new(Duration::from_mins(1), Duration::ZERO);
        activity.due("s", UnixMs(0));
        assert_eq!(activity.waiting(UnixMs(60_000)).len(), 1);
        activity.has_heard("s", UnixMs(0));
        assert!(activity.seen().written.is_empty() && activity.seen().waiting.is_empty());
    }

    #[test]
    fn f_06_a_use_is_known_here_until_mysql_has_heard_of_it_and_of_no_earlier_one() {
        let activity = Activity::new(Duration::from_mins(1), Duration::ZERO);
        activity.due("s", UnixMs(5));
        let being_written = activity.waiting(UnixMs(5));
        assert_eq!(activity.last_used("s", UnixMs(0)), UnixMs(5));
        activity.due("s", UnixMs(60_005));
        activity.has_heard("s", being_written["s"]);
        assert_eq!(activity.last_used("s", UnixMs(5)), UnixMs(60_005));
    }

    #[test]
    fn f_06_what_redis_missed_is_told_again_for_an_hour_at_most() {
        let activity = Activity::new(Duration::from_mins(1), Duration::ZERO);
        let session = SessionId::parse(&"7".repeat(32)).unwrap();
        let missed = |at| activity.redis_missed(&session, Unheard { user_id: 7, at: UnixMs(at) });
        let unheard = |now| activity.unheard(UnixMs(now)).get(&session).map(|it| it.at.0);
        missed(2);
        missed(1);
        activity.redis_heard(&session, UnixMs(1));
        assert_eq!(unheard(3_600_001), Some(2), "the later use");
        activity.redis_heard(&session, UnixMs(2));
        assert_eq!(unheard(3_600_001), None);
        missed(2);
        assert_eq!(unheard(3_600_002), None);
    }
}
