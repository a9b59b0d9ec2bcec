//! The truth, for when Redis does not know a session, cannot be asked or is not believed.
//!
//! While Redis is away every Bearer check comes here. MySQL must survive that, and whatever else
//! needs it must get through: so many ask at a time, so many wait, and the rest is told to come
//! back (503).

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::caller::Caller;
use super::live;
use crate::base::clock::Timestamp;
use crate::base::error::{Error, Result};
use crate::base::last_use::Uses;
use crate::base::log_targets as log;
use crate::store::database::Store;
use crate::store::standing::standing;

/// How many may wait for each one that asks.
const WAITING_EACH: usize = 64;

/// Turns at MySQL.
pub struct Fallback {
    turns: Semaphore,
    places: Semaphore,
    store: Store,
    uses: Arc<Uses>,
}

impl Fallback {
    /// Half of the connections: logins and refreshes need some as well.
    pub(crate) fn new(connections: u32, store: Store, uses: Arc<Uses>) -> Self {
        let turns = (connections as usize / 2).max(1);
        let places = Semaphore::new(turns * (1 + WAITING_EACH));
        Self { turns: Semaphore::new(turns), places, store, uses }
    }

    /// Refuses a caller whose session or token is not live.
    pub(super) async fn must_live(&self, caller: &Caller, now: Timestamp) -> Result<()> {
        let _turn = self.turn().await?;
        let row = standing!(query!(
            r#"select s.last_activity as "last_activity: Timestamp", s.idle_timeout_s
                 from user_sessions s
                where s.id = ? and s.user_id = ?
                  and not exists (select 1 from token_blacklist_enhanced b
                                   where b.token_hash = ? and b.token_expiry > ?)
                  and "#
                + STANDING,
            caller.session,
            caller.user_id,
            caller.digest.as_bytes().as_slice(),
            now,
            now,
        ))
        .fetch_optional(&self.store.pool)
        .await?
        .ok_or_else(|| {
            let user_id = caller.user_id;
            tracing::debug!(target: log::LEDGER_CHECK, user_id, "MySQL has no such live session");
            Error::DeadToken
        })?;
        let (seen, idle_s) = (row.last_activity, row.idle_timeout_s);
        let is_used = live::is_still_used(&self.uses, &caller.session, seen, idle_s, now);
        is_used.then_some(()).ok_or(Error::DeadToken)
    }

    async fn turn(&self) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>)> {
        let place = self.places.try_acquire().map_err(|_| Error::Busy)?;
        let turn = self.turns.acquire().await.map_err(|_| Error::Busy)?;
        Ok((place, turn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::activity;
    use crate::settings::Settings;

    #[tokio::test]
    async fn when_every_place_is_taken_the_next_is_told_to_come_back() {
        let settings = Settings::for_tests("mysql://unused", "redis://unused");
        let store = Store::new(&settings.stores).unwrap();
        let fallback = Fallback::new(2, store, activity::uses(&settings.sessions));
        let _asking = fallback.turn().await.unwrap();
        let waiting: Vec<_> =
            (0..WAITING_EACH).map(|_| fallback.places.try_acquire().unwrap()).collect();
        assert!(matches!(fallback.turn().await, Err(Error::Busy)));
        drop(waiting);
        assert!(fallback.places.try_acquire().is_ok());
    }
}
