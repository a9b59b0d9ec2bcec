//! The rows of a session and of a refresh token, as they are written.

use portcullis_core::Digest;
use sqlx::MySqlConnection;
use sqlx::types::Json;

use crate::base::clock::Timestamp;
use crate::base::device::Device;
use crate::base::session_id::SessionId;
use crate::tokens::place::Reference;

/// A session that begins, here or in the system that is replaced.
pub(crate) struct NewSession<'a> {
    pub(crate) id: &'a SessionId,
    pub(crate) user_id: u64,
    pub(crate) source: Source<'a>,
    pub(crate) last_activity: Timestamp,
    pub(crate) created_at: Timestamp,
    /// When the password was given.
    pub(crate) authenticated_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) idle_timeout_s: u32,
}

/// A refresh token that is handed out.
pub(crate) struct NewRefreshToken<'a> {
    pub(crate) digest: Digest,
    pub(crate) user_id: u64,
    pub(crate) session: &'a SessionId,
    /// The one that was spent for it, if that has a row of its own.
    pub(crate) parent: Option<u64>,
    /// Of its session; none for a token of the earlier form.
    pub(crate) reference: Option<Reference>,
    pub(crate) source: Source<'a>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// From where it was asked for.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) device: &'a Device,
    pub(crate) ip_address: &'a str,
    pub(crate) user_agent: &'a str,
}

/// Writes a session.
pub(crate) async fn insert_session(
    tx: &mut MySqlConnection,
    row: &NewSession<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into user_sessions
            (id, user_id, device_info, ip_address, user_agent, last_activity, created_at,
             authenticated_at, expires_at, idle_timeout_s)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.id,
        row.user_id,
        Json(row.source.device),
        row.source.ip_address,
        row.source.user_agent,
        row.last_activity,
        row.created_at,
        row.authenticated_at,
        row.expires_at,
        row.idle_timeout_s,
    )
    .execute(tx)
    .await
    .map(drop)
}

/// Writes a refresh token.
pub(crate) async fn insert_refresh_token(
    tx: &mut MySqlConnection,
    row: &NewRefreshToken<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into refresh_tokens
            (user_id, session_id, parent_id, reference, token_hash, device_info, ip_address,
             user_agent, created_at, expires_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.user_id,
        row.session,
        row.parent,
        row.reference.as_ref().map(<[u8; 16]>::as_slice),
        row.digest.as_bytes().as_slice(),
        Json(row.source.device),
        row.source.ip_address,
        row.source.user_agent,
        row.created_at,
        row.expires_at,
    )
    .execute(tx)
    .await
    .map(drop)
}
