//! Why a token is not taken.

use jsonwebtoken::errors::{Error, ErrorKind};

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum JwtRefusal {
    /// It is no token of this shape, or a claim is missing or of the wrong kind.
    #[error("malformed")]
    Malformed,
    /// Its header names no key, algorithm and type that go together here.
    #[error("unknown key")]
    UnknownKey,
    /// No key set could be fetched yet. [`Verifier::is_temporary`](crate::Verifier::is_temporary) says so.
    #[error("the key set is out of reach")]
    NoKeys,
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

impl From<Error> for JwtRefusal {
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
