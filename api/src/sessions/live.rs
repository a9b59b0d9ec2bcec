//! The service's one answer to *is this session live?* (that of Redis is in `module/core`).
//!
//! A session stands while it was not ended, has not expired, its user is not disabled and it began
//! after everything of theirs was last ended. It is live while it stands and is in use: a session
//! with an idle limit was used since.
//!
//! Whether it stands is MySQL's to say, so that part is SQL (`standing!`). When it was last used
//! others may know better: this instance, whose news reach MySQL in batches, or Redis. So that part
//! is decided here, with the latest of what is known. Who needs only *stands* says why at the spot.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use sqlx::types::Json;
use utoipa::ToSchema;

use crate::base::clock::Timestamp;
use crate::base::device::Device;
use crate::base::error::Result;
use crate::base::last_use::Uses;
use crate::base::log_targets as log;
use crate::base::session_id::SessionId;
use crate::ledger::ledgers::Ledgers;
use crate::store::database::{Store, time};
use crate::store::standing::standing;

/// What a count may take: nobody waits for it.
const COUNT_PATIENCE: Duration = Duration::from_secs(30);

/// Whether a session that stands is still used: MySQL knows of `last_activity`, and this instance perhaps
/// of a later use.
pub(crate) fn is_still_used(
    uses: &Uses,
    session: &SessionId,
    last_activity: Timestamp,
    idle_timeout_s: u32,
    now: Timestamp,
) -> bool {
    is_in_use(uses.last_used(session.as_str(), last_activity), idle_timeout_s, now)
}

/// The same by its last use, whoever knows of it. At its limit it is idle.
pub(crate) fn is_in_use(last_used: Timestamp, idle_timeout_s: u32, now: Timestamp) -> bool {
    let limit = Duration::from_secs(idle_timeout_s.into());
    limit.is_zero() || now.since(last_used) < limit
}

/// One session as its owner sees it.
#[derive(Serialize, ToSchema)]
pub struct Session {
    id: SessionId,
    device_info: SeenDevice,
    /// From where it began.
    ip_address: String,
    /// From where it was last used.
    last_ip_address: String,
    created_at: Timestamp,
    last_activity: Timestamp,
    /// When it ends, however much it is used.
    expires_at: Timestamp,
    /// When it ends if it is not used again; null if there is no such limit.
    idle_expires_at: Option<Timestamp>,
    pub(crate) is_current: bool,
}

#[derive(Serialize, ToSchema)]
struct SeenDevice {
    #[schema(value_type = String)]
    browser: Cow<'static, str>,
    #[schema(value_type = String)]
    os: Cow<'static, str>,
    #[schema(value_type = String)]
    device: Cow<'static, str>,
    ip: String,
}

/// A user's live sessions, most recently used first; `current` is the one that asks.
pub(crate) async fn list(
    ledgers: &Ledgers,
    user_id: u64,
    current: Option<&SessionId>,
) -> Result<Vec<Session>> {
    let now = ledgers.clock.now();
    let rows = standing!(query!(
        r#"select s.id as "id: SessionId", s.device_info as "device: Json<Device>", s.ip_address,
                  coalesce(s.last_ip_address, s.ip_address) as "last_ip_address!: String",
                  s.created_at as "created_at: Timestamp", s.expires_at as "expires_at: Timestamp",
                  s.last_activity as "last_activity: Timestamp", s.idle_timeout_s
             from user_sessions s
            where s.user_id = ? and "#
            + STANDING,
        user_id,
        now,
    ))
    .fetch_all(&ledgers.store.pool)
    .await?;
    // Redis knows the last minute better than MySQL does.
    let seen = ledgers.last_seen(user_id).await.unwrap_or_else(|cause| {
        tracing::debug!(target: log::SESSIONS, %cause, "listing sessions without Redis");
        HashMap::new()
    });
    let mut sessions: Vec<Session> = Vec::with_capacity(rows.len());
    for row in rows {
        let seen = seen.get(row.id.as_str()).copied().unwrap_or_default();
        let last_activity = ledgers.uses.last_used(row.id.as_str(), row.last_activity).max(seen);
        if !is_in_use(last_activity, row.idle_timeout_s, now) {
            continue;
        }
        let Device { browser, os, device, .. } = row.device.0;
        let idle_limit = Duration::from_secs(row.idle_timeout_s.into());
        let last_from = ledgers.uses.last_from(row.id.as_str());
        sessions.push(Session {
            is_current: current == Some(&row.id),
            id: row.id,
            device_info: SeenDevice { browser, os, device, ip: row.ip_address.clone() },
            ip_address: row.ip_address,
            last_ip_address: last_from.map_or(row.last_ip_address, |ip| ip.to_string()),
            created_at: row.created_at,
            last_activity,
            expires_at: row.expires_at,
            idle_expires_at: (!idle_limit.is_zero()).then(|| last_activity.plus(idle_limit)),
        });
    }
    sessions.sort_by_key(|session| std::cmp::Reverse(session.last_activity));
    Ok(sessions)
}

/// How many sessions are live, by the uses that MySQL has heard of. Only here does SQL judge the use:
/// the sessions of everybody are too many to be looked at one by one.
async fn count(store: &Store, now: Timestamp) -> sqlx::Result<f64> {
    standing!(query_scalar!(
        r#"select cast(count(*) as double) as "live!: f64" from user_sessions s
            where (s.idle_timeout_s = 0
                   or s.last_activity > ? - interval s.idle_timeout_s second) and "#
            + STANDING,
        now,
        now,
    ))
    .fetch_one(&store.pool)
    .await
}

/// How many sessions are live, for whoever watches: it looks at every session, so it may take longer
/// than a request.
pub async fn count_patiently(store: &Store, now: Timestamp) -> sqlx::Result<f64> {
    time(COUNT_PATIENCE, count(store, now)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_idle_at_the_instant_of_its_limit() {
        assert!(is_in_use(Timestamp(1_000), 2, Timestamp(2_999)));
        assert!(!is_in_use(Timestamp(1_000), 2, Timestamp(3_000)));
    }

    #[test]
    fn without_a_limit_no_session_is_idle() {
        assert!(is_in_use(Timestamp(0), 0, Timestamp::MAX));
    }

    #[test]
    fn a_session_that_was_used_by_a_clock_ahead_is_in_use() {
        assert!(is_in_use(Timestamp(5_000), 1, Timestamp(1_000)));
    }
}
