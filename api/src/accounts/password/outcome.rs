//! What comes of a password that is checked or hashed.

use crate::base::error::Error;

/// What a password said of the account it was given for.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it is the account's password; never, if there is no account.
    pub matches: bool,
    /// Whether it matches a hash that was made in an older way and should be replaced.
    pub is_outdated: bool,
    pub(super) kind: Kind,
}

/// Which hash was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Argon2id,
    Bcrypt { cost: u32 },
}

/// Why a password could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Too many are waiting already.
    #[error("too many passwords are waiting to be hashed")]
    Busy,
    /// The hash itself failed.
    #[error("hashing failed: {0}")]
    Failed(String),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Busy => Self::Busy,
            Fault::Failed(cause) => Self::Internal(cause.into()),
        }
    }
}

pub(super) fn failed(error: impl std::fmt::Display) -> Fault {
    Fault::Failed(error.to_string())
}
