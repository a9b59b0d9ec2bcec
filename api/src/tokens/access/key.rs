//! One key: parsed once, tied to one algorithm for good. How tokens are signed and read with it is
//! the business of `jsonwebtoken`.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;
use serde::de::IgnoredAny;
use sha2::Sha256;
use utoipa::ToSchema;

/// The type of our tokens (RFC 9068 §2.1).
pub(super) const TYPE: &str = "at+jwt";

/// Why the keys could not be read.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    /// The directory or a file in it cannot be read.
    #[error(
        "JWT_KEYS_DIR: {0} cannot be read: let the service read it, or have portcullis keys generate make it ({1})"
    )]
    Unreadable(String, std::io::Error),
    /// A file is not a key that can sign here.
    #[error(
        "JWT_KEYS_DIR: {0} is not an Ed25519 or P-256 private key in PKCS#8 PEM (openssl genpkey -algorithm ed25519)"
    )]
    NotAKey(String),
    /// A file's name cannot be a key's name.
    #[error(
        "JWT_KEYS_DIR: {0}: the name of a key is at most 64 characters, each one of A-Z a-z 0-9 . _ -"
    )]
    BadName(String),
    /// There is no key at all.
    #[error("JWT_KEYS_DIR: {0} contains no key; portcullis keys generate makes one")]
    None(String),
}

/// A key that signs and reads tokens of one algorithm.
pub struct Key {
    kid: String,
    header: Header,
    /// The header as our own tokens begin, with the point behind it.
    beginning: String,
    material: Material,
}

/// The public half of a key (RFC 7517 §4).
#[derive(Serialize, ToSchema)]
pub struct Jwk {
    /// `EC` or `OKP`.
    kty: &'static str,
    /// `P-256` or `Ed25519`.
    crv: &'static str,
    /// The public key, or its x coordinate, in base64url.
    x: String,
    /// The y coordinate in base64url, for `EC` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    y: Option<String>,
    /// Always `sig`.
    r#use: &'static str,
    /// `ES256` or `EdDSA`.
    alg: &'static str,
    /// The `kid` in the header of the tokens it signed.
    kid: String,
}

struct Material {
    algorithm: Algorithm,
    signs: EncodingKey,
    reads: DecodingKey,
    /// The public half; a secret has none.
    public: Option<Vec<u8>>,
}

impl Key {
    /// A secret for HS256. Its name is derived from it, so that every instance gives the same.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "HMAC takes keys of any length")]
    pub fn from_secret(secret: &str) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
            .expect("HMAC takes keys of any length");
        let name = mac.chain_update(b"portcullis kid").finalize().into_bytes();
        let material = Material {
            algorithm: Algorithm::HS256,
            signs: EncodingKey::from_secret(secret.as_bytes()),
            reads: DecodingKey::from_secret(secret.as_bytes()),
            public: None,
        };
        Self::new(URL_SAFE_NO_PAD.encode(&name[..9]), material)
    }

    /// A private key in PKCS#8 PEM.
    pub fn from_pem(kid: &str, pem: &str) -> Result<Self, KeyFault> {
        let not_a_key = || KeyFault::NotAKey(kid.to_owned());
        let pem = pem::parse(pem).map_err(|_| not_a_key())?;
        let der =
            Some(pem.contents()).filter(|_| pem.tag() == "PRIVATE KEY").ok_or_else(not_a_key)?;
        let material = ed25519(der).or_else(|| p256(der)).ok_or_else(not_a_key)?;
        Ok(Self::new(kid.to_owned(), material))
    }

    /// Every `<kid>.pem` in a directory, the last by name first.
    pub fn from_dir(dir: &Path) -> Result<Vec<Self>, KeyFault> {
        let unreadable = |error| KeyFault::Unreadable(dir.display().to_string(), error);
        let entries = fs::read_dir(dir)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(unreadable)?;
        let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "pem"));
        paths.sort_unstable_by(|one, other| other.cmp(one));
        let keys = paths.iter().map(|path| Self::from_file(path)).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(KeyFault::None(dir.display().to_string())) } else { Ok(keys) }
    }

    fn from_file(path: &Path) -> Result<Self, KeyFault> {
        let kid = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if kid.is_empty() || kid.len() > 64 || !kid.bytes().all(legal) {
            return Err(KeyFault::BadName(path.display().to_string()));
        }
        let pem = fs::read_to_string(path)
            .map_err(|error| KeyFault::Unreadable(path.display().to_string(), error))?;
        Self::from_pem(kid, &pem)
    }

    fn new(kid: String, material: Material) -> Self {
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(kid.clone()),
            ..Header::new(material.algorithm)
        };
        let written = serde_json::to_vec(&header).unwrap_or_default();
        let beginning = URL_SAFE_NO_PAD.encode(written) + ".";
        Self { kid, header, beginning, material }
    }

    /// The key's name.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The name of the one algorithm that the key is for (RFC 7518 §3.1, RFC 8037 §3.1).
    #[must_use]
    pub const fn algorithm_name(&self) -> &'static str {
        match self.material.algorithm {
            Algorithm::ES256 => "ES256",
            Algorithm::EdDSA => "EdDSA",
            _ => "HS256",
        }
    }

    pub(super) const fn algorithm(&self) -> Algorithm {
        self.material.algorithm
    }

    /// The header of its tokens.
    pub(super) const fn header(&self) -> &Header {
        &self.header
    }

    pub(super) const fn signs(&self) -> &EncodingKey {
        &self.material.signs
    }

    pub(super) const fn reads(&self) -> &DecodingKey {
        &self.material.reads
    }

    /// Whether the token's header is, letter by letter, the one that this key's tokens have.
    pub(super) fn begins(&self, token: &str) -> bool {
        token.starts_with(&self.beginning)
    }

    /// Whether the token's signature is this key's, whatever the token says.
    pub(super) fn has_signed(&self, token: &str) -> bool {
        let mut any = Validation::new(self.material.algorithm);
        any.set_required_spec_claims::<&str>(&[]);
        (any.validate_exp, any.validate_aud) = (false, false);
        jsonwebtoken::decode::<IgnoredAny>(token, self.reads(), &any).is_ok()
    }

    /// The public half (RFC 7517); a secret has none.
    pub(super) fn jwk(&self) -> Option<Jwk> {
        let (kid, alg) = (self.kid.clone(), self.algorithm_name());
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let public = self.material.public.as_deref()?;
        if self.material.algorithm == Algorithm::EdDSA {
            let x = encoded(public);
            return Some(Jwk { kty: "OKP", crv: "Ed25519", x, y: None, r#use: "sig", alg, kid });
        }
        // An uncompressed point: 4, then x and y of 32 bytes each.
        let (x, y) = public.get(1..)?.split_at_checked(32)?;
        let (x, y) = (encoded(x), Some(encoded(y)));
        Some(Jwk { kty: "EC", crv: "P-256", x, y, r#use: "sig", alg, kid })
    }
}

/// How the keys of a directory look from outside: cheap to have, and different whenever a key is
/// made, retired, replaced, or may be read where it could not.
pub(super) type Look = Vec<(OsString, (u64, u64, i64, i64))>;

/// Nothing, if the directory cannot be read.
pub(super) fn look(dir: &Path) -> Option<Look> {
    let mut look = Vec::new();
    for entry in fs::read_dir(dir).ok()? {
        let path = entry.ok()?.path();
        if path.extension().is_none_or(|extension| extension != "pem") {
            continue;
        }
        // Links are followed, since that is how secrets are mounted.
        let file = fs::metadata(&path)
            .map(|file| (file.ino(), file.len(), file.ctime(), file.ctime_nsec()))
            .unwrap_or_default();
        look.push((path.into_os_string(), file));
    }
    look.sort_unstable();
    Some(look)
}

fn ed25519(der: &[u8]) -> Option<Material> {
    let pair = Ed25519KeyPair::from_pkcs8(der).ok()?;
    let public = pair.public_key().as_ref().to_vec();
    Some(Material {
        algorithm: Algorithm::EdDSA,
        signs: EncodingKey::from_ed_der(der),
        reads: DecodingKey::from_ed_der(&public),
        public: Some(public),
    })
}

fn p256(der: &[u8]) -> Option<Material> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).ok()?;
    let public = pair.public_key().as_ref().to_vec();
    Some(Material {
        algorithm: Algorithm::ES256,
        signs: EncodingKey::from_ec_der(der),
        reads: DecodingKey::from_ec_der(&public),
        public: Some(public),
    })
}
