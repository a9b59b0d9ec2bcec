//! Token pairs: what login and refresh hand out.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use crate::base::clock::Timestamp;
use crate::base::random::Random;
use crate::base::role::Role;
use crate::base::session_id::SessionId;
use crate::metrics;
use crate::settings::Tokens;
use crate::tokens::access::{Claims, Keys};
use crate::tokens::secret::RefreshToken;

/// An access token and the refresh token that will replace it.
#[derive(Serialize, ToSchema)]
pub struct TokenPair {
    /// Sent with every request.
    pub access: Access,
    /// Valid for one refresh.
    pub refresh: Refresh,
    /// Only in cookie mode: what calls that change something must send as `X-CSRF-Token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    pub csrf_token: Option<String>,
}

/// A signed access token.
#[derive(Serialize, ToSchema)]
#[schema(as = AccessToken)]
pub struct Access {
    /// The JWT; omitted in cookie mode.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// Seconds until it expires.
    pub expires_in: u64,
    /// Always `Bearer`.
    #[schema(pattern = "^Bearer$", example = "Bearer")]
    pub r#type: &'static str,
}

/// A refresh token.
#[derive(Serialize, ToSchema)]
#[schema(as = RefreshToken)]
pub struct Refresh {
    /// The token; omitted in cookie mode.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(pattern = "^prt_(?:[A-Za-z0-9_-]{43}|[A-Za-z0-9_-]{70})$")]
    pub token: String,
    // However often it is refreshed (BUG-11).
    /// Seconds until its session ends; a refresh does not extend it.
    pub expires_in: u64,
}

/// Whom and what a token pair is for.
pub struct Grant<'a> {
    /// The subject.
    pub user_id: u64,
    /// What the subject may do.
    pub role: Role,
    /// The session.
    pub session: &'a SessionId,
    /// When the password was last given.
    pub authenticated_at: Timestamp,
    /// When the session ends at the latest.
    pub expires_at: Timestamp,
}

/// Hands out token pairs.
pub struct Issuer {
    keys: Arc<Keys>,
    random: Random,
    lifetime: Duration,
}

impl Issuer {
    /// Access tokens live as long as the settings say.
    pub fn new(keys: Arc<Keys>, settings: &Tokens, random: Random) -> Self {
        Self { keys, random, lifetime: settings.jwt_expires_in }
    }

    /// Signs an access token and puts the refresh token beside it.
    pub fn pair(&self, grant: &Grant<'_>, refresh: &RefreshToken, now: Timestamp) -> TokenPair {
        // No token outlives its session.
        let dies_at = now.plus(self.lifetime).min(grant.expires_at);
        let claims = Claims {
            user_id: grant.user_id,
            session_id: grant.session.clone(),
            jti: self.random.base64::<16>(),
            issued_at_s: now.seconds(),
            expires_at_s: dies_at.seconds(),
            auth_time_s: grant.authenticated_at.seconds(),
            role: grant.role,
            amr: vec!["pwd".to_owned()],
        };
        let token = self.keys.sign(&claims);
        metrics::token_issued("access");
        metrics::token_issued("refresh");
        TokenPair {
            access: Access {
                token: token.expose().to_owned(),
                expires_in: dies_at.since(now).as_secs(),
                r#type: "Bearer",
            },
            refresh: Refresh {
                token: refresh.expose().to_owned(),
                expires_in: grant.expires_at.since(now).as_secs(),
            },
            csrf_token: None,
        }
    }
}
