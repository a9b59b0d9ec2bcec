//! When a session was last used, written down at most once in a while for each session.
//!
//! A busy session would otherwise cost two writes a request. Redis hears at once, because its idle
//! verdict depends on it; MySQL hears in batches. What MySQL knows may therefore be late by the
//! interval and one batch: never more than a fifth of the idle limit.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::App;
use crate::clock::UnixMs;
use crate::database;

/// How often MySQL hears of activity, unless the idle limit is so short that it must be oftener.
const FLUSH_EVERY: Duration = Duration::from_secs(2);

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

    fn take_waiting(&self, now: UnixMs) -> HashMap<String, UnixMs> {
        let mut seen = self.seen();
        seen.written.retain(|_, last| now.since(*last) < self.interval);
        std::mem::take(&mut seen.waiting)
    }

    /// Takes back what MySQL could not hear, unless something later waits already.
    fn keep_waiting(&self, unheard: impl Iterator<Item = (String, UnixMs)>) {
        let mut seen = self.seen();
        for (session, at) in unheard {
            seen.waiting.entry(session).or_insert(at);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells MySQL what it has not heard yet; what it does not take waits for the next time.
pub async fn flush(app: &App) {
    let mut waiting = app.activity.take_waiting(app.clock.now()).into_iter();
    while let Some((session, at)) = waiting.next() {
        // One statement a session: a batch would lock sessions in an order of its own.
        let written = sqlx::query!(
            "update user_sessions set last_activity = ?
              where id = ? and is_active and last_activity < ?",
            at,
            session,
            at,
        )
        .execute(&app.db);
        if let Err(cause) = database::time(app.settings.stores.db_deadline, written).await {
            tracing::warn!(%cause, "activity could not be written down");
            app.activity.keep_waiting(waiting.chain([(session, at)]));
            return;
        }
    }
}

/// Flushes again and again, and once more when the service stops.
pub(crate) async fn run(app: App) {
    while !app.stop.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(app.activity.flush_every) => {}
            () = app.stop.cancelled() => {}
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
        assert_eq!(activity.take_waiting(UnixMs(60_000)).len(), 1);
        assert!(activity.seen().written.is_empty() && activity.seen().waiting.is_empty());
    }
}
