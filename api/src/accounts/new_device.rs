//! The mail about a login from a device that the account has not been used from (R-50).
//!
//! A device is known by its cookie or by an earlier session with the same fingerprint. The first
//! login to a young account is no news.

use std::time::Duration;

use sqlx::MySqlConnection;

use crate::base::clock::Timestamp;

/// How long the owner of a new account may take for the first login.
const YOUNG: Duration = Duration::from_hours(24);

/// Whether a login that is about to begin its session is from a new device.
pub(crate) async fn is_new(
    tx: &mut MySqlConnection,
    user_id: u64,
    fingerprint: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let known = sqlx::query!(
        r#"select count(*) as "sessions!: i64",
                  coalesce(sum(json_unquote(json_extract(s.device_info, '$.fingerprint')) = ?), 0) > 0
                      as "seen!: bool",
                  (select created_at from users where id = ?) as "joined: Timestamp"
             from user_sessions s
            where s.user_id = ?"#,
        fingerprint,
        user_id,
        user_id,
    )
    .fetch_one(tx)
    .await?;
    let young = known.joined.is_some_and(|joined| now.since(joined) < YOUNG);
    let first_ever = known.sessions == 0 && young;
    Ok(!known.seen && !first_ever)
}
