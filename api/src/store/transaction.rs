//! A transaction in MySQL that nobody inherits, and that is run again if MySQL sent it away.
//!
//! sqlx knows of a transaction from the answer to `BEGIN` on, and rolls back what it knows of. Whoever
//! gives up before that, because a client has gone or a deadline has passed, would return to the pool
//! a connection inside a transaction, and what the next one does there would never be committed. So
//! such a connection is closed.
//!
//! Of transactions that wait for each other in a circle MySQL sends one away, and it may do so at the
//! commit. Nothing of that one has happened, so `repeat` runs it again. What a transaction says to the
//! world beside MySQL, a line in the log or a count, it therefore says once it is committed.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::mysql::{MySqlDatabaseError, MySqlTransactionManager};
use sqlx::pool::PoolConnection;
use sqlx::{MySql, MySqlConnection, MySqlPool, SqlSafeStr};
use sqlx_core::transaction::TransactionManager as _;
use tokio::time::Instant;

use crate::base::error::{Error, Result};
use crate::base::log_targets as log;
use crate::metrics;
use crate::store::database::Store;

/// How often a transaction that was sent away is run again.
const REPETITIONS: u32 = 3;

impl Store {
    /// Begins a transaction on a connection from the pool.
    pub(crate) async fn begin(&self) -> sqlx::Result<Transaction> {
        Transaction::begin(&self.pool).await
    }

    /// The same for what goes on beside the requests: whoever reads what MySQL is told, as its general
    /// log or a test's proxy does, tells the two apart by how they begin.
    pub(crate) async fn begin_beside(&self) -> sqlx::Result<Transaction> {
        Transaction::begin_beside(&self.pool).await
    }

    /// Runs a transaction from its beginning to its commit, and again if MySQL sent it away and an
    /// answer can still come in time.
    pub(crate) async fn repeat<T, E: Into<Error>, F>(&self, work: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, E>>,
    {
        repeat_within(self.answer_deadline, work).await
    }

    /// The same for what no request waits for, be it one statement alone.
    pub(crate) async fn repeat_beside<T, F>(&self, mut work: impl FnMut() -> F) -> sqlx::Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let mut repetitions = Repetitions::within(self.answer_deadline);
        loop {
            match work().await {
                Err(cause) if repetitions.may_follow(&cause) => {}
                outcome => return outcome,
            }
        }
    }
}

/// The same for whoever has another deadline.
pub(crate) async fn repeat_within<T, E: Into<Error>, F>(
    limit: Duration,
    mut work: impl FnMut() -> F,
) -> Result<T>
where
    F: Future<Output = std::result::Result<T, E>>,
{
    let mut repetitions = Repetitions::within(limit);
    loop {
        match work().await.map_err(Into::into) {
            Err(Error::Database(cause)) if repetitions.may_follow(&cause) => {}
            outcome => return outcome,
        }
    }
}

/// How often a transaction may still be run again, for whoever has to write the loop down. Nothing is
/// begun that would be cut short: the server does not hear of that at once, and goes on waiting for
/// locks that nobody wants any more.
pub(crate) struct Repetitions {
    left: u32,
    limit: Duration,
    begun: Instant,
    /// When it was last begun.
    last: Instant,
}

impl Repetitions {
    /// It begins now and has so long in all.
    pub(crate) fn within(limit: Duration) -> Self {
        let now = Instant::now();
        Self { left: REPETITIONS, limit, begun: now, last: now }
    }

    /// Whether it is to be run again after this; if so it begins now.
    pub(crate) fn may_follow(&mut self, cause: &sqlx::Error) -> bool {
        let now = Instant::now();
        let has_time = (now - self.begun) + (now - self.last) < self.limit;
        if self.left == 0 || !has_time || !was_sent_away(cause) {
            return false;
        }
        self.left -= 1;
        self.last = now;
        metrics::transaction_repeated();
        tracing::debug!(
            target: log::TRANSACTION,
            %cause,
            left = self.left,
            "MySQL sent a transaction away; it is run again"
        );
        true
    }
}

/// Whether MySQL has given the transaction up for another's sake, so that it may be run again.
pub(crate) fn was_sent_away(error: &sqlx::Error) -> bool {
    /// A deadlock, a lock that was waited for too long, and what group replication says at a commit
    /// if another server was faster.
    const NUMBERS: [u16; 3] = [1213, 1205, 3101];
    /// A conflict that was seen only at the commit, as a cluster does.
    const SERIALIZATION_FAILURE: &str = "40001";
    error.as_database_error().is_some_and(|cause| {
        let number = cause.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number);
        number.is_some_and(|number| NUMBERS.contains(&number))
            || cause.code().is_some_and(|code| code == SERIALIZATION_FAILURE)
    })
}

/// Why a transaction has its connection.
const GOES_LAST: &str = "only who ends a transaction takes its connection";

/// What is not committed before it is dropped is rolled back.
pub(crate) struct Transaction {
    /// Until it has ended.
    connection: Option<PoolConnection<MySql>>,
    has_begun: bool,
    to_say: Vec<Box<dyn FnOnce() + Send + Sync>>,
}

impl Transaction {
    /// Begins one on a connection from the pool.
    pub(crate) async fn begin(db: &MySqlPool) -> sqlx::Result<Self> {
        Self::begin_on(db.acquire().await?).await
    }

    /// Begins one beside the requests, which begin theirs by `BEGIN`.
    pub(crate) async fn begin_beside(db: &MySqlPool) -> sqlx::Result<Self> {
        Self::begin_with(db.acquire().await?, Some("start transaction")).await
    }

    /// Begins one on this connection.
    pub(crate) async fn begin_on(connection: PoolConnection<MySql>) -> sqlx::Result<Self> {
        Self::begin_with(connection, None).await
    }

    async fn begin_with(
        connection: PoolConnection<MySql>,
        statement: Option<&'static str>,
    ) -> sqlx::Result<Self> {
        let mut tx = Self { connection: Some(connection), has_begun: false, to_say: Vec::new() };
        let statement = statement.map(SqlSafeStr::into_sql_str);
        MySqlTransactionManager::begin(&mut tx, statement).await?;
        tx.has_begun = true;
        Ok(tx)
    }

    /// Keeps what is to be said when this lasts; if it is rolled back, nobody says it.
    pub(crate) fn once_committed(&mut self, say: impl FnOnce() + Send + Sync + 'static) {
        self.to_say.push(Box::new(say));
    }

    /// Makes it last.
    pub(crate) async fn commit(self) -> sqlx::Result<()> {
        self.commit_and_keep().await.map(drop)
    }

    /// Makes it last and hands on its connection, for whoever needs one at once.
    pub(crate) async fn commit_and_keep(mut self) -> sqlx::Result<PoolConnection<MySql>> {
        MySqlTransactionManager::commit(&mut self).await?;
        self.say();
        Ok(self.connection.take().expect(GOES_LAST))
    }

    fn say(&mut self) {
        for say in self.to_say.drain(..) {
            say();
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        if self.has_begun {
            // Sent when the connection goes back; nothing after a commit.
            MySqlTransactionManager::start_rollback(connection);
        } else {
            connection.close_on_drop();
        }
    }
}

impl Deref for Transaction {
    type Target = MySqlConnection;

    fn deref(&self) -> &MySqlConnection {
        self.connection.as_ref().expect(GOES_LAST)
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        self.connection.as_mut().expect(GOES_LAST)
    }
}
