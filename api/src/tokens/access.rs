//! Access tokens: what is in them, how they are made, and when they are taken. `jsonwebtoken` signs
//! and verifies; which key, which type and which time are decided here.
//!
//! A token is taken only if its header is one that these keys write (`at+jwt`, an algorithm that
//! belongs to the key, RFC 8725 §3.1 and §3.11), and the keys come from the settings alone: nothing
//! a token says about keys is ever followed. Time is the caller's, so the instant of expiry is
//! exact. Whether a token was revoked is the ledger's business, not this file's.

mod claims;
mod key;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jsonwebtoken::errors::ErrorKind;
use portcullis_core::Digest;
use secrecy::{ExposeSecret as _, SecretString};

pub use claims::{Claims, Refusal};
pub use key::{Jwk, Key, KeyFault};

use claims::Rules;
use key::{Look, TYPE};

use crate::base::clock::Timestamp;
use crate::base::log_targets as log;
use crate::settings::Tokens;

/// No access token of ours comes near this many bytes (BUG-38).
const LONGEST: usize = 4096;

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
    ring: RwLock<Arc<Vec<Key>>>,
    /// How often the ring was replaced.
    turns: AtomicU64,
    /// Where the keys are read again from, and when that was done last.
    dir: Option<PathBuf>,
    read_at_s: AtomicU64,
    /// What the directory looked like when its keys were last read, or could not be.
    seen: Mutex<Option<Look>>,
    secrets: Vec<SecretString>,
    rules: Rules,
}

impl Keys {
    /// Reads the keys that the settings name.
    pub fn new(settings: &Tokens) -> Result<Self, KeyFault> {
        let dir = settings.keys_dir().cloned();
        let signing = dir.is_none().then(|| settings.signing_secret());
        let secrets: Vec<_> =
            signing.into_iter().chain(settings.old_secrets()).map(SecretString::from).collect();
        Ok(Self {
            seen: Mutex::new(dir.as_deref().and_then(key::look)),
            ring: RwLock::new(Arc::new(read(dir.as_deref(), &secrets)?)),
            turns: AtomicU64::new(0),
            dir,
            read_at_s: AtomicU64::new(0),
            secrets,
            rules: Rules::new(&settings.jwt_issuer, &settings.jwt_audience, settings.jwt_leeway),
        })
    }

    /// Reads the directory of keys again, so that a key made or retired counts without a restart.
    pub fn reload(&self) -> Result<(), KeyFault> {
        let ring = Arc::new(read(self.dir.as_deref(), &self.secrets)?);
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        // Afterwards: what is verified in between counts as verified with the old ones.
        self.turns.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// The same, if the directory looks different from last time; false if it does not. What cannot
    /// be read is not tried again until it looks different.
    pub fn reload_if_changed(&self) -> Result<bool, KeyFault> {
        let Some(dir) = self.dir.as_deref() else { return Ok(false) };
        // Before the keys are read: what changes in between is seen as a change next time.
        let look = key::look(dir);
        let seen = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *seen, look.clone())
        };
        if look == seen {
            return Ok(false);
        }
        self.reload().map(|()| true)
    }

    /// Makes a token that says this.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> AccessToken {
        let ring = self.ring();
        // The first signs; all are read.
        let signed = ring.first().map(|key| self.rules.write(claims, key)).transpose();
        let token = signed.unwrap_or_else(|cause| {
            tracing::error!(target: log::TOKEN, %cause, "an access token could not be signed");
            None
        });
        AccessToken(token.unwrap_or_default().into())
    }

    /// Reads a token as presented. What comes back was signed by one of the keys and is good `now`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Refusal> {
        match self.verify_with(&self.ring(), token, now) {
            Err(Refusal::UnknownKey) if self.may_reload(now) => {
                if let Err(cause) = self.reload() {
                    tracing::warn!(target: log::TOKEN, %cause, "the keys could not be reloaded");
                }
                self.verify_with(&self.ring(), token, now)
            }
            verdict => verdict,
        }
    }

    /// Another number whenever a key may have gone: what was verified under the last one has to be
    /// verified again.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Acquire)
    }

    /// Whether the time of a token has passed that was verified before, or has not come after all.
    #[must_use]
    pub fn is_out_of_time(&self, claims: &Claims, now: Timestamp) -> bool {
        self.rules.in_time(claims.expires_at_s, claims.issued_at_s, now).is_err()
    }

    /// From when on a token is dead by itself.
    #[must_use]
    pub fn end(&self, claims: &Claims) -> Timestamp {
        self.rules.end(claims.expires_at_s)
    }

    /// Another instance may sign with a key made since: looked for once a second at most, because
    /// anybody can send a token with a key that nobody knows.
    fn may_reload(&self, now: Timestamp) -> bool {
        self.dir.is_some() && self.read_at_s.swap(now.seconds(), Ordering::Relaxed) != now.seconds()
    }

    fn verify_with(&self, ring: &[Key], token: &str, now: Timestamp) -> Result<Claims, Refusal> {
        if token.len() > LONGEST {
            return Err(Refusal::Malformed);
        }
        if let Some(key) = ring.iter().find(|key| key.begins(token)) {
            return self.rules.read(token, key, now);
        }
        let mut refusal = Refusal::UnknownKey;
        for key in named(ring, token)? {
            match self.rules.read(token, key, now) {
                Err(Refusal::BadSignature) => refusal = Refusal::BadSignature,
                verdict => return verdict,
            }
        }
        Err(refusal)
    }

    fn ring(&self) -> Arc<Vec<Key>> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which key signed a token, whatever else is the matter with it: its name and algorithm.
    #[must_use]
    pub fn signer(&self, token: &str) -> Option<String> {
        let ring = self.ring();
        let signer = ring.iter().find(|key| key.has_signed(token));
        signer.map(|key| format!("{} ({})", key.kid(), key.algorithm_name()))
    }

    /// The public keys (RFC 7517); none when a secret signs.
    #[must_use]
    pub fn jwks(&self) -> Vec<Jwk> {
        self.ring().iter().filter_map(Key::jwk).collect()
    }
}

/// Every key, the signing one first.
fn read(dir: Option<&Path>, secrets: &[SecretString]) -> Result<Vec<Key>, KeyFault> {
    let mut ring = dir.map(Key::from_dir).transpose()?.unwrap_or_default();
    ring.extend(secrets.iter().map(|secret| Key::from_secret(secret.expose_secret())));
    Ok(ring)
}

/// The keys that may have signed a token whose header says what ours say in other words, as other
/// libraries write it. A header that wants more to be understood than we do is nobody's (RFC 7515
/// §4.1.11).
fn named<'k>(ring: &'k [Key], token: &str) -> Result<impl Iterator<Item = &'k Key>, Refusal> {
    let header = jsonwebtoken::decode_header(token).map_err(|fault| match fault.kind() {
        // An algorithm that nobody knows, for one.
        ErrorKind::Json(cause) if cause.is_data() => Refusal::UnknownKey,
        _ => Refusal::Malformed,
    })?;
    if header.typ.as_deref() != Some(TYPE) || header.crit.is_some() {
        return Err(Refusal::UnknownKey);
    }
    Ok(ring.iter().filter(move |key| {
        key.algorithm() == header.alg && header.kid.as_deref().is_none_or(|kid| kid == key.kid())
    }))
}

/// What a token of our type says, unverified: to be shown, never to be believed.
#[must_use]
pub fn peek(token: &str) -> Option<serde_json::Value> {
    let header = jsonwebtoken::decode_header(token).ok()?;
    let is_ours = token.len() <= LONGEST && header.typ.as_deref() == Some(TYPE);
    is_ours.then(|| jsonwebtoken::dangerous::insecure_decode_claims(token).ok())?
}

#[cfg(test)]
mod tests;
