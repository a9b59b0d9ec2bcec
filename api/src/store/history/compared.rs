//! What a database has of the commits that are known, and that its history begins anew.

use std::collections::VecDeque;

use sqlx::{AssertSqlSafe, Executor, MySql, MySqlConnection, MySqlPool};

use super::known::{Note, Refresh};
use crate::base::clock::Timestamp;
use crate::store::places::places;

/// The instant up to which everything has ended, as Redis is told it, if there is one.
pub(crate) async fn told_to_redis<'d>(
    db: impl Executor<'d, Database = MySql>,
) -> sqlx::Result<Option<Timestamp>> {
    let instant = sqlx::query_scalar!(
        r#"select redis_valid_after as "at: Timestamp" from everybody where id = 1"#
    );
    Ok(instant.fetch_optional(db).await?.flatten())
}

/// How many of these rows are not there.
pub(super) async fn lacking(
    db: &mut MySqlConnection,
    notes: &VecDeque<Note>,
) -> sqlx::Result<usize> {
    if notes.is_empty() {
        return Ok(0);
    }
    let places = places(notes.len());
    let select = AssertSqlSafe(format!(
        "select id, user_id, created_at from revocation_outbox where id in ({places})"
    ));
    let asked = notes.iter().fold(sqlx::query_as(select), |asked, note| asked.bind(note.id));
    let found: Vec<Note> = asked.fetch_all(db).await?;
    Ok(notes.iter().filter(|note| !found.contains(note)).count())
}

/// How many sessions are where they were before.
pub(super) async fn undone(
    db: &mut MySqlConnection,
    refreshes: &VecDeque<Refresh>,
) -> sqlx::Result<usize> {
    if refreshes.is_empty() {
        return Ok(0);
    }
    let places = places(refreshes.len());
    let select = AssertSqlSafe(format!(
        "select reference, generation from refresh_tokens where reference in ({places})"
    ));
    let references = refreshes.iter();
    let asked =
        references.fold(sqlx::query_as(select), |asked, it| asked.bind(it.reference.as_slice()));
    let found: Vec<(Vec<u8>, u32)> = asked.fetch_all(db).await?;
    let is_undone = |it: &&Refresh| {
        found.iter().any(|(of, is_at)| *of == it.reference && *is_at < it.generation)
    };
    Ok(refreshes.iter().filter(is_undone).count())
}

/// Says that the history of a database begins anew, in the transaction that sees to what was lost.
pub(crate) async fn begin_anew(
    tx: &mut MySqlConnection,
    sign: u64,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!("insert into returns (sign, returned_at) values (?, ?)", sign, now)
        .execute(tx)
        .await
        .map(drop)
}

/// Whether a database takes changes: one that does not may only lag behind.
pub(crate) async fn takes_changes(db: &MySqlPool) -> sqlx::Result<bool> {
    let read_only = sqlx::query_scalar!(r#"select @@global.read_only as "it!: bool""#);
    Ok(!read_only.fetch_one(db).await?)
}
