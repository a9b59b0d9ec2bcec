//! The question a service asks before it trusts a token, and the answers there are.

use crate::Digest;

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

impl Question<'_> {
    /// The answer for a subject of whom nothing is known: no token of theirs was revoked, but a
    /// session that nobody knows is no session.
    #[must_use]
    pub const fn verdict_without_ledger(&self) -> Verdict {
        if self.session.is_some() { Verdict::NoSession } else { Verdict::Ok }
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
