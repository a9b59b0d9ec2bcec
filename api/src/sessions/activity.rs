//! When a session was last used, told to both stores.
//!
//! Redis hears at once, because its idle verdict depends on it; MySQL hears in batches. What MySQL
//! knows may therefore be late by the interval and one batch: never more than a fifth of the idle
//! limit. What Redis could not hear it is told again.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::{Clock, Timestamp};
use crate::base::last_use::{Unheard, Uses};
use crate::base::log_targets as log;
use crate::base::session_id::SessionId;
use crate::ledger::ledgers::Ledgers;
use crate::ledger::repair;
use crate::settings::Sessions;
use crate::store::database::Store;

/// How often MySQL hears of activity, unless the idle limit is so short that it must be oftener.
const FLUSH_EVERY: Duration = Duration::from_secs(2);

/// Tells both stores of uses; a clone is the same.
#[derive(Clone)]
pub struct Activity {
    uses: Arc<Uses>,
    ledgers: Ledgers,
    store: Store,
    clock: Clock,
    is_tracked: bool,
    /// How often to flush.
    pub(crate) flush_every: Duration,
}

/// What this instance will know of uses: each session is written down often enough for its idle limit.
pub(crate) fn uses(settings: &Sessions) -> Arc<Uses> {
    let interval = settings.session_touch_interval;
    Arc::new(Uses::new(interval.min(often_enough(settings))))
}

fn often_enough(settings: &Sessions) -> Duration {
    let (interval, idle) = (settings.session_touch_interval, settings.session_idle_timeout);
    if idle.is_zero() { interval } else { idle / 10 }
}

impl Activity {
    /// Of sessions with these settings.
    pub(crate) fn new(ledgers: &Ledgers, settings: &Sessions) -> Self {
        Self {
            uses: ledgers.uses.clone(),
            ledgers: ledgers.clone(),
            store: ledgers.store.clone(),
            clock: ledgers.clock.clone(),
            is_tracked: settings.session_activity_tracking,
            flush_every: FLUSH_EVERY.min(often_enough(settings).max(Duration::from_millis(10))),
        }
    }

    /// Whether it is time to write down that this session is in use; if so, it counts as written.
    pub fn due(&self, session: &str, now: Timestamp) -> bool {
        self.uses.due(session, now, None)
    }

    /// Writes down that a session is in use, and from where if that is known, if it is time to. A failure
    /// here is harmless: both stores are told again.
    pub(crate) async fn note(&self, user_id: u64, session: &SessionId, from: Option<IpAddr>) {
        let now = self.clock.now();
        if self.is_tracked && self.uses.due(session.as_str(), now, from) {
            self.tell_redis(user_id, session, now).await;
        }
    }

    /// Tells Redis that a session is in use. One that it calls idle it does not revive, and one that it
    /// has lost it does not know: both are put back.
    pub(crate) async fn tell_redis(&self, user_id: u64, session: &SessionId, at: Timestamp) {
        match self.ledgers.touch(user_id, session, at).await {
            Ok(is_live) => {
                self.uses.redis_heard(session, at);
                if !is_live {
                    repair::put_back_later(&self.ledgers, user_id);
                }
            }
            Err(cause) => {
                tracing::debug!(target: log::ACTIVITY, %cause, "Redis was not told about the activity");
                self.uses.redis_missed(session, Unheard { user_id, at });
            }
        }
    }

    /// Tells MySQL and Redis what they have not heard yet; what they do not take waits for the next
    /// time.
    pub async fn flush(&self) {
        self.tell_mysql().await;
        for (session, Unheard { user_id, at }) in self.uses.unheard(self.clock.now()) {
            if !self.ledgers.is_believed() {
                return;
            }
            self.tell_redis(user_id, &session, at).await;
        }
    }

    async fn tell_mysql(&self) {
        for (session, last) in self.uses.waiting(self.clock.now()) {
            let from = last.from.map(|ip| ip.to_string());
            // One statement a session: a batch would lock sessions in an order of its own.
            let written = self.store.repeat(|| {
                let written = sqlx::query!(
                    "update user_sessions
                        set last_activity = ?, last_ip_address = coalesce(?, last_ip_address)
                      where id = ? and is_active and last_activity <= ?",
                    last.at,
                    from,
                    session,
                    last.at,
                )
                .execute(&self.store.pool);
                self.store.in_time(written)
            });
            if let Err(cause) = written.await {
                tracing::warn!(target: log::ACTIVITY, ?cause, "activity could not be recorded");
                return;
            }
            self.uses.has_heard(&session, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn a_short_idle_limit_is_written_often_enough_for_it() {
        let mut settings = Settings::for_tests("mysql://unused", "redis://unused").sessions;
        settings.session_touch_interval = Duration::from_mins(1);
        settings.session_idle_timeout = Duration::from_secs(2);
        let uses = uses(&settings);
        assert!(uses.due("s", Timestamp(0), None));
        assert!(uses.due("s", Timestamp(200), None));
    }
}
