//! What every step of the work needs: its connections, its counts, and how it tells.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::Slots;
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, RedisResult, ServerError, Value};
use sqlx::MySql;
use sqlx::pool::PoolConnection;

use crate::base::clock::Timestamp;
use crate::base::log_targets as log;
use crate::ledger::ledgers::Ledgers;
use crate::ledger::line::Lines;
pub(super) use crate::store::places::places;
use crate::store::told::told;

/// What a step may take at most: thousands of commands, not one.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How many rows are read and told at a time.
pub(super) const BATCH: u32 = 1000;

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

impl Counts {
    /// Both together.
    pub(super) const fn and(&self, other: &Self) -> Self {
        Self {
            swept: self.swept + other.swept,
            watermarks: self.watermarks + other.watermarks,
            revocations: self.revocations + other.revocations,
            sessions: self.sessions + other.sessions,
            endings: self.endings + other.endings,
        }
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
    #[error("database: {}", told(.0))]
    Database(#[from] sqlx::Error),
    /// Redis did not answer as it should.
    #[error("{0}")]
    Redis(#[from] RedisError),
    /// Another instance is at it.
    #[error("another instance is bringing the ledgers up to date")]
    Elsewhere,
    /// What it had before is not there yet, nor what it says of that.
    #[error("Redis is still reading its data: wait until it has")]
    Loading,
    /// Only a primary takes changes.
    #[error("the server is a replica")]
    Replica,
    /// Another server is the one that is vouched for.
    #[error(
        "another Redis has taken the place of this one: let REDIS_URL lead to that one, or run \
         `portcullis hydrate` if this is the right one"
    )]
    Replaced,
    /// MySQL is not what it was.
    #[error(
        "MySQL lacks commits that Redis knows of, and what has ended in them would be alive again: start \
         the service, which logs everybody out; then the ledgers are up to date"
    )]
    GoneBack,
    /// The ledgers were wiped or the server changed during the work.
    #[error("Redis changed during the work")]
    Disturbed,
    /// A step took too long.
    #[error("a step took too long")]
    Late,
}

pub(super) struct Work<'a> {
    pub(super) ledgers: &'a Ledgers,
    /// Whose ledgers they are.
    pub(super) lines: Arc<Lines>,
    /// Which life of the server they are in.
    pub(super) run_id: String,
    pub(super) db: PoolConnection<MySql>,
    pub(super) redis: MultiplexedConnection,
    pub(super) counts: Counts,
    /// Who hears of what is told, each time of that alone.
    pub(super) report: &'a (dyn Fn(&Counts) + Send + Sync),
    /// In which slots.
    pub(super) scope: Slots,
    /// Those of them that went elsewhere meanwhile.
    pub(super) lost: Slots,
    /// Up to when everybody's sessions have ended, as far as the server was told.
    pub(super) noted: Timestamp,
}

impl Work<'_> {
    /// Whether a user's ledger is among those that are brought up to date.
    pub(super) fn holds(&self, user_id: u64) -> bool {
        self.scope.has(self.ledgers.slot(user_id))
    }

    /// The same, unless their slot went elsewhere meanwhile.
    pub(super) fn keeps(&self, user_id: u64) -> bool {
        let slot = self.ledgers.slot(user_id);
        self.scope.has(slot) && !self.lost.has(slot)
    }

    /// The same of a key.
    pub(super) fn is_here(&self, key: &[u8]) -> bool {
        self.ledgers.is_ours(key) && self.scope.has(self.ledgers.shards.slot(key))
    }

    /// So much more was told.
    pub(super) fn count(&mut self, more: Counts) {
        self.counts = self.counts.and(&more);
        tracing::debug!(target: log::HYDRATE_FILL, told = %self.counts, "some of it was told");
        (self.report)(&more);
    }

    /// One round trip; whatever is refused stops the work, for Redis would lack it.
    pub(super) async fn tell(&mut self, pipeline: Pipeline) -> Result<(), Fault> {
        let refused = self.try_tell(pipeline).await?;
        refused.map_or(Ok(()), |refusal| Err(RedisError::from(refusal).into()))
    }

    /// The same; gives back a refusal that concerns one entry only.
    pub(super) async fn try_tell(
        &mut self,
        pipeline: Pipeline,
    ) -> Result<Option<ServerError>, Fault> {
        let (_, refused) = self.ask(pipeline).await?;
        Ok(refused)
    }

    /// One round trip: what was answered, and a refusal that concerns one entry only. About a key that
    /// holds something else Redis never says OK.
    pub(super) async fn ask(
        &mut self,
        mut pipeline: Pipeline,
    ) -> Result<(Vec<Value>, Option<ServerError>), Fault> {
        if pipeline.is_empty() {
            return Ok((Vec::new(), None));
        }
        pipeline.ignore_errors();
        let replies: Vec<Value> = pipeline.query_async(&mut self.redis).await?;
        let mut refused = None;
        for reply in &replies {
            let Value::ServerError(refusal) = reply else { continue };
            let refusal = refusal.clone();
            match refusal.code() {
                // It is somebody else's business now.
                "MOVED" | "ASK" => self.lost.add(slot_in(refusal)?),
                "WRONGTYPE" => {
                    tracing::error!(
                        target: log::HYDRATE,
                        %refusal,
                        "the key of a ledger holds a value of another type"
                    );
                }
                // Read again, all that was refused for other reasons is refused again.
                "STALE" => refused = Some(refusal),
                "ENDED" => refused = refused.or(Some(refusal)),
                "ERR" if !refusal.details().is_some_and(|d| d.contains("unknown command")) => {
                    refused = refused.or(Some(refusal));
                }
                _ => return Err(RedisError::from(refusal).into()),
            }
        }
        Ok((replies, refused))
    }
}

/// Which slot is elsewhere.
fn slot_in(refusal: ServerError) -> RedisResult<u16> {
    let cause = RedisError::from(refusal);
    let slot = cause.redirect_node().map(|(_, slot)| slot);
    slot.ok_or(cause)
}

/// Waits for MySQL as long as a step may take.
pub(super) async fn within<T>(asked: impl Future<Output = sqlx::Result<T>>) -> Result<T, Fault> {
    Ok(tokio::time::timeout(PATIENCE, asked).await.map_err(|_| Fault::Late)??)
}
