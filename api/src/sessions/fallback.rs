//! The truth, for when Redis does not know a session, cannot be asked or is not believed.
//!
//! While Redis is away every Bearer check comes here. MySQL must survive that, and whatever else
//! needs it must get through: so many ask at a time, so many wait, and the rest is told to come
//! back (503).

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::App;
use crate::base::clock::UnixMs;
use crate::base::error::{Error, Result};
use crate::http::caller::Caller;
use crate::sessions::live;
use crate::store::standing::standing;

/// How many may wait for each one that asks.
const WAITING_EACH: usize = 64;

/// Turns at MySQL.
pub struct Fallback {
    turns: Semaphore,
    places: Semaphore,
}

impl Fallback {
    /// Half of the connections: logins and refreshes need some as well.
    pub fn new(connections: u32) -> Self {
        let turns = (connections as usize / 2).max(1);
        Self { turns: Semaphore::new(turns), places: Semaphore::new(turns * (1 + WAITING_EACH)) }
    }

    async fn turn(&self) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>)> {
        let place = self.places.try_acquire().map_err(|_| Error::Busy)?;
        let turn = self.turns.acquire().await.map_err(|_| Error::Busy)?;
        Ok((place, turn))
    }
}

/// Refuses a caller whose session or token is not live.
pub(crate) async fn must_live(app: &App, caller: &Caller, now: UnixMs) -> Result<()> {
    let _turn = app.fallback.turn().await?;
    let row = standing!(query!(
        r#"select s.last_activity as "last_activity: UnixMs", s.idle_timeout_s
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
    .fetch_optional(&app.store.pool)
    .await?
    .ok_or(Error::DeadToken)?;
    let in_use = live::in_use(app, &caller.session, (row.last_activity, row.idle_timeout_s), now);
    in_use.then_some(()).ok_or(Error::DeadToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn when_every_place_is_taken_the_next_is_told_to_come_back() {
        let fallback = Fallback::new(2);
        let _asking = fallback.turn().await.unwrap();
        let waiting: Vec<_> =
            (0..WAITING_EACH).map(|_| fallback.places.try_acquire().unwrap()).collect();
        assert!(matches!(fallback.turn().await, Err(Error::Busy)));
        drop(waiting);
        assert!(fallback.places.try_acquire().is_ok());
    }
}
