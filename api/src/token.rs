//! Access tokens: what is in them, how they are made, and when they are taken.
//!
//! A token is taken only if its header is one that these keys write (`at+jwt`, an algorithm that
//! belongs to the key, RFC 8725 §3.1 and §3.11), and the keys come from the settings alone: nothing
//! a token says about keys is ever followed. Time is the caller's, so the instant of expiry is
//! exact. Whether a token was revoked is the ledger's business, not this file's.

mod key;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_core::Digest;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

pub use key::{Algorithm, Key, KeyFault};

use crate::clock::UnixMs;
use crate::config::Tokens;
use crate::session_id::SessionId;

/// No access token of ours comes near this many bytes (BUG-38).
const LONGEST: usize = 4096;

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

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase")]
pub enum Role {
    /// Their own account.
    User,
    /// Everybody's.
    Admin,
}

impl Role {
    /// `user` or `admin`, as written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
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

/// A signed access token, on its way to the client.
pub struct AccessToken(SecretString);

impl AccessToken {
    /// The token itself, for the answer that hands it out.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What a revocation keeps of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.expose().as_bytes())
    }
}

/// The keys, and what every token must say beside its signature.
pub struct Keys {
    /// The first signs; all are read.
    all: Vec<Key>,
    issuer: String,
    audience: String,
    leeway: Duration,
}

impl Keys {
    /// Reads the keys that the settings name.
    pub fn new(settings: &Tokens) -> Result<Self, KeyFault> {
        let mut keys = match settings.keys_dir() {
            Some(dir) => Key::from_dir(dir)?,
            None => vec![Key::from_secret(settings.signing_secret())],
        };
        keys.extend(settings.old_secrets().map(Key::from_secret));
        Ok(Self {
            all: keys,
            issuer: settings.jwt_issuer.clone(),
            audience: settings.jwt_audience.clone(),
            leeway: settings.jwt_leeway,
        })
    }

    /// Makes a token that says this.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> AccessToken {
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
        let payload = serde_json::to_vec(&wire).unwrap_or_default();
        let mut token = String::with_capacity(512);
        let Some(key) = self.all.first() else { return AccessToken(token.into()) };
        token.push_str(key.header());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = key.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        AccessToken(token.into())
    }

    /// Reads a token as presented. What comes back was signed here and is good at `now`.
    pub fn verify(&self, token: &str, now: UnixMs) -> Result<Claims, Refusal> {
        if token.len() > LONGEST {
            return Err(Refusal::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Refusal::Malformed)?;
        let mut bytes = [0; LONGEST];
        let signature = decode(signature, &mut bytes)?;
        let mut candidates = self.all.iter().filter(|key| key.header() == header).peekable();
        let verified = if candidates.peek().is_some() {
            candidates.any(|key| key.verify(signed.as_bytes(), signature))
        } else {
            self.verify_by_header(header, signed, signature)?
        };
        if !verified {
            return Err(Refusal::BadSignature);
        }
        self.accept(decode(payload, &mut bytes)?, now)
    }

    /// The public keys (RFC 7517); none when a secret signs.
    #[must_use]
    pub fn jwks(&self) -> serde_json::Value {
        serde_json::json!({ "keys": self.all.iter().filter_map(Key::jwk).collect::<Vec<_>>() })
    }

    /// The slow way, for a header that says the same in other words, as other libraries write it.
    fn verify_by_header(
        &self,
        header: &str,
        signed: &str,
        signature: &[u8],
    ) -> Result<bool, Refusal> {
        let mut bytes = [0; LONGEST];
        let header: Header<'_> =
            serde_json::from_slice(decode(header, &mut bytes)?).map_err(|_| Refusal::Malformed)?;
        if header.typ != "at+jwt" || header.crit.is_some() {
            return Err(Refusal::UnknownKey);
        }
        let named = |key: &&Key| {
            key.algorithm().name() == header.alg && header.kid.is_none_or(|kid| kid == key.kid())
        };
        let mut candidates = self.all.iter().filter(named).peekable();
        candidates.peek().ok_or(Refusal::UnknownKey)?;
        Ok(candidates.any(|key| key.verify(signed.as_bytes(), signature)))
    }

    /// What a token with a good signature must say to be taken.
    fn accept(&self, payload: &[u8], now: UnixMs) -> Result<Claims, Refusal> {
        let wire: Wire<'_> = serde_json::from_slice(payload).map_err(|_| Refusal::Malformed)?;
        if wire.iss != self.issuer {
            return Err(Refusal::WrongIssuer);
        }
        if !wire.aud.has(&self.audience) {
            return Err(Refusal::WrongAudience);
        }
        if now >= UnixMs::from_seconds(wire.exp).plus(self.leeway) {
            return Err(Refusal::Expired);
        }
        let begins = UnixMs::from_seconds(wire.nbf.unwrap_or(0).max(wire.iat));
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

/// Strict base64url (BUG-08): no padding, no spare bits, no white space.
fn decode<'b>(text: &str, buffer: &'b mut [u8; LONGEST]) -> Result<&'b [u8], Refusal> {
    let length = URL_SAFE_NO_PAD
        .decode_slice(text, buffer.as_mut_slice())
        .map_err(|_| Refusal::Malformed)?;
    buffer.get(..length).ok_or(Refusal::Malformed)
}

#[derive(Deserialize)]
struct Header<'t> {
    alg: &'t str,
    typ: &'t str,
    kid: Option<&'t str>,
    crit: Option<serde_json::Value>,
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

#[cfg(test)]
mod tests;
