//! Locks in MySQL for work that one instance does at a time.

use std::time::Duration;

use sqlx::MySql;
use sqlx::MySqlPool;
use sqlx::pool::PoolConnection;

use super::database::time;
use crate::base::log_targets as log;

/// What asking for one may take: nobody waits for it, but a MySQL that hangs must not hold it for ever.
const PATIENCE: Duration = Duration::from_mins(1);

/// Takes this database's lock for one kind of work. It goes with the connection, which never
/// returns to the pool.
pub(crate) async fn lock(
    db: &MySqlPool,
    work: &str,
) -> sqlx::Result<Option<PoolConnection<MySql>>> {
    let mut connection = db.acquire().await?;
    connection.close_on_drop();
    let asked = sqlx::query_scalar!(
        "select get_lock(concat('portcullis.', ?, '.', left(sha2(database(), 256), 32)), 0)",
        work,
    )
    .fetch_one(&mut *connection);
    let got = time(PATIENCE, asked).await?;
    tracing::debug!(target: log::LOCK, work, taken = got == Some(1), "a lock was asked for");
    Ok((got == Some(1)).then_some(connection))
}
