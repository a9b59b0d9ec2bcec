//! Holds up whoever brings a server up to date just before MySQL is told whom to believe.

use portcullis_tests::{Service, running};
use sqlx::{Connection as _, MySqlConnection};

/// Nobody is vouched for until this is let go.
pub(crate) struct Vouching(MySqlConnection);

impl Vouching {
    /// Whoever was vouched for is so still.
    pub(crate) async fn hold(database: &str) -> Self {
        let mut held = Self(MySqlConnection::connect(database).await.unwrap());
        held.run("begin").await;
        held.run("select * from leases where work = 'vouch' for update").await;
        held
    }

    /// Somebody has come so far, and waits.
    pub(crate) async fn is_waited_for(&self, auth: &Service) -> bool {
        running(auth.db()).await.iter().any(|it| {
            it.statement.starts_with("insert into leases") && it.statement.contains("'vouch'")
        })
    }

    /// They go on.
    pub(crate) async fn let_go(mut self) {
        self.run("rollback").await;
    }

    async fn run(&mut self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&mut self.0).await.unwrap();
    }
}
