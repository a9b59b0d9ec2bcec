//! When a session was last used, told to both stores.
//!
//! Redis hears at once, because its idle verdict depends on it; MySQL hears in batches, and of each
//! session once an interval, however many instances see it: who finds that another has written it down
//! counts that as its own. What MySQL knows may therefore be late by the interval and one batch: never
//! more than a fifth of the idle limit. An instance that dies takes one batch with it, of which the
//! others have seen what they served. What Redis could not hear it is told again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Encode, FromRow, MySql, QueryBuilder, Type};

use crate::base::clock::{Clock, Timestamp};
use crate::base::error::Result;
use crate::base::last_use::{Unheard, Use, Uses};
use crate::base::log_targets as log;
use crate::base::session_id::SessionId;
use crate::ledger::ledgers::Ledgers;
use crate::ledger::repair;
use crate::settings::Sessions;
use crate::store::database::Store;

/// How long a session may be held by others whenever it is to be written down.
const GONE_AFTER: Duration = Duration::from_hours(1);
/// How many sessions one statement writes down.
const BATCH: usize = 200;
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
                    repair::put_back_later(&self.ledgers, user_id, session);
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
            if !self.ledgers.is_believed_of(user_id) {
                continue;
            }
            self.tell_redis(user_id, &session, at).await;
        }
    }

    /// In batches, each in one order.
    async fn tell_mysql(&self) {
        let waiting = self.uses.waiting(self.clock.now());
        let mut waiting: Vec<(String, Use)> = waiting.into_iter().collect();
        waiting.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        for batch in waiting.chunks(BATCH) {
            if let Err(cause) = self.tell_batch(batch).await {
                tracing::warn!(target: log::ACTIVITY, ?cause, "activity could not be recorded");
                return;
            }
        }
    }

    /// What somebody holds waits for the next time: nobody shall wait for whoever waits.
    async fn tell_batch(&self, batch: &[(String, Use)]) -> Result<()> {
        let now = self.clock.now();
        let free: HashMap<String, Known> =
            self.free(batch).await?.into_iter().map(|known| (known.id.clone(), known)).collect();
        let mut news = Vec::new();
        for (session, last) in batch {
            match free.get(session) {
                Some(known) if !known.is_active => self.uses.has_heard(session, *last),
                Some(known) if self.uses.is_news(known.last(), *last) => {
                    news.push((known, *last));
                }
                Some(known) => {
                    self.uses.others_have_written(session, known.last_activity, *last);
                }
                // Nobody holds it for so long: it is gone.
                None if now.since(last.at) > GONE_AFTER => self.uses.has_heard(session, *last),
                None => {}
            }
        }
        if news.is_empty() {
            return Ok(());
        }
        self.store.repeat(|| self.write(&news)).await?;
        for (known, last) in news {
            self.uses.has_heard(&known.id, last);
        }
        Ok(())
    }

    /// What MySQL knows of those sessions that nobody holds.
    async fn free(&self, batch: &[(String, Use)]) -> sqlx::Result<Vec<Known>> {
        let mut select = QueryBuilder::<MySql>::new(
            "select s.id, s.user_id, s.is_active, s.last_activity, s.last_ip_address
               from user_sessions s force index (primary)
               straight_join users u force index (primary) on u.id = s.user_id
              where s.id in (",
        );
        push_list(&mut select, batch.iter().map(|(session, _)| session));
        select.push(" for update skip locked");
        let select = select.build_query_as().persistent(false);
        self.store.in_time(select.fetch_all(&self.store.pool)).await
    }

    /// In one statement, users first and in the order of their ids (`store/held_rows.rs`).
    async fn write(&self, news: &[(&Known, Use)]) -> sqlx::Result<()> {
        let mut update = QueryBuilder::<MySql>::new(
            "update users u force index (primary)
               straight_join user_sessions s force index (idx_user_session_user_id)
                       on s.user_id = u.id
                set s.last_activity = greatest(s.last_activity, cast(case s.id",
        );
        for (known, last) in news {
            update.push(" when ").push_bind(&known.id).push(" then ").push_bind(last.at);
        }
        update.push(" end as datetime(3))), s.last_ip_address = coalesce(case s.id");
        for (known, last) in news {
            let from = last.from.map(|ip| ip.to_string());
            update.push(" when ").push_bind(&known.id).push(" then ").push_bind(from);
        }
        update.push(" end, s.last_ip_address) where s.is_active = true and u.id in (");
        push_list(&mut update, news.iter().map(|(known, _)| known.user_id));
        update.push(" and s.id in (");
        push_list(&mut update, news.iter().map(|(known, _)| &known.id));
        let update = update.build().persistent(false);
        self.store.in_time(update.execute(&self.store.pool)).await.map(drop)
    }
}

/// What MySQL knows of a session.
#[derive(FromRow)]
struct Known {
    id: String,
    user_id: u64,
    is_active: bool,
    last_activity: Timestamp,
    last_ip_address: Option<String>,
}

impl Known {
    fn last(&self) -> Use {
        let from = self.last_ip_address.as_ref().and_then(|ip| ip.parse().ok());
        Use { at: self.last_activity, from }
    }
}

/// `…, …)`
fn push_list<'a, T>(query: &mut QueryBuilder<MySql>, values: impl Iterator<Item = T>)
where
    T: Encode<'a, MySql> + Type<MySql>,
{
    let mut list = query.separated(", ");
    for value in values {
        list.push_bind(value);
    }
    query.push(")");
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
