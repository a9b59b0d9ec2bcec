//! The steps of the database's shape, compiled in: `portcullis migrate up|down|status`.

use sqlx::migrate::{Migrate as _, MigrateError, Migrator};
use sqlx::{AssertSqlSafe, MySqlPool};

static STEPS: Migrator = sqlx::migrate!("../migrations");

/// One step and whether the database has taken it.
pub struct Step {
    /// Its number.
    pub version: i64,
    /// What it does.
    pub description: String,
    /// Whether the database is past it.
    pub is_applied: bool,
}

/// Takes every step that is still missing. Safe to run on several hosts at once.
pub async fn up(db: &MySqlPool) -> Result<(), MigrateError> {
    STEPS.run(db).await
}

/// Takes back the last `count` steps.
pub async fn down(db: &MySqlPool, count: usize) -> Result<(), MigrateError> {
    let applied = status(db).await?.into_iter().filter(|step| step.is_applied);
    let newest_first: Vec<i64> = applied.map(|step| step.version).rev().collect();
    let target = newest_first.get(count).copied().unwrap_or(0);
    STEPS.undo(db, target).await
}

/// The tables that the last `count` steps would take with them, newest first, and their rows.
pub async fn losses(db: &MySqlPool, count: usize) -> Result<Vec<(String, u64)>, sqlx::Error> {
    let steps = status(db).await?.into_iter().rev().filter(|step| step.is_applied).take(count);
    let undone: Vec<i64> = steps.map(|step| step.version).collect();
    let mut losses = Vec::new();
    for version in undone {
        let up = STEPS.iter().find(|step| step.version == version);
        let sql = up.map(|step| step.sql.as_str().trim_start()).unwrap_or_default();
        let Some(table) = sql.strip_prefix("create table ").and_then(|it| it.split(' ').next())
        else {
            continue;
        };
        let count = format!("select cast(count(*) as unsigned) from `{table}`");
        losses.push((
            table.to_owned(),
            sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(db).await?,
        ));
    }
    Ok(losses)
}

/// Every step, oldest first.
pub async fn status(db: &MySqlPool) -> Result<Vec<Step>, MigrateError> {
    let mut connection = db.acquire().await?;
    connection.ensure_migrations_table(&STEPS.table_name).await?;
    let applied = connection.list_applied_migrations(&STEPS.table_name).await?;
    let steps = STEPS.iter().filter(|step| step.migration_type.is_up_migration());
    let step = |step: &sqlx::migrate::Migration| Step {
        version: step.version,
        description: step.description.to_string(),
        is_applied: applied.iter().any(|done| done.version == step.version),
    };
    Ok(steps.map(step).collect())
}
