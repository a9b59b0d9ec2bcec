//! Up to which row of the outbox nothing is missing any more.
//!
//! A Redis that comes back from a snapshot lacks what it had not heard when that was written. The
//! mark in it names a row: what lies behind the row is told again. Rows do not become visible in the
//! order of their numbers, since a transaction may take its number early and commit late. So a row
//! counts only if it was the newest some while ago (numbers that were taken by then have become
//! rows) and if nobody holds a row up to it (a transaction that is still open does).
//!
//! In a group of servers nobody sees who holds what at another. There a row may be committed behind the
//! mark, and what Redis has confirmed since the mark is told again by that time (`hydrate/endings.rs`).

use std::time::Instant;

use sqlx::MySqlPool;

use crate::ledger::ledgers::Ledgers;
use crate::store::transaction::Transaction;

/// How many rows are looked at in one go, and how often one after the other.
const STEP: u32 = 10_000;
const STEPS: usize = 10;

/// The row up to which everything has been delivered and nothing can be added, at least `known`.
pub(crate) async fn position(ledgers: &Ledgers, known: u64) -> sqlx::Result<u64> {
    let asked = sqlx::query!(
        r#"select (select min(id) from revocation_outbox where delivered_at is null)
                      as "first_waiting: u64",
                  (select max(id) from revocation_outbox) as "newest: u64""#
    )
    .fetch_one(&ledgers.store.pool);
    let row = ledgers.store.in_time(asked).await?;
    let newest = row.newest.unwrap_or(0);
    let Some(settled) = ledgers.settled.newest(newest, Instant::now()) else { return Ok(known) };
    let wanted = row.first_waiting.map_or(settled, |first| settled.min(first - 1));
    if wanted <= known {
        return Ok(known);
    }
    let mut reached = known;
    for _ in 0..STEPS {
        let held = ledgers.store.in_time(up_to_held(&ledgers.store.pool, reached, wanted));
        match held.await {
            Ok(next) if next > reached => reached = next,
            Ok(_) | Err(_) => break,
        }
    }
    Ok(reached)
}

/// The last row after `known`, up to `wanted` and within one step, before which nobody holds any:
/// asks for all of them at once, and is refused otherwise.
async fn up_to_held(db: &MySqlPool, known: u64, wanted: u64) -> sqlx::Result<u64> {
    let mut tx = Transaction::begin_beside(db).await?;
    let rows = sqlx::query_scalar!(
        "select id from revocation_outbox where id > ? and id <= ?
          order by id limit ? for update nowait",
        known,
        wanted,
        STEP,
    )
    .fetch_all(&mut *tx)
    .await;
    // Whoever asks next would be refused for as long as these are held.
    tx.commit().await?;
    let rows = rows?;
    let is_whole = rows.len() < STEP as usize;
    Ok(if is_whole { wanted } else { rows.last().copied().unwrap_or(known) })
}

#[cfg(test)]
mod tests {
    use portcullis_tests::Database;

    use super::*;

    #[tokio::test]
    async fn f_02_no_row_counts_while_somebody_holds_one_up_to_it() {
        let url = Database::shared().migrated_database("position");
        let db = MySqlPool::connect(&url).await.unwrap();
        let insert = "insert into revocation_outbox (user_id, change_set, created_at, delivered_at)
                      values (1, '[]', utc_timestamp(3), utc_timestamp(3))";
        let mut slow = Transaction::begin(&db).await.unwrap();
        sqlx::query(insert).execute(&mut *slow).await.unwrap();
        for _ in 0..3 {
            sqlx::query(insert).execute(&db).await.unwrap();
        }
        assert!(up_to_held(&db, 0, 4).await.is_err(), "row 1 is not there yet");
        assert_eq!(up_to_held(&db, 1, 4).await.unwrap(), 4, "what lies behind it does not matter");
        slow.commit().await.unwrap();
        assert_eq!(up_to_held(&db, 0, 4).await.unwrap(), 4);
    }
}
