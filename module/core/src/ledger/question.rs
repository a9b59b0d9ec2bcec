//! Is this token good now, and for how long does that answer stand?
//!
//! An answer changes when something is written, and it changes by time alone. Whoever keeps answers
//! is told of what is written, but of nothing that passes, so it needs the second part of the answer:
//!
//! ```text
//! verdict                 stands until the earliest of
//! OK, LOGGED_OUT          the session's end, its idle end, the end of the key
//! REVOKED                 the same, and the end of this token's revocation
//! NO_SESSION              for ever: only a write begins a session
//! IDLE                    for ever: at its end the session is unknown as well, which is no other
//!                         refusal to anybody but a reader of words
//! ```

use super::Ledger;
use crate::revoked::Row;
use crate::session::{Session, State};
use crate::{Now, Question, Standing, UnixMs, Verdict};

/// A verdict and what it rests on.
struct Judgement<'a> {
    verdict: Verdict,
    /// The session that was asked for and is stored.
    session: Option<&'a Session>,
    /// The token's own revocation.
    revocation: Option<&'a Row>,
}

impl Ledger {
    /// Is this token good now? Session, idle limit, watermark, digest, in this order: the digest
    /// is the only test that hashes, and it is made only if anything is revoked.
    #[must_use]
    #[inline]
    pub fn verdict(&self, question: &Question<'_>, now: impl Now) -> Verdict {
        self.judge(question, now).verdict
    }

    /// The verdict, and until when it stands if nothing is written. `gone` is the instant from
    /// which the whole ledger does not exist any more, whoever has set that.
    #[must_use]
    pub fn standing(&self, question: &Question<'_>, now: impl Now, gone: UnixMs) -> Standing {
        let Judgement { verdict, session, revocation } = self.judge(question, now);
        let until = match verdict {
            Verdict::NoSession | Verdict::Idle => UnixMs::MAX,
            Verdict::Ok | Verdict::LoggedOut | Verdict::Revoked => {
                let ends = session.map(Session::ends).into_iter();
                ends.chain(revocation.map(|row| row.expires)).fold(gone, Ord::min)
            }
        };
        Standing { verdict, until: until.min(UnixMs::MAX) }
    }

    /// Whether a verdict that gets past session and watermark has to hash its token.
    #[must_use]
    pub fn holds_unexpired_digests(&self, now: impl Now) -> bool {
        self.revoked.as_ref().is_some_and(|revoked| !now.has_reached(revoked.latest()))
    }

    #[inline]
    fn judge(&self, question: &Question<'_>, now: impl Now) -> Judgement<'_> {
        let session = question.session.and_then(|id| self.find(id));
        let refusal = |verdict| Judgement { verdict, session, revocation: None };
        if question.session.is_some() {
            match session.map(|session| self.state(session, now)) {
                Some(State::Live) => {}
                Some(State::Idle) => return refusal(Verdict::Idle),
                Some(State::LoggedOut) => return refusal(Verdict::LoggedOut),
                Some(State::Expired) | None => return refusal(Verdict::NoSession),
            }
        }
        if question.issued().is_some_and(|issued| self.watermark_covers(issued, now)) {
            return refusal(Verdict::LoggedOut);
        }
        let revocation = match &self.revoked {
            Some(revoked) if !now.has_reached(revoked.latest()) => {
                revoked.find(&question.token.digest(), now)
            }
            _ => None,
        };
        let verdict = if revocation.is_some() { Verdict::Revoked } else { Verdict::Ok };
        Judgement { verdict, session, revocation }
    }
}

#[cfg(test)]
mod tests;
