//! What a database is doing.

use sqlx::mysql::MySqlRow;
use sqlx::{MySqlPool, Row as _};

/// A connection, and its statement if it runs one.
#[derive(Clone, Debug)]
pub struct Running {
    /// By which it can be killed.
    pub id: i64,
    /// Whose it is.
    pub user: String,
    /// With whatever bytes are in it, as MySQL shows them.
    pub statement: String,
}

/// All connections to the database of this one. The list is read here, not there: MySQL does not
/// search in statements that have bytes in them.
pub async fn running(db: &MySqlPool) -> Vec<Running> {
    let database: String =
        sqlx::query_scalar("select database()").fetch_one(db).await.expect("MySQL answers");
    let list = sqlx::query("show full processlist").fetch_all(db).await.expect("MySQL answers");
    let ours = list.iter().filter(|row| text(row, "db") == database);
    ours.map(|row| Running {
        id: row.try_get_unchecked("Id").expect("it is a number"),
        user: text(row, "User"),
        statement: text(row, "Info"),
    })
    .collect()
}

fn text(row: &MySqlRow, column: &str) -> String {
    let bytes: Option<Vec<u8>> = row.try_get_unchecked(column).expect("the list has this column");
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}
