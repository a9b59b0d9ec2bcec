//! How a token ends by itself.

use sqlx::types::Json;

use super::caller::Caller;
use super::ending::Ending;
use crate::base::clock::Timestamp;
use crate::ledger::change::Change;
use crate::ledger::outbox;
use crate::metrics;
use crate::settings::LONGEST_LEEWAY;
use crate::store::transaction::Transaction;

/// The token in hand is ended by itself as well, for services that only ask about tokens; until
/// nobody takes it any more, whatever leeway they grant.
pub(super) async fn revoke_token(
    tx: &mut Transaction,
    caller: &Caller,
    ending: Ending<'_>,
) -> sqlx::Result<()> {
    let expires_at = Timestamp::from_seconds(caller.expires_at_s).plus(LONGEST_LEEWAY);
    sqlx::query!(
        "insert into token_blacklist_enhanced
            (token_hash, token_type, token_expiry, blacklisted_at, reason, user_id, session_id,
             device_info, ip_address)
         values (?, 'access', ?, ?, ?, ?, ?, ?, ?)
         on duplicate key update token_expiry = greatest(token_expiry, ?)",
        caller.digest.as_bytes().as_slice(),
        expires_at,
        ending.at,
        ending.reason.as_str(),
        caller.user_id,
        caller.session,
        Json(&ending.client.device),
        ending.client.ip.to_string(),
        expires_at,
    )
    .execute(&mut **tx)
    .await?;
    tx.once_committed(|| metrics::tokens_blacklisted("access", 1));
    let change = Change::blacklist(caller.digest, expires_at);
    outbox::add(tx, caller.user_id, &[change], ending.at).await
}
