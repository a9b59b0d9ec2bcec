//! Puts a ledger back that Redis has lost although it lacks nothing else, because its key was
//! deleted or evicted, or that holds a session as idle of whose use Redis has not heard. MySQL
//! answers for its user anyhow; services that ask `AUTH.CHECK` themselves would refuse the user
//! until the next login.
//!
//! What belongs into the ledger goes there by the outbox, in one row that is written while the user
//! and their sessions are held. So it cannot overtake an ending, and whatever ends them afterwards
//! is told afterwards. Endings come before sessions: no session is ever there without them.

use serde_json::value::RawValue;
use sqlx::MySqlConnection;
use sqlx::types::Json;

use super::change::Change;
use super::ledgers::Ledgers;
use super::outbox::delivery::{self, Decided};
use super::outbox::marking;
use super::session_row::SessionRow;
use crate::base::clock::Timestamp;
use crate::base::log_targets as log;
use crate::base::session_id::SessionId;
use crate::store::held_rows;
use crate::store::standing::standing;

/// Looks behind the answer into the ledger that lacks this session. If that is lost, the user's next
/// request finds the same.
pub(crate) fn put_back_later(ledgers: &Ledgers, user_id: u64, session: &SessionId) {
    if !ledgers.resting.is_due(user_id, ledgers.clock.now()) {
        return;
    }
    let (own, session) = (ledgers.clone(), session.clone());
    ledgers.background.do_later(async move {
        match own.store.repeat_beside(|| put_back(&own, user_id, &session)).await {
            Ok(true) => tracing::warn!(
                target: log::REPAIR,
                user_id,
                "a ledger was incomplete and has been repaired"
            ),
            Ok(false) => {
                tracing::debug!(target: log::REPAIR, user_id, "there was nothing to repair");
            }
            Err(cause) => tracing::warn!(
                target: log::REPAIR,
                user_id,
                %cause,
                "a ledger could not be repaired"
            ),
        }
    });
}

/// False if there is nothing to put back, because the session has ended or Redis will hear of it anyhow.
async fn put_back(ledgers: &Ledgers, user_id: u64, session: &SessionId) -> sqlx::Result<bool> {
    // What was told and is not marked yet does not wait.
    marking::mark_now(ledgers).await;
    let now = ledgers.clock.now();
    let mut tx = ledgers.store.begin_beside().await?;
    held_rows::raise_version(&mut tx, user_id).await?;
    let held = sqlx::query!(
        r#"select tokens_valid_after as "watermark: Timestamp",
                  exists (select 1 from revocation_outbox o
                           where o.user_id = u.id and o.delivered_at is null) as "waits!: bool"
             from users u where id = ? and is_active for update"#,
        user_id,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(user) = held.filter(|user| !user.waits) else { return Ok(false) };
    let standing = standing_sessions(&mut tx, user_id, now).await?;
    if !standing.iter().any(|it| it.id == *session) {
        // Nothing was looked into.
        ledgers.resting.forget(user_id);
        return Ok(false);
    }
    let mut changes: Vec<Change> =
        user.watermark.map(|at| Change::RevokeAll { at }).into_iter().collect();
    changes.extend(revoked_tokens(&mut tx, user_id, now).await?);
    changes.extend(standing.iter().map(|session| session.change(&ledgers.uses)));
    delivery::commit(ledgers, tx, user_id, Decided { changes, fence: None }).await?;
    Ok(true)
}

async fn revoked_tokens(
    tx: &mut MySqlConnection,
    user_id: u64,
    now: Timestamp,
) -> sqlx::Result<Vec<Change>> {
    sqlx::query!(
        r#"select lower(hex(token_hash)) as "digest!: String", token_expiry as "expires_at: Timestamp"
             from token_blacklist_enhanced
            where user_id = ? and token_type = 'access' and token_expiry > ?"#,
        user_id,
        now,
    )
    .map(|row| Change::Blacklist { digest: row.digest, expires_at: row.expires_at })
    .fetch_all(tx)
    .await
}

/// Idle ones as well: Redis sees by itself whether they are, and may know better.
async fn standing_sessions(
    tx: &mut MySqlConnection,
    user_id: u64,
    now: Timestamp,
) -> sqlx::Result<Vec<SessionRow>> {
    standing!(query_as!(
        SessionRow,
        r#"select s.id as "id: SessionId", s.user_id, s.device_info as "device: Json<Box<RawValue>>",
                  s.ip_address, s.created_at as "created_at: Timestamp",
                  s.last_activity as "last_activity: Timestamp",
                  s.expires_at as "expires_at: Timestamp", s.idle_timeout_s
             from user_sessions s
            where s.user_id = ? and "#
            + STANDING
            + " for update",
        user_id,
        now,
    ))
    .fetch_all(tx)
    .await
}
