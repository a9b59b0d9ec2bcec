//! The steps, in their order.

use std::time::Duration;

use super::work::{Counts, Fault, PATIENCE, Work, within};
use crate::base::clock::Timestamp;
use crate::base::log_targets as log;
use crate::ledger::ledgers::Ledgers;
use crate::ledger::outbox::position::position;
use crate::ledger::redis_time::redis_now;
use crate::ledger::sentinel::{self, Confirmation, Mark, Sight};
use crate::store::lock::{Held, lock};

/// How much is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What this life of Redis may lack; nothing, if it was brought up to date before.
    WhatIsMissing,
    /// Everything, whatever Redis says of itself.
    Everything,
}

/// How much there is to fill in, for whoever wants to see how far it is.
pub async fn size(ledgers: &Ledgers) -> sqlx::Result<u64> {
    let now = ledgers.clock.now();
    let size = sqlx::query_scalar!(
        r#"select (select count(*) from users where tokens_valid_after is not null)
                + (select count(*) from token_blacklist_enhanced
                    where token_expiry > ? and token_type = 'access' and user_id is not null)
                + (select count(*) from user_sessions
                    where is_active and expires_at > ?) as "size!: i64""#,
        now,
        now,
    )
    .fetch_one(&ledgers.store.pool)
    .await?;
    Ok(size.unsigned_abs())
}

/// Brings the ledgers up to date; `None` if they are.
pub async fn bring_up_to_date(
    ledgers: &Ledgers,
    extent: Extent,
    report: &(dyn Fn(&Counts) + Send + Sync),
) -> Result<Option<Counts>, Fault> {
    let locked = tokio::time::timeout(PATIENCE, lock(&ledgers.store.pool, "hydrate"));
    let held = locked.await.map_err(|_| Fault::Late)??.ok_or(Fault::Elsewhere)?;
    let lines = &ledgers.lines;
    // What waits in the outbox is delivered on the line.
    lines.connect().await?;
    let mut redis = lines.open(PATIENCE).await?;
    let sight = lines.look(&mut redis).await?;
    lines.note(sight.lack)?;
    if sight.is_up_to_date() && extent == Extent::WhatIsMissing {
        return Ok(None);
    }
    if !sight.is_primary() {
        return Err(Fault::Replica);
    }
    let Held { db, lease } = held;
    let mut work = Work { ledgers, db, redis, counts: Counts::default(), report };
    let done = Box::pin(lease.keep(work.run(&sight, extent))).await;
    Held { db: work.db, lease }.release().await;
    done.unwrap_or(Err(Fault::Elsewhere)).map(Some)
}

impl Work<'_> {
    async fn run(&mut self, sight: &Sight, extent: Extent) -> Result<Counts, Fault> {
        let started = std::time::Instant::now();
        let now = self.ledgers.clock.now();
        let known = sight.parsed().filter(|mark| self.is_recent(mark, now));
        tracing::info!(
            target: log::HYDRATE,
            run_id = sight.run_id,
            from = known.as_ref().map(|mark| mark.position),
            "bringing the ledgers up to date"
        );
        let mark = self.mark(sight, known.as_ref()).await?;

        let waiting = self.waiting().await?;
        let newest = self.newest().await?;
        if known.is_none() || extent == Extent::Everything {
            self.sweep(now).await?;
        }
        self.fill_watermarks().await?;
        self.fill_revocations(now).await?;
        let before_sessions = redis_now(&mut self.redis).await?.minus(Duration::from_millis(1));
        self.fill_sessions(now).await?;
        let from = known.as_ref().map_or(newest, |mark| mark.position.min(newest));
        self.tell_endings(from, &waiting, before_sessions).await?;
        if let Some(mark) = &known {
            self.tell_late_endings(mark, from, before_sessions).await?;
        }
        self.tell_waiting(before_sessions).await?;
        self.confirm(sight, &mark).await?;
        tracing::info!(
            target: log::HYDRATE,
            counts = %self.counts,
            took = ?started.elapsed(),
            "the ledgers are up to date"
        );
        Ok(self.counts)
    }

    /// Whether the outbox still has everything that happened since. Half of its retention, so that
    /// a clock that has stepped does no harm.
    fn is_recent(&self, mark: &Mark, now: Timestamp) -> bool {
        mark.at > now.minus(self.ledgers.outbox_retention / 2)
    }

    /// Says in Redis that work goes on, and keeps there what is known of its age.
    async fn mark(&mut self, sight: &Sight, known: Option<&Mark>) -> Result<Mark, Fault> {
        let nonce = u64::from_le_bytes(self.ledgers.random.bytes::<8>());
        let mark = Mark {
            run_id: format!("hydrating-{nonce:016x}"),
            position: known.map_or(0, |mark| mark.position),
            at: known.map_or(Timestamp(0), |mark| mark.at),
        };
        let key = self.ledgers.lines.sentinel();
        let Some(before) = &sight.mark else {
            redis::cmd("SET").arg(key).arg(mark.text()).exec_async(&mut self.redis).await?;
            return Ok(mark);
        };
        let replaced = sentinel::replace(&mut self.redis, key, before, &mark).await?;
        replaced.then_some(mark).ok_or(Fault::Disturbed)
    }

    async fn confirm(&mut self, sight: &Sight, mark: &Mark) -> Result<(), Fault> {
        let position = position(self.ledgers, mark.position).await?;
        let done = Mark { run_id: sight.run_id.clone(), position, at: self.ledgers.clock.now() };
        let key = self.ledgers.lines.sentinel();
        let mark = mark.text();
        let confirmation = Confirmation { mark: &mark, done: &done, life: &sight.life };
        let confirmed = sentinel::confirm(&mut self.redis, key, confirmation).await;
        match confirmed {
            Ok(true) => Ok(()),
            Ok(false) => Err(Fault::Disturbed),
            // The ledgers that were brought up to date are not those that are there now.
            Err(cause) if cause.code() == Some("STALE") => Err(Fault::Disturbed),
            Err(cause) => Err(cause.into()),
        }
    }

    /// The rows that wait already. What they say is in what is read from now on.
    async fn waiting(&mut self) -> Result<Vec<u64>, Fault> {
        let asked = sqlx::query_scalar!(
            "select id from revocation_outbox where delivered_at is null order by id"
        )
        .fetch_all(&mut *self.db);
        within(asked).await
    }

    /// The outbox' newest row.
    async fn newest(&mut self) -> Result<u64, Fault> {
        let asked =
            sqlx::query_scalar!(r#"select max(id) as "newest: u64" from revocation_outbox"#)
                .fetch_one(&mut *self.db);
        Ok(within(asked).await?.unwrap_or(0))
    }
}
