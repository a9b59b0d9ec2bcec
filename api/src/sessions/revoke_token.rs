//! How a token ends by itself.

use sqlx::MySqlConnection;
use sqlx::types::Json;

use super::caller::Caller;
use super::ending::{self, Ended, Ending};
use crate::base::clock::Timestamp;
use crate::ledger::change::Change;
use crate::metrics;
use crate::settings::LONGEST_LEEWAY;
use crate::store::held_rows as held;
use crate::store::transaction::Transaction;

/// Until nobody takes a token any more, whatever leeway they grant.
fn dies_at(caller: &Caller) -> Timestamp {
    Timestamp::from_seconds(caller.expires_at_s).plus(LONGEST_LEEWAY)
}

/// The token in hand is ended by itself as well, for services that only ask about tokens.
pub(super) async fn revoke_token(
    tx: &mut Transaction,
    caller: &Caller,
    ending: Ending<'_>,
    changes: &mut Vec<Change>,
) -> sqlx::Result<()> {
    held::raise_version(tx, caller.user_id).await?;
    let expires_at = dies_at(caller);
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
    changes.push(Change::blacklist(caller.digest, expires_at));
    Ok(())
}

/// Ends the session of a token, and the token by itself as well.
pub(super) async fn end_with_token(
    tx: &mut Transaction,
    caller: &Caller,
    ending: Ending<'_>,
    changes: &mut Vec<Change>,
) -> sqlx::Result<Ended> {
    let mut ended = Ended { sessions: 0, tokens: 0 };
    if ending::end_session(tx, caller.user_id, &caller.session, ending).await? {
        let tokens = revoke_with_session(tx, caller, ending).await?.saturating_sub(1);
        ended = Ended { sessions: 1, tokens };
        tx.once_committed(|| metrics::tokens_blacklisted("access", 1));
        changes.push(Change::Revoke { sessions: vec![caller.session.clone()] });
        changes.push(Change::blacklist(caller.digest, dies_at(caller)));
    }
    ending::count(tx, ended, ending.reason);
    Ok(ended)
}

/// Keeps on record the token and what ended with its session, and tells how many that were.
async fn revoke_with_session(
    tx: &mut MySqlConnection,
    caller: &Caller,
    ending: Ending<'_>,
) -> sqlx::Result<u64> {
    let (device, address) = (Json(&ending.client.device), ending.client.ip.to_string());
    let revoked = sqlx::query!(
        "insert into token_blacklist_enhanced
            (token_hash, token_type, token_expiry, blacklisted_at, reason, user_id, session_id,
             device_info, ip_address)
         select * from
            (select token_hash, 'refresh' as token_type, expires_at, cast(? as datetime(3)) as at,
                    ? as reason, user_id, session_id, ? as device_info, ? as ip_address
               from refresh_tokens where session_id = ? and revoked_at = ?
              union all
             select cast(? as binary(32)), 'access', cast(? as datetime(3)), cast(? as datetime(3)),
                    ?, ?, ?, ?, ?) ended
         on duplicate key update token_expiry = greatest(token_expiry, ended.expires_at)",
        ending.at,
        ending.reason.as_str(),
        device,
        address,
        caller.session,
        ending.at,
        caller.digest.as_bytes().as_slice(),
        dies_at(caller),
        ending.at,
        ending.reason.as_str(),
        caller.user_id,
        caller.session,
        device,
        address,
    );
    Ok(revoked.execute(tx).await?.rows_affected())
}
