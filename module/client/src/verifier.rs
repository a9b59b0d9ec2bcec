//! Who tells whether a token is authentic, and what it says.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::SystemTime;

/// Verifies tokens: signature, issuer, audience, times.
pub trait Verifier: Send + Sync {
    /// What a token says beside what [`Known`] has fields for.
    type Claims: Send + Sync;
    /// Why a token is not taken.
    type Refusal;

    /// What the token says, if it is authentic and its time has not passed.
    ///
    /// # Errors
    ///
    /// Whatever is the matter with it.
    fn verify(&self, token: &str) -> Result<Known<Self::Claims>, Self::Refusal>;

    /// Which keys there are: another number whenever one has gone, so that what was verified with it is
    /// verified again. Always the same unless implemented.
    fn keys(&self) -> u64 {
        0
    }

    /// What may help against this refusal, such as fetching keys anew: it is waited for, and the token
    /// is verified once more. Nothing unless implemented.
    fn remedy(&self, _refusal: &Self::Refusal) -> Option<Remedy<'_>> {
        None
    }

    /// Whether this refusal says nothing about the token, as when there are no keys yet: whoever
    /// presented it should try again. Never unless implemented.
    fn is_temporary(&self, _refusal: &Self::Refusal) -> bool {
        false
    }
}

/// What [`Verifier::remedy`] takes.
pub type Remedy<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// What a verified token says.
pub struct Known<C> {
    /// Whose it is.
    pub subject: Box<str>,
    /// The session it belongs to.
    pub session: Option<Box<str>>,
    /// When it was issued, in milliseconds since the epoch; see
    /// [`Question::issued_ms`](crate::Question::issued_ms).
    pub issued_ms: Option<i64>,
    /// From when on it is dead by itself, with whatever leeway its verifier gives.
    pub expires: SystemTime,
    /// What else it says.
    pub claims: C,
}

impl<C: fmt::Debug> fmt::Debug for Known<C> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Known")
            .field("subject", &self.subject)
            .field("session", &self.session)
            .field("issued_ms", &self.issued_ms)
            .field("expires", &self.expires)
            .field("claims", &self.claims)
            .finish()
    }
}
