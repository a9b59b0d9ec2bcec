//! Somebody who sent a live access token, as everybody needs to know them.

use std::time::Duration;

use portcullis_core::Digest;

use crate::base::clock::Timestamp;
use crate::base::error::{Error, Result};
use crate::base::role::Role;
use crate::base::session_id::SessionId;
use crate::tokens::access::Claims;

/// Somebody who sent a live access token.
pub struct Caller {
    /// The user.
    pub user_id: u64,
    /// The session that the token belongs to.
    pub session: SessionId,
    /// What the user may do.
    pub role: Role,
    /// The token's own name.
    pub jti: String,
    /// When the token was made.
    pub issued_at_s: u64,
    /// When the password was last given.
    pub auth_time_s: u64,
    /// How they showed who they are.
    pub amr: Vec<String>,
    /// When the token dies.
    pub expires_at_s: u64,
    /// The token's digest, for ending it.
    pub digest: Digest,
    /// Whether the token came in the cookie of cookie mode, so that the next one should as well.
    pub by_cookie: bool,
}

impl Caller {
    pub(super) fn new(claims: Claims, digest: Digest) -> Self {
        let Claims { user_id, session_id, jti, issued_at_s, expires_at_s, .. } = claims;
        let Claims { auth_time_s, role, amr, .. } = claims;
        let session = session_id;
        let by_cookie = false;
        Self {
            user_id,
            session,
            role,
            jti,
            issued_at_s,
            auth_time_s,
            amr,
            expires_at_s,
            digest,
            by_cookie,
        }
    }

    /// Sensitive changes want a password that was given lately (R-11, RFC 9470).
    pub fn must_have_logged_in_within(&self, window: Duration, now: Timestamp) -> Result<()> {
        let authenticated_at = Timestamp::from_seconds(self.auth_time_s);
        if now.since(authenticated_at) > window {
            return Err(Error::StepUp(window.as_secs()));
        }
        Ok(())
    }
}
