//! Brings the ledgers in Redis up to date with MySQL after a start, a loss, a failover or a restore
//! from old data: at once by any instance that sees it (one works, under a lock), or by
//! `portcullis hydrate`.
//!
//! While it runs nobody believes Redis; the order of the steps makes it true again:
//!
//!     mark     the sentinel says that work goes on; a FLUSHALL in between removes it
//!     sweep    sessions that MySQL does not have are ended; only if it is unknown how old the data
//!              is, for otherwise the outbox still has every ending that may be missing
//!     fill     watermarks and revocations first, then every live session
//!     end      endings from the outbox are told again: those that the data is too old for, and
//!              those that happened while the sessions were being filled in
//!     wait     so are the endings that wait now, whoever else is telling them; about users for
//!              whom anything else waits nobody will believe Redis
//!     confirm  sentinel and AUTH.CONFIRM in one step, unless the mark has gone or the module says
//!              that the ledgers are others now
//!
//! Ending twice is harmless, and a session is only filled in before the endings are read and behind
//! a fence (`ledger/telling.rs`): whatever is dead in MySQL is dead in Redis when the last step is
//! done.

use std::fmt;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, ServerError, Value};
use sqlx::MySql;
use sqlx::pool::PoolConnection;

use crate::App;
use crate::base::clock::UnixMs;
use crate::base::log;
use crate::ledger::line::redis_now;
use crate::ledger::outbox;
use crate::ledger::sentinel::{self, Confirmation, Mark, Sight};
use crate::store::cleanup;

pub(crate) use fill::Standing;

mod endings;
mod fill;
mod sweep;

/// What a step may take at most: thousands of commands, not one.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many rows are read and told at a time.
const BATCH: u32 = 1000;

/// How much is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What this life of Redis may lack; nothing, if it was brought up to date before.
    WhatIsMissing,
    /// Everything, whatever Redis says of itself.
    Everything,
}

/// What has been told so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sessions ended that MySQL does not have.
    pub swept: u64,
    /// Watermarks.
    pub watermarks: u64,
    /// Revoked tokens.
    pub revocations: u64,
    /// Live sessions.
    pub sessions: u64,
    /// Endings told again.
    pub endings: u64,
}

impl Counts {
    /// What has been filled in, of [`size`].
    pub const fn filled(&self) -> u64 {
        self.watermarks + self.revocations + self.sessions
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { swept, watermarks, revocations, sessions, endings } = self;
        write!(
            f,
            "sessions {sessions}, revocations {revocations}, watermarks {watermarks}, \
             swept {swept}, endings {endings}"
        )
    }
}

/// Why the ledgers could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// MySQL did not answer as it should.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// Redis did not answer as it should.
    #[error("redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// Another instance is at it.
    #[error("another instance brings the ledgers up to date")]
    Elsewhere,
    /// Only a primary takes changes.
    #[error("the server is a replica")]
    Replica,
    /// The ledgers were wiped or the server changed during the work.
    #[error("Redis changed during the work")]
    Disturbed,
    /// A step took too long.
    #[error("a step took too long")]
    Late,
}

/// How much there is to fill in, for whoever wants to see how far it is.
pub async fn size(app: &App) -> sqlx::Result<u64> {
    let now = app.clock.now();
    let size = sqlx::query_scalar!(
        r#"select (select count(*) from users where tokens_valid_after is not null)
                + (select count(*) from token_blacklist_enhanced
                    where token_expiry > ? and token_type = 'access' and user_id is not null)
                + (select count(*) from user_sessions
                    where is_active and expires_at > ?) as "size!: i64""#,
        now,
        now,
    )
    .fetch_one(&app.store.pool)
    .await?;
    Ok(size.unsigned_abs())
}

/// Brings the ledgers up to date; `None` if they are.
pub async fn bring_up_to_date(
    app: &App,
    extent: Extent,
    report: &(dyn Fn(&Counts) + Send + Sync),
) -> Result<Option<Counts>, Fault> {
    let locked = tokio::time::timeout(PATIENCE, cleanup::lock(&app.store.pool, "hydrate"));
    let db = locked.await.map_err(|_| Fault::Late)??.ok_or(Fault::Elsewhere)?;
    let lines = &app.ledger.lines;
    // What waits in the outbox is delivered on the line.
    lines.connect().await?;
    let mut redis = lines.open(PATIENCE).await?;
    let sight = lines.look(&mut redis).await?;
    if sight.is_up_to_date() && extent == Extent::WhatIsMissing {
        return Ok(None);
    }
    if !sight.is_primary() {
        return Err(Fault::Replica);
    }
    let mut work = Work { app, db, redis, counts: Counts::default(), report };
    let done = Box::pin(work.run(&sight, extent)).await;
    // As after a cleanup: the work is done, however the connection ends.
    drop(work.db.close().await);
    done.map(Some)
}

struct Work<'a> {
    app: &'a App,
    db: PoolConnection<MySql>,
    redis: MultiplexedConnection,
    counts: Counts,
    report: &'a (dyn Fn(&Counts) + Send + Sync),
}

impl Work<'_> {
    async fn run(&mut self, sight: &Sight, extent: Extent) -> Result<Counts, Fault> {
        let started = std::time::Instant::now();
        let now = self.app.clock.now();
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
        let from = known.map_or(newest, |mark| mark.position.min(newest));
        self.tell_endings(from, &waiting, before_sessions).await?;
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
    fn is_recent(&self, mark: &Mark, now: UnixMs) -> bool {
        mark.at > now.minus(self.app.settings.stores.outbox_retention / 2)
    }

    /// Says in Redis that work goes on, and keeps there what is known of its age.
    async fn mark(&mut self, sight: &Sight, known: Option<&Mark>) -> Result<Mark, Fault> {
        let nonce = u64::from_le_bytes(self.app.random.bytes::<8>());
        let mark = Mark {
            run_id: format!("hydrating-{nonce:016x}"),
            position: known.map_or(0, |mark| mark.position),
            at: known.map_or(UnixMs(0), |mark| mark.at),
        };
        let key = self.app.ledger.lines.sentinel();
        let Some(before) = &sight.mark else {
            redis::cmd("SET").arg(key).arg(mark.text()).exec_async(&mut self.redis).await?;
            return Ok(mark);
        };
        let replaced = sentinel::replace(&mut self.redis, key, before, &mark).await?;
        replaced.then_some(mark).ok_or(Fault::Disturbed)
    }

    async fn confirm(&mut self, sight: &Sight, mark: &Mark) -> Result<(), Fault> {
        let position = outbox::position(self.app, mark.position).await?;
        let done = Mark { run_id: sight.run_id.clone(), position, at: self.app.clock.now() };
        let key = self.app.ledger.lines.sentinel();
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

    /// One round trip; whatever is refused stops the work, for Redis would lack it.
    async fn tell(&mut self, pipeline: Pipeline) -> Result<(), Fault> {
        let refused = self.try_tell(pipeline).await?;
        refused.map_or(Ok(()), |refusal| Err(redis::RedisError::from(refusal).into()))
    }

    /// The same; gives back a refusal that concerns one entry only. About a key that holds
    /// something else Redis never says OK.
    async fn try_tell(&mut self, mut pipeline: Pipeline) -> Result<Option<ServerError>, Fault> {
        if pipeline.is_empty() {
            return Ok(None);
        }
        pipeline.ignore_errors();
        let replies: Vec<Value> = pipeline.query_async(&mut self.redis).await?;
        (self.report)(&self.counts);
        let mut refused = None;
        for reply in replies {
            let Value::ServerError(refusal) = reply else { continue };
            match refusal.code() {
                "WRONGTYPE" => {
                    tracing::error!(
                        target: log::HYDRATE,
                        %refusal,
                        "a ledger's key holds something else"
                    );
                }
                // Read again, all that was refused for other reasons is refused again.
                "STALE" => refused = Some(refusal),
                "ENDED" => refused = refused.or(Some(refusal)),
                "ERR" if !refusal.details().is_some_and(|d| d.contains("unknown command")) => {
                    refused = refused.or(Some(refusal));
                }
                _ => return Err(redis::RedisError::from(refusal).into()),
            }
        }
        Ok(refused)
    }
}

async fn within<T>(asked: impl Future<Output = sqlx::Result<T>>) -> Result<T, Fault> {
    Ok(tokio::time::timeout(PATIENCE, asked).await.map_err(|_| Fault::Late)??)
}
