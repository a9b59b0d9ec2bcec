//! Keys that signatures are verified with, each tied to its algorithms.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header};

/// Why a verifier cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadKey {
    /// The secret is too short for its algorithm (RFC 7518 §3.2).
    #[error("the secret has {0} bytes; give at least 32, from a random generator")]
    ShortSecret(usize),
    /// The text is no public key.
    #[error(
        "this is no public key in PEM; give one of RSA, P-256, P-384 or Ed25519 (openssl pkey -pubout)"
    )]
    NotAKey,
    /// The key set's address cannot be used.
    #[error("the key set's address cannot be used: {0}; give one that begins with https://")]
    Address(String),
    /// The system gives no thread.
    #[error(
        "the thread that fetches keys cannot be started: {0}; raise the limit of threads or of open files"
    )]
    Thread(#[from] std::io::Error),
}

const HMAC: &[Algorithm] = &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];
const P256: &[Algorithm] = &[Algorithm::ES256];
const P384: &[Algorithm] = &[Algorithm::ES384];
const EC: &[Algorithm] = &[Algorithm::ES256, Algorithm::ES384];
const ED: &[Algorithm] = &[Algorithm::EdDSA];
const SHORTEST_SECRET: usize = 32;

/// A key, and what it may have signed.
pub(super) struct Key {
    name: Option<String>,
    algorithms: Vec<Algorithm>,
    reads: DecodingKey,
}

impl Key {
    fn new(name: Option<String>, algorithms: &[Algorithm], reads: DecodingKey) -> Self {
        Self { name, algorithms: algorithms.to_vec(), reads }
    }

    pub(super) fn from_secret(secret: &[u8]) -> Result<Self, BadKey> {
        if secret.len() < SHORTEST_SECRET {
            return Err(BadKey::ShortSecret(secret.len()));
        }
        Ok(Self::new(None, HMAC, DecodingKey::from_secret(secret)))
    }

    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, BadKey> {
        let key = DecodingKey::from_ed_pem(pem)
            .map(|key| Self::new(None, ED, key))
            .or_else(|_| DecodingKey::from_ec_pem(pem).map(|key| Self::new(None, EC, key)))
            .or_else(|_| DecodingKey::from_rsa_pem(pem).map(|key| Self::new(None, RSA, key)));
        key.map_err(|_| BadKey::NotAKey)
    }

    /// A secret in a set that everybody can read is none, and not all keys are for signatures.
    fn from_jwk(jwk: &Jwk) -> Option<Self> {
        let usual: &[Algorithm] = match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(it) if it.curve == EllipticCurve::P256 => P256,
            AlgorithmParameters::EllipticCurve(it) if it.curve == EllipticCurve::P384 => P384,
            AlgorithmParameters::RSA(_) => RSA,
            AlgorithmParameters::OctetKeyPair(it) if it.curve == EllipticCurve::Ed25519 => ED,
            _ => return None,
        };
        let is_for_signatures = match &jwk.common.public_key_use {
            None | Some(PublicKeyUse::Signature) => true,
            Some(_) => false,
        };
        let named = jwk.common.key_algorithm.map(|it| it.to_string());
        let wanted = |it: &&Algorithm| named.as_ref().is_none_or(|name| *name == format!("{it:?}"));
        let algorithms: Vec<Algorithm> = usual.iter().filter(wanted).copied().collect();
        if !is_for_signatures || algorithms.is_empty() {
            return None;
        }
        let reads = DecodingKey::from_jwk(jwk).ok()?;
        Some(Self::new(jwk.common.key_id.clone(), &algorithms, reads))
    }

    /// Whether a token with this header may be this key's.
    pub(super) fn may_have_signed(&self, header: &Header) -> bool {
        let is_named = match (&self.name, &header.kid) {
            (Some(name), Some(kid)) => name == kid,
            _ => true,
        };
        is_named && self.algorithms.contains(&header.alg)
    }

    pub(super) const fn reads(&self) -> &DecodingKey {
        &self.reads
    }
}

/// Keys that may be replaced.
#[derive(Default)]
pub(super) struct Ring {
    keys: RwLock<Arc<Vec<Key>>>,
    version: AtomicU64,
}

impl Ring {
    pub(super) fn keys(&self) -> Arc<Vec<Key>> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(super) fn replace(&self, keys: Vec<Key>) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        // Behind the keys: what was verified with the old ones has the old number.
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes what was fetched; false if there is no key in it.
    pub(super) fn take(&self, set: &JwkSet) -> bool {
        let keys: Vec<Key> = set.keys.iter().filter_map(Key::from_jwk).collect();
        let is_any = !keys.is_empty();
        if is_any {
            self.replace(keys);
        }
        is_any
    }
}
