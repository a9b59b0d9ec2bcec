//! The question a service asks before it trusts a token, and the answers there are.

use core::ffi::CStr;

use crate::{Digest, Now, UnixMs};

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
    /// Issued, or its session begun, at or before the watermark, its own or everybody's.
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
    /// session that nobody knows is no session, and what holds for everybody holds for them.
    #[must_use]
    #[inline]
    pub fn verdict_without_ledger(&self, now: impl Now) -> Verdict {
        if self.session.is_some() {
            return Verdict::NoSession;
        }
        let is_dead = self.issued().is_some_and(|issued| is_covered(issued, now.watermark()));
        if is_dead { Verdict::LoggedOut } else { Verdict::Ok }
    }

    /// The same, which stands until something is written.
    #[must_use]
    pub fn standing_without_ledger(&self, now: impl Now) -> Standing {
        Standing { verdict: self.verdict_without_ledger(now), until: UnixMs::MAX }
    }

    /// When the token says it was issued; what is negative is long ago.
    #[inline]
    pub(crate) fn issued(&self) -> Option<UnixMs> {
        self.issued_ms.map(|ms| UnixMs(u64::try_from(ms).unwrap_or(0)))
    }
}

/// Whether what began then is dead by a watermark; 0 is none.
#[inline]
pub(crate) const fn is_covered(begun: UnixMs, watermark: UnixMs) -> bool {
    watermark.0 > 0 && begun.0 <= watermark.0
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
