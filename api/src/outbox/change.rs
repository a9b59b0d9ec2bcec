//! What a ledger is told, as the outbox keeps it, and whether it has arrived.

use portcullis_core::Digest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::clock::UnixMs;
use crate::base::session_id::SessionId;

/// One thing that a user's ledger must be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A login: `AUTH.SESSION CREATE`.
    Create {
        /// The new session.
        session: SessionId,
        /// When it was made.
        created_at: UnixMs,
        /// When it was last used, if that is later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen_at: Option<UnixMs>,
        /// When it ends at the latest.
        expires_at: UnixMs,
        /// Seconds without activity that end it; 0: no limit.
        idle_s: u32,
        /// What a listing shows of the device.
        device: String,
    },
    /// Some sessions end: `AUTH.SESSION REVOKE`.
    Revoke {
        /// The sessions.
        sessions: Vec<SessionId>,
    },
    /// Everything up to an instant ends: `AUTH.SESSION REVOKEALL`.
    RevokeAll {
        /// The instant.
        at: UnixMs,
    },
    /// One token ends: `AUTH.BLACKLIST`.
    Blacklist {
        /// 64 hex digits.
        digest: String,
        /// When the token dies anyway.
        expires_at: UnixMs,
    },
}

impl Change {
    /// Ends one token.
    pub fn blacklist(digest: Digest, expires_at: UnixMs) -> Self {
        let digest = String::from_utf8_lossy(&digest.to_hex()).into_owned();
        Self::Blacklist { digest, expires_at }
    }
}

/// Whether Redis has confirmed a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    /// Redis has it.
    Confirmed,
    /// It is safe in MySQL and will reach Redis later.
    Pending,
}

impl Propagation {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(crate) const fn is_confirmed(&self) -> bool {
        matches!(self, Self::Confirmed)
    }
}
