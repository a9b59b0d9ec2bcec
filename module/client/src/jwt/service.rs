//! Access tokens of the Portcullis service itself.

use serde::Deserialize;

use super::{JwtRefusal, JwtVerifier};
use crate::verifier::{Known, Remedy, Verifier};

/// The type of the service's access tokens (RFC 9068).
const TYPE: &str = "at+jwt";

/// Verifies the access tokens that the Portcullis service issues: type `at+jwt`, its issuer and
/// audience, a user's number as `sub`, and a session.
///
/// The session tells all that a time of issue could, and to the millisecond; so [`Known::issued_ms`] is
/// `None`, as in the service's own checks.
///
/// ```
/// use portcullis_client::{JwtVerifier, ServiceVerifier};
///
/// // JWT_KEYS_DIR; with JWT_SECRET, use JwtVerifier::from_secret.
/// let keys = JwtVerifier::from_jwks("https://login.example/.well-known/jwks.json")?;
/// // JWT_ISSUER and JWT_AUDIENCE.
/// let verifier = ServiceVerifier::new(keys, "portcullis", "portcullis");
/// # Ok::<(), portcullis_client::BadKey>(())
/// ```
#[derive(Debug)]
pub struct ServiceVerifier(JwtVerifier<ServiceClaims>);

/// What the service's access tokens say beside whose they are, for which session and until when.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ServiceClaims {
    /// The token's own name.
    pub jti: String,
    /// What the user may do.
    pub role: String,
    /// When the token was made, in seconds since the epoch.
    pub iat: u64,
    /// When the user last showed a password, in seconds since the epoch.
    pub auth_time: u64,
    /// How the user showed who they are (RFC 8176).
    #[serde(default)]
    pub amr: Vec<String>,
}

impl ServiceVerifier {
    /// For tokens signed with these keys, with the service's `JWT_ISSUER` and `JWT_AUDIENCE`.
    #[must_use]
    pub fn new(keys: JwtVerifier, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self(keys.issuer(issuer).audience(audience).token_type(TYPE).claims())
    }
}

impl Verifier for ServiceVerifier {
    type Claims = ServiceClaims;
    type Refusal = JwtRefusal;

    fn verify(&self, token: &str) -> Result<Known<ServiceClaims>, JwtRefusal> {
        let known = self.0.verify(token)?;
        // As the service writes it, since that is how its ledgers are called.
        let user: u64 = known.subject.parse().map_err(|_| JwtRefusal::Malformed)?;
        let has_session = known.session.as_deref().is_some_and(|session| !session.is_empty());
        if !has_session {
            return Err(JwtRefusal::Malformed);
        }
        Ok(Known { subject: user.to_string().into(), issued_ms: None, ..known })
    }

    fn keys(&self) -> u64 {
        self.0.keys()
    }

    fn remedy(&self, refusal: &JwtRefusal) -> Option<Remedy<'_>> {
        self.0.remedy(refusal)
    }

    fn is_temporary(&self, refusal: &JwtRefusal) -> bool {
        self.0.is_temporary(refusal)
    }
}
