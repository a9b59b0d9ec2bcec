//! What was revoked in the old system, and what that says about its sessions.

use std::collections::{HashMap, HashSet};

use portcullis_core::Digest;

use super::rows::{OldRevocation, instant};
use crate::base::clock::Timestamp;

/// What was revoked in the old system.
#[derive(Default)]
pub(super) struct Revoked {
    tokens: HashSet<Digest>,
    sessions: HashSet<String>,
    /// When a token of the user was last revoked without naming its session.
    users: HashMap<u64, Timestamp>,
}

impl Revoked {
    /// Whether the token of this digest was revoked.
    pub(super) fn has_token(&self, digest: &Digest) -> bool {
        self.tokens.contains(digest)
    }

    /// Whether the session was ended: by name, or perhaps, because it has not been used since a
    /// revocation that named none. The old logout revoked a token and left its session as it was
    /// (BUG-05).
    pub(super) fn has_session(&self, id: &str, user_id: u64, last_activity: Timestamp) -> bool {
        let unnamed = self.users.get(&user_id);
        self.sessions.contains(id) || unnamed.is_some_and(|at| *at >= last_activity)
    }

    /// Takes one revocation in.
    pub(super) fn note(&mut self, row: &OldRevocation) {
        if row.is_refresh() {
            self.tokens.extend(Digest::from_hex(row.hash.as_bytes()));
        }
        // A token that was exchanged for the next one says nothing about its session.
        let reason = row.reason.as_deref().unwrap_or_default().to_lowercase();
        if reason.contains("rotat") || reason.ends_with("refresh") || reason.ends_with("refreshed")
        {
            return;
        }
        match (&row.session_id, row.user_id, row.at) {
            (Some(session), _, _) => drop(self.sessions.insert(session.clone())),
            (None, Some(user_id), Some(at)) => {
                let latest = self.users.entry(user_id).or_default();
                *latest = instant(at).max(*latest);
            }
            (None, _, _) => {}
        }
    }
}
