//! What a ledger is told, as the outbox keeps it, and whether it has arrived.

use portcullis_core::Digest;
use redis::Cmd;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::fence::Fence;
use crate::base::clock::Timestamp;
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
        created_at: Timestamp,
        /// When it was last used, if that is later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen_at: Option<Timestamp>,
        /// When it ends at the latest.
        expires_at: Timestamp,
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
        at: Timestamp,
    },
    /// One token ends: `AUTH.BLACKLIST`.
    Blacklist {
        /// 64 hex digits.
        digest: String,
        /// When the token dies anyway.
        expires_at: Timestamp,
    },
}

impl Change {
    /// Ends one token.
    pub fn blacklist(digest: Digest, expires_at: Timestamp) -> Self {
        let digest = String::from_utf8_lossy(&digest.to_hex()).into_owned();
        Self::Blacklist { digest, expires_at }
    }
}

impl Change {
    /// The session that it begins; `None` if it only ends things, so that telling it late, or twice,
    /// brings nothing back.
    pub(crate) const fn begins(&self) -> Option<&SessionId> {
        match self {
            Self::Create { session, .. } => Some(session),
            Self::Revoke { .. } | Self::RevokeAll { .. } | Self::Blacklist { .. } => None,
        }
    }

    pub(crate) const fn is_ending(&self) -> bool {
        self.begins().is_none()
    }

    /// Whether it ends what it names, so that it says all there is to say, whatever else waits. One that
    /// ends everything up to an instant names nobody, and what waits beside it is told with it.
    pub(crate) const fn ends_what_it_names(&self) -> bool {
        matches!(self, Self::Revoke { .. } | Self::Blacklist { .. })
    }

    /// The command that tells it. No watermark lies beyond `now`; a beginning carries the fence.
    pub(crate) fn command(&self, key: &str, now: Timestamp, fence: Option<&Fence>) -> Cmd {
        match self {
            Self::Create { session, created_at, seen_at, expires_at, idle_s, device } => {
                let mut command = redis::cmd("AUTH.SESSION");
                command.arg("CREATE").arg(key).arg(session.as_str());
                command.arg("PXAT").arg(expires_at.0).arg("CREATED").arg(created_at.0);
                command.arg("SEEN").arg(seen_at.unwrap_or(*created_at).0);
                if *idle_s > 0 {
                    command.arg("IDLE").arg(*idle_s);
                }
                command.arg("DEVICE").arg(device);
                if let Some(fence) = fence {
                    command.arg("FENCE").arg(fence.as_str());
                }
                command
            }
            Self::Revoke { sessions } => {
                let mut command = redis::cmd("AUTH.SESSION");
                command.arg("REVOKE").arg(key);
                for session in sessions {
                    command.arg(session.as_str());
                }
                command
            }
            Self::RevokeAll { at } => {
                let mut command = redis::cmd("AUTH.SESSION");
                command.arg("REVOKEALL").arg(key).arg("AT").arg(now.min(*at).0);
                command
            }
            Self::Blacklist { digest, expires_at } => {
                let mut command = redis::cmd("AUTH.BLACKLIST");
                command.arg(key).arg("DIGEST").arg(digest).arg("PXAT").arg(expires_at.0);
                command
            }
        }
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

/// What a ledger keeps of a session's device, each part as it is given.
#[derive(Default, Serialize, Deserialize)]
struct Kept<'a> {
    #[serde(borrow)]
    browser: Option<&'a RawValue>,
    #[serde(borrow)]
    device: Option<&'a RawValue>,
    #[serde(skip_deserializing)]
    ip: &'a str,
    #[serde(borrow)]
    os: Option<&'a RawValue>,
}

/// The same as text, from a device in JSON; there may be less to it than is asked for.
pub(crate) fn device_text(device: &str, ip: &str) -> String {
    let kept = Kept { ip, ..serde_json::from_str(device).unwrap_or_default() };
    serde_json::to_string(&kept).unwrap_or_default()
}
