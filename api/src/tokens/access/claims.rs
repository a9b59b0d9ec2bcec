//! What is in an access token, and what must be for it to be taken.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::role::Role;
use crate::base::session_id::SessionId;

/// What an access token says (RFC 9068 §2.2); all times in whole seconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The user (`sub`).
    pub user_id: u64,
    /// The session the token belongs to (`sid`).
    pub session_id: SessionId,
    /// The token's own name (`jti`).
    pub jti: String,
    /// When it was made (`iat`).
    pub issued_at_s: u64,
    /// From when on it is dead (`exp`).
    pub expires_at_s: u64,
    /// When the user last showed a password (`auth_time`).
    pub auth_time_s: u64,
    /// What the user may do (`role`).
    pub role: Role,
    /// How the user showed who they are (`amr`).
    pub amr: Vec<String>,
}

/// Why a token is not taken. The client hears `invalid_token` whichever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a token of this shape, or a claim is missing or of the wrong kind.
    #[error("malformed")]
    Malformed,
    /// The header names no key, algorithm and type that go together here.
    #[error("unknown key")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("bad signature")]
    BadSignature,
    /// Its time is over.
    #[error("expired")]
    Expired,
    /// Its time has not come.
    #[error("not yet valid")]
    NotYet,
    /// Somebody else made it.
    #[error("wrong issuer")]
    WrongIssuer,
    /// It was made for somebody else.
    #[error("wrong audience")]
    WrongAudience,
}

/// What every token must say beside its signature.
pub(super) struct Rules {
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) leeway: Duration,
}

impl Rules {
    /// The payload of a token that says this.
    pub(super) fn write(&self, claims: &Claims) -> Vec<u8> {
        let wire = Wire {
            iss: &self.issuer,
            aud: Audience::One(&self.audience),
            sub: &claims.user_id.to_string(),
            sid: claims.session_id.as_str(),
            jti: &claims.jti,
            iat: claims.issued_at_s,
            exp: claims.expires_at_s,
            nbf: None,
            auth_time: claims.auth_time_s,
            role: claims.role,
            amr: claims.amr.clone(),
        };
        serde_json::to_vec(&wire).unwrap_or_default()
    }

    /// Reads the payload of a token whose signature is good.
    pub(super) fn read(&self, payload: &[u8], now: Timestamp) -> Result<Claims, Refusal> {
        let wire: Wire<'_> = serde_json::from_slice(payload).map_err(|_| Refusal::Malformed)?;
        if wire.iss != self.issuer {
            return Err(Refusal::WrongIssuer);
        }
        if !wire.aud.has(&self.audience) {
            return Err(Refusal::WrongAudience);
        }
        if now >= Timestamp::from_seconds(wire.exp).plus(self.leeway) {
            return Err(Refusal::Expired);
        }
        let begins = Timestamp::from_seconds(wire.nbf.unwrap_or(0).max(wire.iat));
        if now.plus(self.leeway) < begins {
            return Err(Refusal::NotYet);
        }
        Ok(Claims {
            user_id: wire.sub.parse().map_err(|_| Refusal::Malformed)?,
            session_id: SessionId::parse(wire.sid).ok_or(Refusal::Malformed)?,
            jti: wire.jti.to_owned(),
            issued_at_s: wire.iat,
            expires_at_s: wire.exp,
            auth_time_s: wire.auth_time,
            role: wire.role,
            amr: wire.amr,
        })
    }
}

/// The claims as they are written. A repeated claim is refused, not guessed at.
#[derive(Serialize, Deserialize)]
struct Wire<'t> {
    iss: &'t str,
    #[serde(borrow)]
    aud: Audience<'t>,
    sub: &'t str,
    sid: &'t str,
    jti: &'t str,
    iat: u64,
    exp: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    auth_time: u64,
    role: Role,
    #[serde(default)]
    amr: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Audience<'t> {
    One(&'t str),
    #[serde(borrow)]
    Many(Vec<&'t str>),
}

impl Audience<'_> {
    fn has(&self, ours: &str) -> bool {
        match self {
            Self::One(one) => *one == ours,
            Self::Many(many) => many.contains(&ours),
        }
    }
}
