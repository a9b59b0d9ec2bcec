//! The steps of the database's shape, compiled in: `portcullis migrate up|down|status`.
//!
//! MySQL takes no statement back that changes a table, so a step that fails stays half done. It is
//! written down as failed and taken up again by the next `up` (`again.rs`).

mod again;
mod fault;
mod statements;

use sqlx::migrate::{Migrate as _, Migration, Migrator};
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, MySqlPool};

use super::database::Store;
use super::told::{NO_SUCH_TABLE, number};

pub use fault::Fault;

static STEPS: Migrator = sqlx::migrate!("../migrations");

/// One step and whether the database has taken it.
pub struct Step {
    /// Its number.
    pub version: i64,
    /// What it does.
    pub description: String,
    /// Whether the database is past it.
    pub is_applied: bool,
    /// Whether it was begun and not finished.
    pub has_failed: bool,
}

/// Takes every step that is still missing, and first what an earlier one left half done. Safe to run
/// on several hosts at once.
pub async fn up(db: &MySqlPool) -> Result<(), Fault> {
    // A failure keeps the lock, so the connection must not go back to the pool.
    let mut db = db.acquire().await?.detach();
    let taken = take(&mut db).await;
    drop(db.close().await);
    taken
}

async fn take(db: &mut MySqlConnection) -> Result<(), Fault> {
    db.lock().await?;
    db.ensure_migrations_table(&STEPS.table_name).await?;
    while let Some(version) = db.dirty_version(&STEPS.table_name).await? {
        let step = of_version(version).ok_or(Fault::Newer(version))?;
        again::finish(db, &STEPS.table_name, step).await?;
    }
    Ok(STEPS.run_direct(None, db, false).await?)
}

/// Takes back the last `count` steps.
pub async fn down(db: &MySqlPool, count: usize) -> Result<(), Fault> {
    let applied = status(db).await?.into_iter().filter(|step| step.is_applied);
    let newest_first: Vec<i64> = applied.map(|step| step.version).rev().collect();
    let target = newest_first.get(count).copied().unwrap_or(0);
    let mut db = db.acquire().await?.detach();
    let undone = STEPS.undo(&mut db, target).await;
    drop(db.close().await);
    Ok(undone?)
}

/// The tables that the last `count` steps would take with them, newest first, and their rows.
pub async fn losses(db: &MySqlPool, count: usize) -> Result<Vec<(String, u64)>, Fault> {
    let steps = status(db).await?;
    if let Some(failed) = steps.iter().find(|step| step.has_failed) {
        return Err(Fault::HalfDone(failed.version));
    }
    let steps = steps.into_iter().rev().filter(|step| step.is_applied).take(count);
    let mut losses = Vec::new();
    for step in steps {
        let sql = of_version(step.version).map(|step| step.sql.as_str());
        let Some(table) = sql.and_then(statements::made_by) else { continue };
        let count = format!("select cast(count(*) as unsigned) from `{table}`");
        losses.push((
            table.to_owned(),
            sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(db).await?,
        ));
    }
    Ok(losses)
}

/// Every step, oldest first.
pub async fn status(db: &MySqlPool) -> Result<Vec<Step>, Fault> {
    let taken = taken(db).await?;
    let steps = STEPS.iter().filter(|step| step.migration_type.is_up_migration());
    let step = |step: &Migration| {
        let success =
            taken.iter().find(|(version, _)| *version == step.version).map(|taken| taken.1);
        Step {
            version: step.version,
            description: step.description.to_string(),
            is_applied: success == Some(true),
            has_failed: success == Some(false),
        }
    };
    Ok(steps.map(step).collect())
}

/// Whether the database has taken every step that this program knows.
pub async fn is_complete(store: &Store) -> sqlx::Result<bool> {
    let taken = store.in_time(taken(&store.pool)).await?;
    let mut steps = STEPS.iter().filter(|step| step.migration_type.is_up_migration());
    Ok(steps.all(|step| taken.contains(&(step.version, true))))
}

/// The steps that were begun, and whether each was finished.
async fn taken(db: &MySqlPool) -> sqlx::Result<Vec<(i64, bool)>> {
    let sql = format!("select version, success from {}", STEPS.table_name);
    let taken = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(db).await;
    match taken {
        Err(cause) if number(&cause) == Some(NO_SUCH_TABLE) => Ok(Vec::new()),
        taken => taken,
    }
}

fn of_version(version: i64) -> Option<&'static Migration> {
    STEPS.iter().find(|step| step.version == version && step.migration_type.is_up_migration())
}
