//! Connections to MySQL, and when to let go of one.
//!
//! A server that hangs and a network that swallows never say so: whoever waits for them waits for
//! ever, and a connection that waits keeps its place in the pool and its locks in the server. So
//!
//!     a request    ends with its own deadline (`http/request.rs`); what nobody waits for, in `in_time`
//!     a connection goes back to the pool only if it answers in time, and outside a transaction
//!                  (`transaction.rs`)
//!     the server   ends a session that has gone silent, and gives its locks back
//!
//! A node of a group that commits everywhere (Galera) may lag behind the others. Whatever is decided
//! here rests on what was read, so there a read or a transaction waits until the node has heard of all
//! that was committed before; a node that does not hear of it in time is an outage and no answer.

use std::io;
use std::time::Duration;

use anyhow::Context as _;
use log::LevelFilter;
use secrecy::ExposeSecret as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, MySqlPool};

use crate::settings::Stores;
use crate::store::history::History;
use crate::store::told::number;

/// How long an unused connection is kept.
const KEPT: Duration = Duration::from_secs(10);
/// After how much silence the server ends a session: longer than any is kept unused.
const SILENT_S: u64 = 30;

/// Reads, and transactions at their beginning, wait for what other nodes have committed before. Said
/// once a connection: a server that is no node of a group does nothing about it, and one that cannot be
/// does not know the word.
const READ_WHAT_ALL_COMMITTED: &str = "set session wsrep_sync_wait = 1";
/// How many connections there are that are not compared: for the work, its lease, and a look.
const UNEXAMINED: u32 = 4;
/// MySQL's number for a word it does not know.
const UNKNOWN_VARIABLE: u16 = 1193;

/// MySQL, and how long it may take; a clone is the same.
#[derive(Clone)]
pub struct Store {
    /// The connections.
    pub pool: MySqlPool,
    /// What is known of MySQL's commits.
    pub(crate) history: History,
    /// Connections that are handed out whatever is known, for whoever sees to what MySQL lacks.
    pub(crate) unexamined: MySqlPool,
    /// How long MySQL may take.
    deadline: Duration,
    /// How long an answer may take.
    pub(super) answer_deadline: Duration,
}

impl Store {
    /// Prepares for a MySQL that need not be there yet.
    pub fn new(stores: &Stores) -> anyhow::Result<Self> {
        let history = History::default();
        Ok(Self {
            pool: pool(stores, Some(history.clone()))?,
            unexamined: pool(stores, None)?,
            history,
            deadline: stores.db_deadline,
            answer_deadline: stores.answer_deadline(),
        })
    }

    /// Ends all connections.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
        self.unexamined.close().await;
    }

    /// Waits for MySQL as long as it may take and no longer.
    pub(crate) async fn in_time<T>(
        &self,
        asked: impl Future<Output = sqlx::Result<T>>,
    ) -> sqlx::Result<T> {
        time(self.deadline, asked).await
    }
}

/// A pool whose sessions speak UTC, refuse what does not fit and read what is committed; which is compared
/// with what is known of it.
fn pool(stores: &Stores, history: Option<History>) -> anyhow::Result<MySqlPool> {
    let options: MySqlConnectOptions = stores
        .database_url()
        .expose_secret()
        .parse()
        .context("DATABASE_URL is not a valid MySQL URL")?;
    let options = log_statements(options, stores.db_slow_query);
    let (settings, deadline) = (session_settings(stores), stores.db_deadline);
    let size = if history.is_some() { stores.db_pool_size } else { UNEXAMINED };
    let (known, redis_deadline) = (history.clone(), stores.redis_deadline);
    Ok(MySqlPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(deadline)
        .idle_timeout(KEPT)
        .after_connect(move |connection, _| {
            let (settings, history) = (settings.clone(), history.clone());
            Box::pin(async move {
                for setting in settings {
                    connection.execute(AssertSqlSafe(setting)).await?;
                }
                match connection.execute(READ_WHAT_ALL_COMMITTED).await {
                    Err(cause) if number(&cause) != Some(UNKNOWN_VARIABLE) => return Err(cause),
                    Ok(_) | Err(_) => {}
                }
                match history {
                    Some(history) => {
                        time(deadline, history.must_be_whole(connection, redis_deadline)).await
                    }
                    None => Ok(()),
                }
            })
        })
        .test_before_acquire(false)
        // A quarter leaves enough to connect anew.
        .before_acquire(move |connection, _| {
            let known = known.clone();
            Box::pin(async move {
                known.map_or(Ok(()), |known| known.must_be_trusted())?;
                time(deadline / 4, connection.ping()).await.map(|()| true)
            })
        })
        // sqlx does the same afterwards, but would wait for ever.
        .after_release(move |connection, _| {
            Box::pin(async move { time(deadline, connection.ping()).await.map(|()| true) })
        })
        .connect_lazy_with(options))
}

/// Every statement at the level `debug` and slow ones as warnings, both under the target
/// `sqlx::query`: their text and how long they took, never the values that were given to them.
fn log_statements(options: MySqlConnectOptions, slow: Duration) -> MySqlConnectOptions {
    let options = options.log_statements(LevelFilter::Debug);
    if slow.is_zero() {
        return options.log_slow_statements(LevelFilter::Off, Duration::MAX);
    }
    options.log_slow_statements(LevelFilter::Warn, slow)
}

/// Waits so long for MySQL and no longer.
pub(crate) async fn time<T>(
    limit: Duration,
    asked: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    let late = || sqlx::Error::Io(io::ErrorKind::TimedOut.into());
    tokio::time::timeout(limit, asked).await.unwrap_or_else(|_| Err(late()))
}

/// MySQL and MariaDB spell the isolation level alike only as a statement. MariaDB can also end a
/// transaction that has gone silent before it ends the session; to MySQL that part is a comment.
fn session_settings(stores: &Stores) -> [String; 2] {
    let lock_s = stores.db_deadline.as_secs().max(1);
    // Deliveries to Redis hold a transaction while they wait for three answers at most.
    let transaction_s = (stores.redis_deadline * 3 + stores.db_deadline).as_secs() + 1;
    [
        format!(
            "set time_zone = '+00:00', \
             sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,\
             ERROR_FOR_DIVISION_BY_ZERO,ONLY_FULL_GROUP_BY,NO_ENGINE_SUBSTITUTION', \
             wait_timeout = {silent_s}, innodb_lock_wait_timeout = {lock_s} \
             /*M!100300 , idle_transaction_timeout = {transaction_s} */",
            silent_s = SILENT_S.max(transaction_s),
        ),
        "set session transaction isolation level read committed".to_owned(),
    ]
}
