//! The mail about a login from a device that the account has not been used from (R-50).
//!
//! A device is known by its cookie, or by an earlier session with the same fingerprint if its network
//! is known by an earlier session as well (F-27). The first login to a young account is no news.

use std::time::Duration;

use sqlx::MySqlConnection;

use crate::base::client::{Client, network};
use crate::base::clock::Timestamp;

/// How long the owner of a new account may take for the first login.
const YOUNG: Duration = Duration::from_hours(24);

/// Whether a login that is about to begin its session is from a new device. Neither the fingerprint
/// alone makes a device known, which many have, nor the network alone, which many share.
pub(crate) async fn is_new(
    tx: &mut MySqlConnection,
    user_id: u64,
    client: &Client,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let earlier = sqlx::query!(
        r#"select distinct json_unquote(json_extract(s.device_info, '$.fingerprint')) as "fingerprint: String",
                  s.user_agent, s.ip_address, s.last_ip_address
             from user_sessions s
            where s.user_id = ?"#,
        user_id,
    )
    .fetch_all(&mut *tx)
    .await?;
    if earlier.is_empty() {
        return Ok(!is_young(tx, user_id, now).await?);
    }
    let here = network(client.ip);
    let is_here = |ip: &str| ip.parse().is_ok_and(|ip| network(ip) == here);
    let knows_device = earlier.iter().any(|it| {
        it.fingerprint.as_deref().is_some_and(|known| client.is_on_device(known, &it.user_agent))
    });
    let knows_network = earlier
        .iter()
        .any(|it| is_here(&it.ip_address) || it.last_ip_address.as_deref().is_some_and(is_here));
    Ok(!(knows_device && knows_network))
}

async fn is_young(tx: &mut MySqlConnection, user_id: u64, now: Timestamp) -> sqlx::Result<bool> {
    let joined = sqlx::query_scalar!(
        r#"select created_at as "joined: Timestamp" from users where id = ?"#,
        user_id,
    )
    .fetch_optional(tx)
    .await?;
    Ok(joined.is_some_and(|joined| now.since(joined) < YOUNG))
}
