//! JSON Web Tokens, verified by `jsonwebtoken`: which key, which algorithm, which times are decided
//! here. Nothing a token says about keys is followed but the name of one.

mod fetch;
mod keys;
mod refusal;
mod rules;
mod service;
mod source;

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, SystemTime};

use jsonwebtoken::errors::ErrorKind;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

pub use keys::BadKey;
pub use refusal::JwtRefusal;
pub use service::{ServiceClaims, ServiceVerifier};

use crate::verifier::{Known, Remedy, Verifier};
use keys::Key;
use rules::{Rules, Wire, milliseconds};
use source::Keys;

/// So many keys are tried at most for a token that does not name its own.
const TRIED: usize = 8;
/// Nobody's token comes near so many bytes.
const LONGEST: usize = 16 * 1024;

/// Verifies JSON Web Tokens (RFC 7519) that were signed with one secret, with one key, or with any key
/// of a set that is fetched and kept up to date.
///
/// `sub` and `exp` must be there, `sid` is the session if it is there, `iat` and `nbf` must not lie in
/// the future. Set [`issuer`](Self::issuer) and [`audience`](Self::audience), or tokens that were made
/// for others are taken. `C` is whatever else is wanted of the claims.
///
/// An `iat` in whole seconds counts as that second's first millisecond: when in doubt whether a token
/// is older than a logout of everything, it is.
///
/// ```
/// use std::time::Duration;
/// use portcullis_client::JwtVerifier;
///
/// #[derive(serde::Deserialize)]
/// struct Claims {
///     role: String,
/// }
///
/// let verifier = JwtVerifier::from_secret("a secret of thirty-two bytes or more")?
///     .issuer("https://login.example")
///     .audience("https://api.example")
///     .leeway(Duration::from_secs(5))
///     .claims::<Claims>();
/// # Ok::<(), portcullis_client::BadKey>(())
/// ```
pub struct JwtVerifier<C = Map<String, Value>> {
    keys: Keys,
    rules: Rules,
    claims: PhantomData<fn() -> C>,
}

impl JwtVerifier {
    /// Tokens signed with a secret: HS256, HS384 or HS512.
    ///
    /// # Errors
    ///
    /// [`BadKey`] if the secret has less than 32 bytes.
    pub fn from_secret(secret: impl AsRef<[u8]>) -> Result<Self, BadKey> {
        Key::from_secret(secret.as_ref()).map(|key| Self::with(Keys::fixed(key)))
    }

    /// Tokens signed with the private half of this public key in PEM: RSA (`RS…`, `PS…`), P-256 or
    /// P-384 (`ES256`, `ES384`), Ed25519 (`EdDSA`).
    ///
    /// # Errors
    ///
    /// [`BadKey`] if it is no such key.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, BadKey> {
        Key::from_pem(pem.as_ref()).map(|key| Self::with(Keys::fixed(key)))
    }

    /// Tokens signed with a key of the set at this address (RFC 7517), which is `https://`, or
    /// `http://` to this machine.
    ///
    /// The set is fetched by a thread of its own: at once, then every ten minutes, and when a token names
    /// a key that is not in it, at most once in five seconds. If it cannot be fetched, the last one
    /// counts. Keys of the set that are no public keys for signatures are passed over.
    ///
    /// # Errors
    ///
    /// [`BadKey`] if the address is none, or there is no thread to be had.
    pub fn from_jwks(url: &str) -> Result<Self, BadKey> {
        Keys::fetched(url).map(Self::with)
    }

    fn with(keys: Keys) -> Self {
        Self { keys, rules: Rules::default(), claims: PhantomData }
    }
}

impl<C> JwtVerifier<C> {
    /// Only tokens whose `iss` is this.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.rules.issuer = Some(issuer.into());
        self
    }

    /// Only tokens whose `aud` is or has this.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.rules.audience = Some(audience.into());
        self
    }

    /// Only tokens whose header has this `typ`, such as `at+jwt` (RFC 9068).
    #[must_use]
    pub fn token_type(mut self, r#type: impl Into<String>) -> Self {
        self.rules.r#type = Some(r#type.into());
        self
    }

    /// By how much clocks may differ; nothing unless set.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.rules.leeway = leeway;
        self
    }

    /// What is wanted of the claims; unless set, all of them as they are.
    #[must_use]
    pub fn claims<D: DeserializeOwned>(self) -> JwtVerifier<D> {
        JwtVerifier { keys: self.keys, rules: self.rules, claims: PhantomData }
    }

    fn read(&self, token: &str) -> Result<Box<RawValue>, JwtRefusal> {
        if token.len() > LONGEST {
            return Err(JwtRefusal::Malformed);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|fault| match fault.kind() {
            // An algorithm that nobody knows, for one.
            ErrorKind::Json(cause) if cause.is_data() => JwtRefusal::UnknownKey,
            _ => JwtRefusal::Malformed,
        })?;
        // One that wants more to be understood than is understood here is nobody's (RFC 7515 §4.1.11).
        if header.crit.is_some() || !self.rules.takes_type(&header) {
            return Err(JwtRefusal::UnknownKey);
        }
        let keys = self.keys.present();
        if keys.is_empty() {
            return Err(JwtRefusal::NoKeys);
        }
        let mut refusal = JwtRefusal::UnknownKey;
        for key in keys.iter().filter(|key| key.may_have_signed(&header)).take(TRIED) {
            let validation = self.rules.validation(&header);
            match jsonwebtoken::decode::<Box<RawValue>>(token, key.reads(), &validation) {
                Ok(data) => return Ok(data.claims),
                Err(fault) => refusal = fault.into(),
            }
            if refusal != JwtRefusal::BadSignature {
                break;
            }
        }
        Err(refusal)
    }
}

impl<C: DeserializeOwned + Send + Sync> Verifier for JwtVerifier<C> {
    type Claims = C;
    type Refusal = JwtRefusal;

    fn verify(&self, token: &str) -> Result<Known<C>, JwtRefusal> {
        let claims = self.read(token)?;
        let wire: Wire = parsed(&claims)?;
        let expires = self.rules.in_time(&wire, wall_clock())?;
        Ok(Known {
            subject: wire.sub.into(),
            session: wire.sid.map(Into::into),
            issued_ms: wire.iat.map(milliseconds),
            expires,
            claims: parsed(&claims)?,
        })
    }

    fn keys(&self) -> u64 {
        self.keys.version()
    }

    fn remedy(&self, refusal: &JwtRefusal) -> Option<Remedy<'_>> {
        let may_help = matches!(refusal, JwtRefusal::UnknownKey | JwtRefusal::NoKeys);
        may_help.then(|| self.keys.fetch_anew())?
    }

    fn is_temporary(&self, refusal: &JwtRefusal) -> bool {
        *refusal == JwtRefusal::NoKeys
    }
}

fn parsed<T: DeserializeOwned>(claims: &RawValue) -> Result<T, JwtRefusal> {
    serde_json::from_str(claims.get()).map_err(|_| JwtRefusal::Malformed)
}

#[expect(clippy::disallowed_methods, reason = "a token's own time is by the clock on the wall")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

impl<C> fmt::Debug for JwtVerifier<C> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("JwtVerifier")
            .field("issuer", &self.rules.issuer)
            .field("audience", &self.rules.audience)
            .finish_non_exhaustive()
    }
}
