//! A session that stands, as MySQL has it, and what its ledger is told of it.

use serde_json::value::RawValue;
use sqlx::types::Json;

use super::change::{Change, device_text};
use crate::base::clock::Timestamp;
use crate::base::last_use::Uses;
use crate::base::session_id::SessionId;

/// A session that stands, as MySQL has it.
#[derive(sqlx::FromRow)]
pub(super) struct SessionRow {
    pub(super) id: SessionId,
    pub(super) user_id: u64,
    pub(super) device: Json<Box<RawValue>>,
    pub(super) ip_address: String,
    pub(super) created_at: Timestamp,
    pub(super) last_activity: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) idle_timeout_s: u32,
}

impl SessionRow {
    /// What its ledger is told of it, with its last use as far as that is known.
    pub(super) fn change(&self, uses: &Uses) -> Change {
        let seen_at = uses.last_used(self.id.as_str(), self.last_activity);
        Change::Create {
            session: self.id.clone(),
            created_at: self.created_at,
            seen_at: Some(seen_at),
            expires_at: self.expires_at,
            idle_s: self.idle_timeout_s,
            device: device_text(self.device.get(), &self.ip_address),
        }
    }
}
