//! The ledger: everything that decides whether a subject's token is good right now.
//!
//! Live sessions, revoked digests, and the watermark: the instant at or before which every token
//! is dead. What is done here can be replayed at any later time with the same result; what a client
//! may ask for, and what comes of it, is in `requests.rs`. What it is kept for, the question whether a
//! token is good and for how long the answer stands, is in `ledger/question.rs`.

mod question;
mod upkeep;

use core::cmp::Ordering;
use core::time::Duration;

pub use self::upkeep::Relocate;
use crate::revoked::{Revocation, Revoked, Row};
use crate::session::{Facts, Session, State};
use crate::verdict::is_covered;
use crate::{Digest, Now, UnixMs};

/// What one subject's key holds.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Sorted by id, so that a lookup halves and a dump is the same on every server. Exactly as
    /// long as need be: most subjects have one or two sessions, and there are many subjects.
    sessions: Box<[Session]>,
    revoked: Option<Box<Revoked>>,
    /// 0 for none. Only moves forward.
    watermark: UnixMs,
}

impl Ledger {
    /// A ledger of these sessions, which are in the order of their ids.
    pub(crate) fn with_sessions(sessions: Vec<Session>) -> Self {
        Self { sessions: sessions.into_boxed_slice(), ..Self::default() }
    }

    /// Its own watermark, or everybody's if that is later; 0 for none.
    #[inline]
    fn watermark_at(&self, now: impl Now) -> UnixMs {
        self.watermark.max(now.watermark())
    }

    #[inline]
    fn watermark_covers(&self, begun: UnixMs, now: impl Now) -> bool {
        is_covered(begun, self.watermark_at(now))
    }

    /// The first instant after the watermark.
    pub(crate) fn first_instant(&self, now: impl Now) -> UnixMs {
        match self.watermark_at(now) {
            UnixMs(0) => UnixMs(0),
            watermark => watermark.plus(Duration::from_millis(1)),
        }
    }

    // --- sessions ---

    /// The stored session of this id, whatever its state.
    #[must_use]
    pub fn find(&self, id: &[u8]) -> Option<&Session> {
        self.place(id).ok().and_then(|at| self.sessions.get(at))
    }

    /// What a stored session is now. One that began at or before the watermark is dead, however it
    /// came to be stored: it was replayed, comes from a server that did not know this rule, or was
    /// ended together with everybody's.
    #[must_use]
    pub fn state(&self, session: &Session, now: impl Now) -> State {
        match session.state(now) {
            State::Live if self.watermark_covers(session.created, now) => State::LoggedOut,
            state => state,
        }
    }

    /// Whether a stored session is good now.
    #[must_use]
    pub fn is_live(&self, session: &Session, now: impl Now) -> bool {
        self.state(session, now) == State::Live
    }

    /// Every stored session, by id, whatever its state.
    #[must_use]
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// Stores a session exactly as given, in place of any other of that id.
    pub fn put(&mut self, facts: &Facts<'_>) {
        let session = Session::new(facts);
        match self.place(facts.id) {
            Ok(at) => {
                if let Some(old) = self.sessions.get_mut(at) {
                    *old = session;
                }
            }
            Err(at) => self.edit_sessions(|sessions| {
                sessions.reserve_exact(1);
                sessions.insert(at, session);
            }),
        }
    }

    /// Moves the last use of a stored session forward, never back. Answers whether it moved.
    pub fn touch(&mut self, id: &[u8], at: UnixMs) -> bool {
        let Ok(place) = self.place(id) else { return false };
        let Some(session) = self.sessions.get_mut(place) else { return false };
        let moves = session.seen < at;
        session.seen = session.seen.max(at);
        moves
    }

    /// Ends sessions, in one pass however many they are. Answers which of them there were and what
    /// each was, by id.
    pub fn end<'a>(
        &mut self,
        ids: impl IntoIterator<Item = &'a [u8]>,
        now: impl Now,
    ) -> Vec<(&'a [u8], State)> {
        let mut ids: Vec<&[u8]> = ids.into_iter().filter(|id| self.find(id).is_some()).collect();
        if ids.is_empty() {
            return Vec::new();
        }
        ids.sort_unstable();
        ids.dedup();
        let ended = self.take_sessions(|it| ids.binary_search(&it.id()).is_ok());
        let states = ended.iter().map(|it| self.state(it, now));
        ids.into_iter().zip(states).collect()
    }

    /// Ends every session begun at or before `until`, except the one of that id, if any. Gives them
    /// back.
    pub fn end_begun_until(&mut self, until: UnixMs, except: Option<&[u8]>) -> Vec<Session> {
        self.take_sessions(|it| it.created <= until && Some(it.id()) != except)
    }

    fn take_sessions(&mut self, ends: impl Fn(&Session) -> bool) -> Vec<Session> {
        self.edit_sessions(|sessions| sessions.extract_if(.., |it| ends(it)).collect())
    }

    fn place(&self, id: &[u8]) -> Result<usize, usize> {
        self.sessions.binary_search_by(|session| session.id().cmp(id))
    }

    fn edit_sessions<T>(&mut self, edit: impl FnOnce(&mut Vec<Session>) -> T) -> T {
        let mut sessions = core::mem::take(&mut self.sessions).into_vec();
        let outcome = edit(&mut sessions);
        self.sessions = sessions.into_boxed_slice();
        outcome
    }

    // --- revocations ---

    /// Revokes a token until `expires`; never shortens an earlier revocation. Where it is replayed,
    /// `now` is 0, so that it is stored even if it has expired meanwhile.
    pub fn revoke(&mut self, digest: Digest, expires: UnixMs, now: UnixMs) -> Revocation {
        if expires <= now {
            return Revocation::Unchanged;
        }
        self.revoked.get_or_insert_with(|| Box::new(Revoked::new())).insert(digest, expires, now)
    }

    /// Stored digests, expired ones that are not swept yet included.
    #[must_use]
    pub fn revoked_len(&self) -> usize {
        self.revoked.as_ref().map_or(0, |revoked| revoked.len())
    }

    /// Every stored revocation, in no order.
    pub fn revocations(&self) -> impl Iterator<Item = &Row> {
        self.revoked.iter().flat_map(|revoked| revoked.iter())
    }

    // --- the watermark ---

    /// The instant at or before which every token is dead.
    #[must_use]
    pub fn watermark(&self) -> Option<UnixMs> {
        (self.watermark > UnixMs(0)).then_some(self.watermark)
    }

    /// Moves the watermark forward, never back. Answers whether it moved.
    pub fn raise_watermark(&mut self, to: UnixMs) -> bool {
        let moves = self.watermark < to;
        self.watermark = self.watermark.max(to);
        moves
    }
}

/// Two ledgers are equal if they hold the same entries, however these are laid out.
impl PartialEq for Ledger {
    fn eq(&self, other: &Self) -> bool {
        let rows = |ledger: &Self| {
            let mut rows: Vec<_> =
                ledger.revocations().map(|row| (row.digest, row.expires)).collect();
            rows.sort_unstable();
            rows
        };
        self.watermark == other.watermark
            && self.sessions == other.sessions
            && rows(self).cmp(&rows(other)) == Ordering::Equal
    }
}

#[cfg(test)]
mod tests;
