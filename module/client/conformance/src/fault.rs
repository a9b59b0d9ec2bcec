//! What comes of a scenario: what was seen, what the implementation did wrong, or why nothing could be
//! judged.

use std::io;
use std::time::Duration;

/// Why a scenario did not get to its end.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The implementation did something that it must not do.
    Failed(String),
    /// The server or this program did not do what it should: nothing is known of the implementation.
    Broken(anyhow::Error),
}

/// What was seen while nothing was wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    /// So many answers were judged.
    pub(crate) judged: u64,
    /// How long after the end an `OK` was still asked for and given, at most.
    pub(crate) last_ok: Option<Duration>,
}

pub(crate) type Played = Result<Outcome, Fault>;

impl Outcome {
    pub(crate) fn and(self, other: Self) -> Self {
        Self { judged: self.judged + other.judged, last_ok: self.last_ok.max(other.last_ok) }
    }
}

impl From<anyhow::Error> for Fault {
    fn from(cause: anyhow::Error) -> Self {
        Self::Broken(cause)
    }
}

impl From<io::Error> for Fault {
    fn from(cause: io::Error) -> Self {
        Self::Broken(cause.into())
    }
}

impl From<redis::RedisError> for Fault {
    fn from(cause: redis::RedisError) -> Self {
        Self::Broken(cause.into())
    }
}

/// The implementation did something that it must not do.
pub(crate) fn failed(why: impl Into<String>) -> Fault {
    Fault::Failed(why.into())
}
