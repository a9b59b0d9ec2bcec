//! A row of the outbox, written in the transaction that decides what it says.

use sqlx::MySqlConnection;
use sqlx::types::Json;

use crate::base::clock::Timestamp;
use crate::ledger::change::Change;

/// Writes changes down in the transaction that decides them; the number of their row.
pub async fn add(
    tx: &mut MySqlConnection,
    user_id: u64,
    changes: &[Change],
    now: Timestamp,
) -> sqlx::Result<u64> {
    let written = sqlx::query!(
        "insert into revocation_outbox (user_id, change_set, created_at) values (?, ?, ?)",
        user_id,
        Json(changes),
        now,
    )
    .execute(tx)
    .await?;
    Ok(written.last_insert_id())
}
