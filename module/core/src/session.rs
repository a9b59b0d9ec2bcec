//! One session of a subject: when it began, was last seen, and ends.

use core::time::Duration;

use crate::{Now, UnixMs};

/// A session as the ledger keeps it: 48 bytes and one allocation for id and device together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The id, then the device.
    pub(crate) text: Box<[u8]>,
    pub(crate) id_len: u32,
    pub(crate) idle_s: u32,
    pub(crate) created: UnixMs,
    pub(crate) seen: UnixMs,
    pub(crate) expires: UnixMs,
}

/// What a session is at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Neither limit has passed, and it began after the watermark.
    Live,
    /// Not seen for its idle limit. Only a new `CREATE` makes a session of this id again.
    Idle,
    /// Past its absolute expiry.
    Expired,
    /// Begun at or before the watermark of its ledger.
    LoggedOut,
}

/// Everything that is known of a session, to be stored as it is.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// 1 byte or more, any bytes.
    pub id: &'a [u8],
    /// Opaque to the ledger; may be empty.
    pub device: &'a [u8],
    /// When it began.
    pub created: UnixMs,
    /// When it was last used.
    pub seen: UnixMs,
    /// The first instant at which it is dead whatever happens.
    pub expires: UnixMs,
    /// Seconds without use after which it is dead; 0 for no such limit.
    pub idle_s: u32,
}

impl Session {
    /// Builds a session from its facts.
    #[must_use]
    pub fn new(facts: &Facts<'_>) -> Self {
        Self {
            text: [facts.id, facts.device].concat().into_boxed_slice(),
            id_len: u32::try_from(facts.id.len()).unwrap_or(u32::MAX),
            idle_s: facts.idle_s,
            created: facts.created,
            seen: facts.seen,
            expires: facts.expires,
        }
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &[u8] {
        self.split().0
    }

    /// The device, empty where none was given.
    #[must_use]
    pub fn device(&self) -> &[u8] {
        self.split().1
    }

    /// All of it, borrowed.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        let (id, device) = self.split();
        let Self { created, seen, expires, idle_s, .. } = *self;
        Facts { id, device, created, seen, expires, idle_s }
    }

    /// Dead from `expires` on, and from `seen` plus the idle limit on; both ends count as dead.
    /// What its ledger adds to this is in [`Ledger::state`](crate::Ledger::state).
    pub(crate) fn state(&self, now: impl Now) -> State {
        if now.has_reached(self.expires) {
            return State::Expired;
        }
        match self.idle_since() {
            Some(since) if now.has_reached(since) => State::Idle,
            _ => State::Live,
        }
    }

    /// The instant at which it goes idle unless it is seen before; `None` without such a limit.
    pub(crate) fn idle_since(&self) -> Option<UnixMs> {
        (self.idle_s > 0).then(|| self.seen.plus(Duration::from_secs(self.idle_s.into())))
    }

    /// The instant from which it is not live, unless it is seen before.
    pub(crate) fn ends(&self) -> UnixMs {
        self.idle_since().map_or(self.expires, |idle| idle.min(self.expires))
    }

    fn split(&self) -> (&[u8], &[u8]) {
        let id_len = usize::try_from(self.id_len).unwrap_or(usize::MAX);
        self.text.split_at_checked(id_len).unwrap_or((&self.text, &[]))
    }
}
