//! What is in an access token, and what must be for it to be taken.

use std::borrow::Cow;
use std::time::Duration;

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, TokenData, Validation};
use serde::{Deserialize, Serialize};

use super::key::Key;
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

impl From<Error> for Refusal {
    fn from(fault: Error) -> Self {
        match fault.kind() {
            ErrorKind::InvalidSignature => Self::BadSignature,
            ErrorKind::InvalidAlgorithm => Self::UnknownKey,
            ErrorKind::InvalidIssuer => Self::WrongIssuer,
            ErrorKind::InvalidAudience => Self::WrongAudience,
            _ => Self::Malformed,
        }
    }
}

/// What every token must say beside its signature.
pub(super) struct Rules {
    issuer: String,
    audience: String,
    leeway: Duration,
    /// For each algorithm, because a key must not be tried with another's.
    validations: [Validation; 3],
}

impl Rules {
    pub(super) fn new(issuer: &str, audience: &str, leeway: Duration) -> Self {
        let validation = |algorithm| {
            let mut validation = Validation::new(algorithm);
            validation.set_issuer(&[issuer]);
            validation.set_audience(&[audience]);
            validation.set_required_spec_claims(&["iss", "aud"]);
            // The library asks the system for the time; here time is the caller's.
            (validation.validate_exp, validation.validate_nbf) = (false, false);
            validation
        };
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            leeway,
            validations: [Algorithm::HS256, Algorithm::ES256, Algorithm::EdDSA].map(validation),
        }
    }

    /// A token that says this.
    pub(super) fn write(&self, claims: &Claims, key: &Key) -> Result<String, Error> {
        let wire = Wire {
            iss: self.issuer.as_str().into(),
            aud: Audience::One(self.audience.as_str().into()),
            sub: claims.user_id.to_string().into(),
            sid: claims.session_id.as_str().into(),
            jti: claims.jti.as_str().into(),
            iat: claims.issued_at_s,
            exp: claims.expires_at_s,
            nbf: None,
            auth_time: claims.auth_time_s,
            role: claims.role,
            amr: claims.amr.clone(),
        };
        jsonwebtoken::encode(key.header(), &wire, key.signs())
    }

    /// Reads a token that this key must have signed.
    pub(super) fn read(&self, token: &str, key: &Key, now: Timestamp) -> Result<Claims, Refusal> {
        let fits = |validation: &&Validation| validation.algorithms.contains(&key.algorithm());
        let validation = self.validations.iter().find(fits).ok_or(Refusal::UnknownKey)?;
        let TokenData { claims: wire, .. } =
            jsonwebtoken::decode::<Wire<'static>>(token, key.reads(), validation)?;
        self.in_time(wire.exp, wire.nbf.unwrap_or(0).max(wire.iat), now)?;
        Ok(Claims {
            user_id: wire.sub.parse().map_err(|_| Refusal::Malformed)?,
            session_id: SessionId::parse(&wire.sid).ok_or(Refusal::Malformed)?,
            jti: wire.jti.into_owned(),
            issued_at_s: wire.iat,
            expires_at_s: wire.exp,
            auth_time_s: wire.auth_time,
            role: wire.role,
            amr: wire.amr,
        })
    }

    /// Refuses a token before its time and after it.
    pub(super) fn in_time(&self, exp: u64, begins: u64, now: Timestamp) -> Result<(), Refusal> {
        if now >= self.end(exp) {
            return Err(Refusal::Expired);
        }
        if now.plus(self.leeway) < Timestamp::from_seconds(begins) {
            return Err(Refusal::NotYet);
        }
        Ok(())
    }

    /// The first instant at which it is dead.
    pub(super) fn end(&self, exp: u64) -> Timestamp {
        Timestamp::from_seconds(exp).plus(self.leeway)
    }
}

/// The claims as they are written. A repeated claim is refused, not guessed at. That issuer and
/// audience have the right shape is seen here, that they are ours by the library.
#[derive(Serialize, Deserialize)]
struct Wire<'t> {
    iss: Cow<'t, str>,
    aud: Audience<'t>,
    sub: Cow<'t, str>,
    sid: Cow<'t, str>,
    jti: Cow<'t, str>,
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
    One(Cow<'t, str>),
    Many(Vec<Cow<'t, str>>),
}
