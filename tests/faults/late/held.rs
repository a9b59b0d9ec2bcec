//! A login that waits in MySQL, just before its transaction, until the test lets it go on.

use portcullis_tests::{Running, running};
use reqwest::{RequestBuilder, Response};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection, MySqlPool};
use tokio::task::JoinHandle;

use crate::talk::eventually;

/// Waits for somebody who holds the same user.
pub(super) struct HeldUp {
    holder: MySqlConnection,
    login: JoinHandle<reqwest::Result<Response>>,
}

/// Sends the login of a user and waits until it has come that far.
pub(super) async fn held_up(db: &MySqlPool, user_id: u64, login: RequestBuilder) -> HeldUp {
    let mut holder = MySqlConnection::connect_with(&db.connect_options()).await.unwrap();
    let hold = format!("select id from users where id = {user_id} for update");
    holder.execute("start transaction").await.unwrap();
    holder.execute(AssertSqlSafe(hold)).await.unwrap();
    let login = tokio::spawn(login.send());
    // Seen in the list of statements: MySQL shows its locks anew only to whoever asks seldom.
    let waits = |it: &Running| {
        let (of, rest) = it.statement.split_once("from users").unwrap_or_default();
        !of.is_empty() && rest.contains("for update")
    };
    eventually("the login waits for its user", async || running(db).await.iter().any(waits));
    HeldUp { holder, login }
}

impl HeldUp {
    /// The answer may never come.
    pub(super) async fn goes_on(mut self) -> JoinHandle<reqwest::Result<Response>> {
        self.holder.execute("commit").await.unwrap();
        self.login
    }
}
