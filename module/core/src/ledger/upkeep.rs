//! What keeps a ledger small and in its place: sweeping, its own expiry, sizes, defragmentation.

use core::time::Duration;

use super::Ledger;
use crate::revoked::Revoked;
use crate::session::{Session, State};
use crate::{Present, UnixMs};

/// Sessions that are over, dropped by one write. More than one, so that they never pile up.
const SWEPT_PER_WRITE: usize = 2;
/// How long a digest that expired is kept where its revocation was replayed: longer than clocks of
/// primary and replica may differ, since the replica may be the next primary.
const REPLAYED_KEPT: Duration = Duration::from_hours(1);

/// Moves allocations to better places for the server's defragmentation.
pub trait Relocate {
    /// Moves the buffer behind `buffer`, keeping length, capacity and contents.
    fn buffer<T>(&mut self, buffer: &mut Vec<T>);
    /// Whether to go on another time.
    fn enough(&mut self) -> bool;
}

impl Ledger {
    /// Drops a few entries that expired, or that a watermark has ended; each write does so, so that
    /// they never pile up. Answers which sessions were among them: whoever replays what happened here
    /// has to be told, because it drops none by itself.
    pub fn sweep(&mut self, present: impl Into<Present>) -> Vec<Box<[u8]>> {
        let present = present.into();
        let now = present.now;
        if let Some(revoked) = &mut self.revoked {
            revoked.sweep(now);
            if revoked.len() == 0 {
                self.revoked = None;
            }
        }
        let is_over = |(_, it): &(usize, &Session)| {
            matches!(self.state(it, present), State::Expired | State::LoggedOut)
        };
        let found = self.sessions.iter().enumerate().filter(is_over).map(|(at, _)| at);
        let found: Vec<_> = found.take(SWEPT_PER_WRITE).collect();
        self.edit_sessions(|sessions| {
            found.iter().rev().map(|at| sessions.remove(*at).id().into()).collect()
        })
    }

    /// The same for whoever replays what happened elsewhere or earlier. Its clock decides nothing
    /// that can be seen: sessions stay until it is told, and of the digests, which nobody tells of,
    /// those go that expired long ago, but never the last to expire. So a ledger that was not empty
    /// where this happened is not empty here, and what renames or copies its key finds it.
    pub fn sweep_replayed(&mut self, now: UnixMs) {
        if let Some(revoked) = &mut self.revoked {
            let kept_ms = u64::try_from(REPLAYED_KEPT.as_millis()).unwrap_or(u64::MAX);
            let last = revoked.latest().0.saturating_sub(1);
            revoked.sweep(UnixMs(now.0.saturating_sub(kept_ms).min(last)));
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::{ledger_with, session};
    use crate::{Digest, Facts};

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
        assert_eq!(ledger.sweep(UnixMs(4_000)), [Box::from(*b"dead")]);
        assert_eq!(ledger.revoked_len(), 0);
        assert!(ledger.find(b"dead").is_none());
        assert!(ledger.find(b"idle").is_some() && ledger.find(b"live").is_some());
    }

    #[test]
    fn sweeping_takes_what_a_watermark_has_ended_few_at_a_time() {
        let begun = |id, at| Facts { created: UnixMs(at), expires: UnixMs(5_000), ..session(id) };
        let mut ledger = ledger_with(&[
            begun("a", 20),
            begun("b", 1),
            begun("c", 20),
            begun("live", 21),
            Facts { idle_s: 1, ..begun("idle", 20) },
        ]);
        let present = Present { now: UnixMs(2_000), watermark: UnixMs(20) };
        assert!(ledger.sweep(UnixMs(2_000)).is_empty(), "nothing has ended them");
        assert_eq!(ledger.sweep(present), [Box::from(*b"b"), Box::from(*b"a")]);
        assert_eq!(ledger.sweep(present), [Box::from(*b"c")]);
        assert!(ledger.sweep(present).is_empty());
        let left: Vec<_> = ledger.sessions().iter().map(Session::id).collect();
        assert_eq!(left, [b"idle".as_slice(), b"live"], "who is idle hears so for a while");
    }

    #[test]
    fn f_58_a_replay_sweeps_no_session_and_never_the_last_digest() {
        const LATE: UnixMs = UnixMs(10_000_000_000);
        let mut ledger = ledger_with(&[session("dead")]);
        for n in 0..200_u32 {
            ledger.revoke(Digest::of(&n.to_le_bytes()), UnixMs(900 + u64::from(n)), UnixMs(0));
        }
        ledger.sweep_replayed(UnixMs(3_600_000 + 899));
        assert_eq!(ledger.revoked_len(), 200);
        for _ in 0..200 {
            ledger.sweep_replayed(LATE);
        }
        let left: Vec<_> = ledger.revocations().map(|row| row.expires).collect();
        assert_eq!((left, ledger.sessions().len()), (vec![UnixMs(1_099)], 1));
        ledger.end([b"dead".as_slice()], LATE);
        assert!(ledger.expires(Duration::ZERO).is_some(), "it is not empty");
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
