//! The ledger: everything that decides whether a subject's token is good right now.
//!
//! Live sessions, revoked digests, and the watermark: the instant at or before which every token
//! is dead. What is done here can be replayed at any later time with the same result; what a client
//! may ask for, and what comes of it, is in `requests.rs`.

use core::cmp::Ordering;
use core::time::Duration;

use crate::revoked::{Revocation, Revoked, Row};
use crate::session::{Facts, Session, State};
use crate::{Digest, Now, Question, UnixMs, Verdict};

/// Expired sessions dropped by one write. More than one, so that they never pile up.
const SWEPT_PER_WRITE: usize = 2;

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

/// Moves allocations to better places for the server's defragmentation.
pub trait Relocate {
    /// Moves the buffer behind `buffer`, keeping length, capacity and contents.
    fn buffer<T>(&mut self, buffer: &mut Vec<T>);
    /// Whether to go on another time.
    fn enough(&mut self) -> bool;
}

impl Ledger {
    // --- the question ---

    /// Is this token good now? Session, idle limit, watermark, digest, in this order: the digest
    /// is the only test that hashes, and it is made only if anything is revoked.
    #[must_use]
    pub fn verdict(&self, question: &Question<'_>, now: impl Now) -> Verdict {
        if let Some(id) = question.session {
            match self.find(id).map(|session| session.state(now)) {
                Some(State::Live) => {}
                Some(State::Idle) => return Verdict::Idle,
                Some(State::Expired) | None => return Verdict::NoSession,
            }
        }
        if question.issued_ms.is_some_and(|issued_ms| self.watermark_covers(issued_ms)) {
            return Verdict::LoggedOut;
        }
        match &self.revoked {
            Some(revoked) if !now.has_reached(revoked.latest()) => {
                let digest = question.token.digest();
                if revoked.contains(&digest, now) { Verdict::Revoked } else { Verdict::Ok }
            }
            _ => Verdict::Ok,
        }
    }

    /// Whether a verdict that gets past session and watermark has to hash its token.
    #[must_use]
    pub fn holds_unexpired_digests(&self, now: impl Now) -> bool {
        self.revoked.as_ref().is_some_and(|revoked| !now.has_reached(revoked.latest()))
    }

    fn watermark_covers(&self, issued_ms: i64) -> bool {
        let issued = UnixMs(u64::try_from(issued_ms).unwrap_or(0));
        self.watermark > UnixMs(0) && issued <= self.watermark
    }

    // --- sessions ---

    /// The stored session of this id, whatever its state.
    #[must_use]
    pub fn find(&self, id: &[u8]) -> Option<&Session> {
        self.place(id).ok().and_then(|at| self.sessions.get(at))
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

    /// Ends one session. Answers what it was, `None` if there is none of this id.
    pub fn end(&mut self, id: &[u8], now: UnixMs) -> Option<State> {
        let at = self.place(id).ok()?;
        let state = self.sessions.get(at)?.state(now);
        self.edit_sessions(|sessions| drop(sessions.remove(at)));
        Some(state)
    }

    /// Ends every session begun at or before `until`, except the one of that id, if any. Answers
    /// what they were.
    pub fn end_begun_until(
        &mut self,
        until: UnixMs,
        except: Option<&[u8]>,
        now: UnixMs,
    ) -> Vec<State> {
        let ends = |it: &mut Session| it.created <= until && Some(it.id()) != except;
        self.edit_sessions(|sessions| {
            sessions.extract_if(.., ends).map(|it| it.state(now)).collect()
        })
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

    /// Revokes a token until `expires`; never shortens an earlier revocation.
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

    // --- upkeep ---

    /// Drops a few entries that expired; each write does so, so that they never pile up. Answers
    /// how many of them were sessions.
    pub fn sweep(&mut self, now: UnixMs) -> usize {
        if let Some(revoked) = &mut self.revoked {
            revoked.sweep(now);
            if revoked.len() == 0 {
                self.revoked = None;
            }
        }
        let expired = |(_, it): &(usize, &Session)| it.state(now) == State::Expired;
        let found = self.sessions.iter().enumerate().filter(expired).map(|(at, _)| at);
        let found: Vec<_> = found.take(SWEPT_PER_WRITE).collect();
        self.edit_sessions(|sessions| {
            for at in found.iter().rev() {
                sessions.remove(*at);
            }
        });
        found.len()
    }

    /// The instant from which nothing in here matters; `None` if nothing is in here.
    #[must_use]
    pub fn expires(&self, watermark_ttl: Duration) -> Option<UnixMs> {
        let sessions = self.sessions.iter().map(|it| it.expires);
        let revoked = self.revoked.iter().map(|revoked| revoked.latest());
        let watermark = self.watermark().map(|at| at.plus(watermark_ttl));
        sessions.chain(revoked).chain(watermark).max()
    }

    /// Allocations that freeing it gives back.
    #[must_use]
    pub fn allocations(&self) -> usize {
        let buckets = self.revoked.as_ref().map_or(0, |revoked| revoked.buckets());
        self.sessions.len().saturating_add(buckets).saturating_add(1)
    }

    /// Bytes allocated behind this value, where `usable` tells what the allocator really takes.
    #[must_use]
    pub fn allocated(&self, usable: fn(usize) -> usize) -> usize {
        let sessions = size_of_val::<[Session]>(&self.sessions);
        let text: usize = self.sessions.iter().map(|it| usable(it.text.len())).sum();
        let revoked = self.revoked.as_ref().map_or(0, |revoked| {
            usable(size_of::<Revoked>()).saturating_add(revoked.allocated(usable))
        });
        usable(sessions).saturating_add(text).saturating_add(revoked)
    }

    /// Hands its allocations to `relocate`, beginning at the place an earlier call answered (0 at
    /// first). `None` when all were handed over. Places count sessions first, then buckets.
    pub fn relocate(&mut self, from: usize, relocate: &mut impl Relocate) -> Option<usize> {
        if from == 0 {
            self.edit_sessions(|sessions| relocate.buffer(sessions));
            for session in &mut self.sessions {
                let mut text = core::mem::take(&mut session.text).into_vec();
                relocate.buffer(&mut text);
                session.text = text.into_boxed_slice();
            }
        }
        self.revoked.as_mut().and_then(|revoked| revoked.relocate(from, relocate))
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
mod tests {
    use super::*;
    use crate::TokenRef;

    fn session(id: &str) -> Facts<'_> {
        let (created, seen, expires) = (UnixMs(10), UnixMs(10), UnixMs(1_000));
        Facts { id: id.as_bytes(), device: b"", created, seen, expires, idle_s: 0 }
    }

    fn ledger_with(sessions: &[Facts<'_>]) -> Ledger {
        let mut ledger = Ledger::default();
        for facts in sessions {
            ledger.put(facts);
        }
        ledger
    }

    fn about(session: &str) -> Question<'_> {
        let token = TokenRef::Token(b"token");
        Question { token, session: Some(session.as_bytes()), issued_ms: None }
    }

    #[test]
    fn a_session_is_dead_at_the_instant_it_expires() {
        let ledger = ledger_with(&[session("s1")]);
        assert_eq!(ledger.verdict(&about("s1"), UnixMs(999)), Verdict::Ok);
        assert_eq!(ledger.verdict(&about("s1"), UnixMs(1_000)), Verdict::NoSession);
    }

    #[test]
    fn a_session_is_idle_at_the_instant_its_limit_passes() {
        let ledger = ledger_with(&[Facts { idle_s: 2, expires: UnixMs(9_000), ..session("s1") }]);
        assert_eq!(ledger.verdict(&about("s1"), UnixMs(2_009)), Verdict::Ok);
        assert_eq!(ledger.verdict(&about("s1"), UnixMs(2_010)), Verdict::Idle);
        assert_eq!(ledger.verdict(&about("s1"), UnixMs(9_000)), Verdict::NoSession);
    }

    #[test]
    fn a_token_of_the_watermarks_instant_is_dead() {
        let mut ledger = ledger_with(&[session("s1")]);
        ledger.raise_watermark(UnixMs(500));
        let issued = |at| Question { issued_ms: Some(at), ..about("s1") };
        for (at, verdict) in
            [(-1, Verdict::LoggedOut), (500, Verdict::LoggedOut), (501, Verdict::Ok)]
        {
            assert_eq!(ledger.verdict(&issued(at), UnixMs(600)), verdict, "issued at {at}");
        }
    }

    #[test]
    fn the_session_is_asked_before_the_watermark_and_the_digest_last() {
        let mut ledger = ledger_with(&[session("s1")]);
        ledger.raise_watermark(UnixMs(500));
        ledger.revoke(Digest::of(b"token"), UnixMs(900), UnixMs(0));
        let old = |id| Question { issued_ms: Some(1), ..about(id) };
        assert_eq!(ledger.verdict(&old("other"), UnixMs(600)), Verdict::NoSession);
        assert_eq!(ledger.verdict(&old("s1"), UnixMs(600)), Verdict::LoggedOut);
        assert_eq!(ledger.verdict(&about("s1"), UnixMs(600)), Verdict::Revoked);
        assert_eq!(ledger.verdict(&about("s1"), UnixMs(900)), Verdict::Ok);
    }

    #[test]
    fn it_expires_with_the_last_thing_in_it() {
        let ttl = Duration::from_millis(50);
        let mut ledger = Ledger::default();
        assert_eq!(ledger.expires(ttl), None);
        ledger.raise_watermark(UnixMs(960));
        assert_eq!(ledger.expires(ttl), Some(UnixMs(1_010)));
        ledger.revoke(Digest::of(b"t"), UnixMs(1_020), UnixMs(0));
        assert_eq!(ledger.expires(ttl), Some(UnixMs(1_020)));
        ledger.put(&Facts { expires: UnixMs(1_030), ..session("s") });
        assert_eq!(ledger.expires(ttl), Some(UnixMs(1_030)));
    }

    #[test]
    fn sweeping_takes_what_expired_and_nothing_else() {
        let mut ledger = ledger_with(&[
            session("dead"),
            Facts { expires: UnixMs(5_000), idle_s: 1, ..session("idle") },
            Facts { expires: UnixMs(5_000), ..session("live") },
        ]);
        ledger.revoke(Digest::of(b"t"), UnixMs(20), UnixMs(0));
        assert_eq!(ledger.sweep(UnixMs(4_000)), 1);
        assert_eq!(ledger.revoked_len(), 0);
        assert!(ledger.find(b"dead").is_none());
        assert!(ledger.find(b"idle").is_some() && ledger.find(b"live").is_some());
    }

    /// Counts what it is handed and stops when told to.
    struct Count {
        bytes: usize,
        left: usize,
    }

    impl Relocate for Count {
        fn buffer<T>(&mut self, buffer: &mut Vec<T>) {
            self.bytes += buffer.capacity() * size_of::<T>();
            let mut moved = Vec::with_capacity(buffer.capacity());
            moved.append(buffer);
            *buffer = moved;
            self.left = self.left.saturating_sub(1);
        }

        fn enough(&mut self) -> bool {
            self.left == 0
        }
    }

    #[test]
    fn relocating_hands_over_every_allocation_once() {
        let mut ledger = ledger_with(&[session("s1"), session("s2")]);
        for n in 0..20_u32 {
            ledger.revoke(Digest::of(&n.to_le_bytes()), UnixMs(900), UnixMs(0));
        }
        let before = ledger.clone();
        let mut count = Count { bytes: 0, left: 7 };
        let mut from = Some(0);
        while let Some(at) = from {
            count.left = 2;
            from = ledger.relocate(at, &mut count);
        }
        let own = size_of::<Revoked>();
        assert_eq!(count.bytes + own, ledger.allocated(|bytes| bytes));
        assert!(ledger == before);
    }
}
