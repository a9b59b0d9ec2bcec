//! Rows of the old database, with our names. Instants are milliseconds since the epoch; what a
//! version of the old system does not have is none.

use std::net::IpAddr;

use sqlx::FromRow;

use crate::base::clock::Timestamp;

/// A user as the old system has them.
#[derive(FromRow)]
pub(super) struct OldUser {
    pub(super) id: u64,
    pub(super) email: Option<String>,
    pub(super) hash: Option<String>,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
    pub(super) role: Option<String>,
    pub(super) is_admin: Option<i64>,
    pub(super) is_active: Option<i64>,
    pub(super) is_verified: Option<i64>,
    pub(super) verified_at: Option<i64>,
    pub(super) deleted_at: Option<i64>,
    pub(super) created_at: Option<i64>,
    pub(super) updated_at: Option<i64>,
}

/// A session as the old system has it.
#[derive(FromRow)]
pub(super) struct OldSession {
    pub(super) id: String,
    pub(super) user_id: u64,
    pub(super) device: Option<String>,
    pub(super) ip: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) is_active: Option<i64>,
    pub(super) last_activity: Option<i64>,
    pub(super) created_at: Option<i64>,
    pub(super) expires_at: Option<i64>,
}

/// A refresh token as the old system has it. One version does not know its session.
#[derive(FromRow)]
pub(super) struct OldToken {
    pub(super) hash: String,
    pub(super) user_id: u64,
    pub(super) session_id: Option<String>,
    pub(super) device: Option<String>,
    pub(super) is_active: Option<i64>,
    pub(super) created_at: Option<i64>,
    pub(super) expires_at: Option<i64>,
}

/// A revoked token as the old system has it.
#[derive(FromRow)]
pub(super) struct OldRevocation {
    pub(super) id: u64,
    pub(super) hash: String,
    pub(super) kind: Option<String>,
    pub(super) expires_at: Option<i64>,
    pub(super) at: Option<i64>,
    pub(super) reason: Option<String>,
    pub(super) user_id: Option<u64>,
    pub(super) session_id: Option<String>,
    pub(super) ip: Option<String>,
}

impl OldRevocation {
    /// Whether the token was a refresh token.
    pub(super) fn is_refresh(&self) -> bool {
        self.kind.as_deref() == Some("refresh")
    }
}

/// An instant of the old database.
pub(super) fn instant(ms: i64) -> Timestamp {
    Timestamp(u64::try_from(ms).unwrap_or(0)).min(Timestamp::MAX)
}

/// An address in its plain spelling: Express writes IPv4 as `::ffff:192.0.2.1`.
pub(super) fn address(text: Option<&str>) -> Option<String> {
    let ip: IpAddr = text?.trim().parse().ok()?;
    Some(ip.to_canonical().to_string())
}
