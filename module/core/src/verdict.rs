//! The question a service asks before it trusts a token, and the answers there are.

use core::ffi::CStr;

use crate::{Digest, UnixMs};

/// Is this token still good?
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Which token.
    pub token: TokenRef<'a>,
    /// The session it says it belongs to.
    pub session: Option<&'a [u8]>,
    /// When it says it was issued. A time in whole seconds is given as the first millisecond of
    /// that second: when in doubt, the token is older than the watermark.
    pub issued_ms: Option<i64>,
}

/// A token, or its digest for callers that must not hand tokens around. Has no `Debug` on purpose.
#[derive(Clone, Copy)]
pub enum TokenRef<'a> {
    /// As its holder presents it. Hashed only when somebody needs to know.
    Token(&'a [u8]),
    /// Hashed by the caller.
    Digest(Digest),
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Good now.
    Ok,
    /// The session is unknown, was ended, or has reached its absolute expiry.
    NoSession,
    /// The session was not used for longer than its idle limit.
    Idle,
    /// Issued, or its session begun, at or before the watermark.
    LoggedOut,
    /// This very token was revoked.
    Revoked,
}

/// An answer, and for how long it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The answer.
    pub verdict: Verdict,
    /// It stands at every instant before this one if nothing is written meanwhile;
    /// [`UnixMs::MAX`] for ever.
    pub until: UnixMs,
}

impl Verdict {
    /// All there are.
    pub const ALL: [Self; 5] =
        [Self::Ok, Self::NoSession, Self::Idle, Self::LoggedOut, Self::Revoked];

    /// The word that `AUTH.CHECK` answers with.
    #[must_use]
    #[inline]
    pub const fn word(self) -> &'static CStr {
        match self {
            Self::Ok => c"OK",
            Self::NoSession => c"NO_SESSION",
            Self::Idle => c"IDLE",
            Self::LoggedOut => c"LOGGED_OUT",
            Self::Revoked => c"REVOKED",
        }
    }

    /// What such a word means.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.word().to_bytes() == word.as_bytes())
    }
}

impl Question<'_> {
    /// The answer for a subject of whom nothing is known: no token of theirs was revoked, but a
    /// session that nobody knows is no session.
    #[must_use]
    pub const fn verdict_without_ledger(&self) -> Verdict {
        if self.session.is_some() { Verdict::NoSession } else { Verdict::Ok }
    }

    /// The same, which stands until something is written.
    #[must_use]
    pub const fn standing_without_ledger(&self) -> Standing {
        Standing { verdict: self.verdict_without_ledger(), until: UnixMs::MAX }
    }
}

impl TokenRef<'_> {
    /// The digest, computed if need be.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match self {
            Self::Token(token) => Digest::of(token),
            Self::Digest(digest) => *digest,
        }
    }
}
