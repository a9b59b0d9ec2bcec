//! A step that failed, taken up again where it stopped.
//!
//! What changes a table happens as a whole or not at all, one statement at a time, and is not taken
//! back with what follows. So all statements of the step are run once more, and one whose effect is
//! there already counts as done. A statement that changes rows must bear being run twice, for
//! nothing can be seen of that.

use sqlx::migrate::Migration;
use sqlx::{AssertSqlSafe, MySqlConnection};

use super::fault::Fault;
use super::statements::{made_by, statements};
use crate::store::told::number;

/// MySQL's number for a table that is there already.
const TABLE_EXISTS: u16 = 1050;
/// A column, a key, a foreign key or a check that is there already; something to be dropped that is
/// not there any more.
const DONE_ALREADY: [u16; 6] = [1060, 1061, 1826, 3822, 1091, 1051];

/// Runs what is left of a failed step and writes down that it is done.
pub(super) async fn finish(
    db: &mut MySqlConnection,
    list: &str,
    step: &Migration,
) -> Result<(), Fault> {
    let version = step.version;
    for statement in statements(step.sql.as_str()) {
        let run = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut *db).await;
        let Err(cause) = run else { continue };
        match number(&cause) {
            Some(TABLE_EXISTS) => {
                let table = made_by(statement).unwrap_or_default();
                if !is_ours(db, statement, table).await? {
                    return Err(Fault::Foreign { version, table: table.to_owned() });
                }
            }
            Some(number) if DONE_ALREADY.contains(&number) => {}
            _ => return Err(Fault::Step { version, cause }),
        }
    }
    let done = format!("update {list} set success = true, checksum = ? where version = ?");
    sqlx::query(AssertSqlSafe(done)).bind(&*step.checksum).bind(version).execute(db).await?;
    Ok(())
}

/// Whether a table is the one that this statement would have made. All of ours carry a comment, and
/// nobody else's carries the same.
async fn is_ours(db: &mut MySqlConnection, statement: &str, table: &str) -> sqlx::Result<bool> {
    let asked = "select table_comment from information_schema.tables
                  where table_schema = database() and table_name = ?";
    let comment: Option<String> = sqlx::query_scalar(asked).bind(table).fetch_optional(db).await?;
    let comment = comment.unwrap_or_default().replace('\'', "''");
    Ok(!comment.is_empty() && statement.contains(&format!("'{comment}'")))
}

#[cfg(test)]
mod tests {
    use portcullis_tests::Database;
    use sqlx::migrate::MigrationType;
    use sqlx::{Connection as _, SqlSafeStr as _};

    use super::*;

    const STEP: &str = "create table things (id int) comment = 'things; of a test';
        alter table things add column first int;
        alter table things add column second int, add key idx_second (second);
        alter table things drop column gone;
        insert into things (id) values (1);";

    /// A database in which the step is noted as failed.
    async fn failed(name: &str) -> MySqlConnection {
        let url = Database::shared().fresh_database(name);
        let mut db = MySqlConnection::connect(&url).await.unwrap();
        let list = "create table list (version bigint, success boolean, checksum blob);
                    insert into list values (1, false, '')";
        sqlx::raw_sql(list).execute(&mut db).await.unwrap();
        db
    }

    async fn taken_up(db: &mut MySqlConnection) -> Result<(), Fault> {
        let (kind, sql) = (MigrationType::ReversibleUp, AssertSqlSafe(STEP).into_sql_str());
        finish(db, "list", &Migration::new(1, "a step".into(), kind, sql, false)).await
    }

    /// Runs so many statements of the step.
    async fn run(db: &mut MySqlConnection, done: usize) {
        for statement in statements(STEP).into_iter().take(done) {
            let run = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *db).await;
            assert!(run.is_ok() || statement.contains("gone"), "{statement}");
        }
    }

    #[tokio::test]
    async fn f_35_what_a_step_has_done_already_is_not_done_twice() {
        // However far it came, the rest is done.
        for done in 0..4 {
            let mut db = failed("again").await;
            run(&mut db, done).await;
            taken_up(&mut db).await.unwrap();
            let rows = "select id from things where first is null and second is null";
            let rows: Vec<i32> = sqlx::query_scalar(rows).fetch_all(&mut db).await.unwrap();
            assert_eq!(rows, [1], "after {done} statements");
            let noted = "select success from list where length(checksum) > 0";
            assert!(sqlx::query_scalar::<_, bool>(noted).fetch_one(&mut db).await.unwrap());
        }
    }

    #[tokio::test]
    async fn f_35_a_table_of_somebody_else_is_never_taken_for_ours() {
        let mut db = failed("foreign").await;
        for comment in ["", "their things"] {
            let theirs = format!("create table things (id int) comment = '{comment}'");
            sqlx::raw_sql(AssertSqlSafe(theirs)).execute(&mut db).await.unwrap();
            let refused = taken_up(&mut db).await;
            assert!(matches!(refused, Err(Fault::Foreign { table, .. }) if table == "things"));
            sqlx::raw_sql("drop table things").execute(&mut db).await.unwrap();
        }
        taken_up(&mut db).await.unwrap();
    }
}
