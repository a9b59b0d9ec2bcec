//! Work that one instance does at a time.
//!
//! Who does it is written down in a row that others may replace once it has expired, by the database's
//! clock: in a group of servers that all take changes (Galera) a lock of one server says nothing to the
//! others, and a row is certified. It is renewed while the work goes on. Whoever cannot renew it in time
//! stops, a while before somebody else may begin; a process that died keeps others waiting for as long
//! as the row lasts.
//!
//! Instances of an earlier version know only the server's own lock. So that is held besides, as long as
//! there may be any.

use std::time::Duration;

use sqlx::MySqlPool;
use sqlx::pool::PoolConnection;
use sqlx::{MySql, MySqlConnection};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::database::time;
use crate::base::log_targets as log;
use crate::base::random::Random;
use crate::store::transaction::was_sent_away;

/// What asking for one may take: nobody waits for it, but a MySQL that hangs must not hold it for ever.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long one lasts that is not renewed, in seconds.
const LASTS_S: u32 = 10;
/// How often it is renewed.
const RENEWED_EVERY: Duration = Duration::from_secs(2);
/// How long after the last renewal its holder stops: before it expires, also by a clock that is a little
/// ahead.
const HELD_FOR: Duration = Duration::from_secs(8);

/// Work that nobody else does meanwhile.
pub(crate) struct Held {
    /// The connection for the work. It never returns to the pool.
    pub(crate) db: PoolConnection<MySql>,
    pub(crate) lease: Lease,
}

/// The right to do some work until it is lost or given back.
pub(crate) struct Lease {
    lost: CancellationToken,
    over: CancellationToken,
    keeper: Option<JoinHandle<()>>,
}

impl Lease {
    /// Does the work as long as nobody else may; none, if that was over first.
    pub(crate) async fn keep<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.lost.cancelled() => None,
        }
    }
}

impl Held {
    /// Lets others do it from now on.
    pub(crate) async fn release(mut self) {
        unlock(&mut self.db).await;
        // A MySQL that speaks TLS may be gone before the last word, which then cannot be said.
        drop(self.db.close().await);
        self.lease.over.cancel();
        if let Some(keeper) = self.lease.keeper.take() {
            drop(keeper.await);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

/// Takes the right to do one kind of work; none, if somebody else has it.
pub(crate) async fn lock(pool: &MySqlPool, work: &str) -> sqlx::Result<Option<Held>> {
    let mut db = pool.acquire().await?;
    db.close_on_drop();
    let row = Row { work: work.to_owned(), holder: Random::system().bytes() };
    let taken = time(PATIENCE, async {
        Ok(lock_for_earlier_versions(&mut db, work).await? && row.take(&mut db).await?)
    });
    let is_taken = taken.await?;
    tracing::debug!(target: log::LOCK, work, taken = is_taken, "a lock was asked for");
    if !is_taken {
        unlock(&mut db).await;
        return Ok(None);
    }
    let (lost, over) = (CancellationToken::new(), CancellationToken::new());
    let keeper = tokio::spawn(keep(pool.clone(), row, lost.clone(), over.clone()));
    Ok(Some(Held { db, lease: Lease { lost, over, keeper: Some(keeper) } }))
}

async fn lock_for_earlier_versions(db: &mut MySqlConnection, work: &str) -> sqlx::Result<bool> {
    let got = sqlx::query_scalar!(
        "select get_lock(concat('portcullis.', ?, '.', left(sha2(database(), 256), 32)), 0)",
        work,
    );
    Ok(got.fetch_one(db).await? == Some(1))
}

/// Gives the server's own lock back, which goes with the connection as well, but only when the server has
/// seen to its end: somebody may ask for it before that.
async fn unlock(db: &mut MySqlConnection) {
    let given_back = sqlx::query_scalar!("select release_all_locks()").fetch_one(db);
    if let Err(cause) = time(RENEWED_EVERY, given_back).await {
        tracing::debug!(target: log::LOCK, %cause, "a lock goes with its connection");
    }
}

/// Renews the row until it is over, and says when it is lost.
async fn keep(pool: MySqlPool, row: Row, lost: CancellationToken, over: CancellationToken) {
    let mut renewed = tokio::time::Instant::now();
    loop {
        let ends = renewed + HELD_FOR;
        tokio::select! {
            () = tokio::time::sleep(RENEWED_EVERY) => {}
            () = over.cancelled() => break,
        }
        let begun = tokio::time::Instant::now();
        let outcome = tokio::select! {
            outcome = tokio::time::timeout_at(ends, row.renew(&pool)) => outcome,
            () = over.cancelled() => break,
        };
        match outcome {
            Ok(Ok(true)) => renewed = begun,
            Ok(Err(cause)) if begun + RENEWED_EVERY < ends => {
                tracing::debug!(target: log::LOCK, work = row.work, %cause, "a lock was not renewed");
            }
            Ok(Ok(false) | Err(_)) | Err(_) => {
                tracing::warn!(
                    target: log::LOCK,
                    work = row.work,
                    "a lock could not be renewed; the work stops and whoever gets the lock does it"
                );
                lost.cancel();
                return;
            }
        }
    }
    // What cannot be said now is known once it has expired.
    if let Err(cause) = time(HELD_FOR, row.give_back(&pool)).await {
        tracing::debug!(target: log::LOCK, work = row.work, %cause, "a lock was not given back");
    }
}

/// Who does it.
struct Row {
    work: String,
    holder: [u8; 16],
}

impl Row {
    /// False if somebody else has it, or is faster.
    async fn take(&self, db: &mut MySqlConnection) -> sqlx::Result<bool> {
        match self.try_to_take(db).await {
            Err(cause) if was_sent_away(&cause) => Ok(false),
            taken => taken,
        }
    }

    async fn try_to_take(&self, db: &mut MySqlConnection) -> sqlx::Result<bool> {
        let holder = self.holder.as_slice();
        let over = sqlx::query!(
            "update leases set holder = ?, expires_at = utc_timestamp(3) + interval ? second
              where work = ? and expires_at <= utc_timestamp(3)",
            holder,
            LASTS_S,
            self.work,
        );
        if over.execute(&mut *db).await?.rows_affected() > 0 {
            return Ok(true);
        }
        let new = sqlx::query!(
            "insert ignore into leases (work, holder, expires_at)
             values (?, ?, utc_timestamp(3) + interval ? second)",
            self.work,
            holder,
            LASTS_S,
        );
        Ok(new.execute(db).await?.rows_affected() > 0)
    }

    /// False if somebody else may have it by now.
    async fn renew(&self, pool: &MySqlPool) -> sqlx::Result<bool> {
        let renewed = sqlx::query!(
            "update leases set expires_at = utc_timestamp(3) + interval ? second
              where work = ? and holder = ? and expires_at > utc_timestamp(3)",
            LASTS_S,
            self.work,
            self.holder.as_slice(),
        );
        Ok(renewed.execute(pool).await?.rows_affected() > 0)
    }

    async fn give_back(&self, pool: &MySqlPool) -> sqlx::Result<()> {
        let given_back = sqlx::query!(
            "delete from leases where work = ? and holder = ?",
            self.work,
            self.holder.as_slice(),
        );
        given_back.execute(pool).await.map(drop)
    }
}

#[cfg(test)]
mod tests;
