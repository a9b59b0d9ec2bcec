//! A transaction in MySQL that nobody inherits.
//!
//! sqlx knows of a transaction from the answer to `BEGIN` on, and rolls back what it knows of. Whoever
//! gives up before that, because a client has gone or a deadline has passed, would return to the pool
//! a connection inside a transaction, and what the next one does there would never be committed. So
//! such a connection is closed.

use std::ops::{Deref, DerefMut};

use sqlx::mysql::MySqlTransactionManager;
use sqlx::pool::PoolConnection;
use sqlx::{Executor as _, MySql, MySqlConnection, MySqlPool};
use sqlx_core::transaction::TransactionManager as _;

/// What is not committed before it is dropped is rolled back.
pub(crate) struct Transaction {
    connection: PoolConnection<MySql>,
    has_begun: bool,
}

impl Transaction {
    /// Begins one on a connection from the pool.
    pub(crate) async fn begin(db: &MySqlPool) -> sqlx::Result<Self> {
        Self::begin_on(db.acquire().await?).await
    }

    /// Begins one on this connection.
    pub(crate) async fn begin_on(connection: PoolConnection<MySql>) -> sqlx::Result<Self> {
        let mut tx = Self { connection, has_begun: false };
        MySqlTransactionManager::begin(&mut tx.connection, None).await?;
        tx.has_begun = true;
        Ok(tx)
    }

    /// Makes it last and begins the next one on the same connection, in one round trip.
    pub(crate) async fn commit_and_begin(&mut self) -> sqlx::Result<()> {
        self.connection.execute("commit and chain").await.map(drop)
    }

    /// Makes it last.
    pub(crate) async fn commit(mut self) -> sqlx::Result<()> {
        MySqlTransactionManager::commit(&mut self.connection).await
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.has_begun {
            // Sent when the connection goes back; nothing after a commit.
            MySqlTransactionManager::start_rollback(&mut self.connection);
        } else {
            self.connection.close_on_drop();
        }
    }
}

impl Deref for Transaction {
    type Target = MySqlConnection;

    fn deref(&self) -> &MySqlConnection {
        &self.connection
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        &mut self.connection
    }
}
