//! Endings that wait for users of one server, told before anybody vouches for it anew: whoever asks it then
//! takes its word that nothing is missing.
//!
//! They are told by whoever vouches, held by somebody else or not, and marked by `worker.rs`, which tells
//! them once more. What only one ledger refuses keeps nobody else's from being vouched for.

use std::sync::Arc;

use redis::{Pipeline, RedisResult, Value};

use super::reading::Row;
use crate::ledger::ledgers::Ledgers;
use crate::ledger::line::{Line, Lines};
use crate::ledger::redis_fault::{is_of_the_server, takes_no_changes};
use crate::ledger::redis_time::redis_now;

/// How many waiting rows are read at a time.
const PAGE: u32 = 500;

/// Tells them all. The inner error is what Redis refused with.
pub(in crate::ledger) async fn tell_owed(
    ledgers: &Ledgers,
    lines: &Arc<Lines>,
    line: &Arc<Line>,
) -> sqlx::Result<RedisResult<()>> {
    let mut after = 0;
    loop {
        let rows = page(ledgers, after).await?;
        let Some(last) = rows.last() else { return Ok(Ok(())) };
        after = last.id;
        let told = tell(ledgers, lines, line, &rows).await;
        if let Err(refusal) = lines.heard(line, told) {
            return Ok(Err(refusal));
        }
    }
}

async fn page(ledgers: &Ledgers, after: u64) -> sqlx::Result<Vec<Row>> {
    let asked = sqlx::query_as(
        "select id, user_id, created_at, change_set from revocation_outbox
          where delivered_at is null and id > ? order by id limit ?",
    )
    .bind(after)
    .bind(PAGE)
    .fetch_all(&ledgers.store.pool);
    ledgers.store.in_time(asked).await
}

async fn tell(ledgers: &Ledgers, lines: &Arc<Lines>, line: &Line, rows: &[Row]) -> RedisResult<()> {
    let redis = &mut line.tell.clone();
    let now = redis_now(redis).await?;
    let mut pipeline = Pipeline::new();
    for row in rows {
        let key = ledgers.key(row.user_id);
        let is_here = ledgers.shards.of(key.as_bytes()).is_ok_and(|it| Arc::ptr_eq(&it, lines));
        let endings = row.changes.iter().flatten().filter(|it| is_here && it.is_ending());
        for ending in endings {
            pipeline.add_command(ending.command(&key, now, None));
        }
    }
    if pipeline.is_empty() {
        return Ok(());
    }
    let replies: Vec<Value> = pipeline.ignore_errors().query_async(redis).await?;
    let refusals = replies.into_iter().filter_map(|reply| match reply {
        Value::ServerError(refusal) => Some(refusal),
        _ => None,
    });
    let mut of_server =
        refusals.filter(|it| is_of_the_server(it.code()) || takes_no_changes(it.code()));
    of_server.next().map_or(Ok(()), |refusal| Err(refusal.into()))
}
