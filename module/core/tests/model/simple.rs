//! The model: lists that are searched from front to back, never swept, never sorted.

use std::collections::BTreeMap;

use portcullis_core::Verdict;

#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) created: u64,
    pub(crate) seen: u64,
    pub(crate) expires: u64,
    pub(crate) idle_s: u32,
    pub(crate) device: Vec<u8>,
}

impl Session {
    pub(crate) fn idle(&self, now: u64) -> bool {
        self.idle_s > 0 && now >= self.seen + u64::from(self.idle_s) * 1000
    }

    pub(crate) fn live(&self, now: u64) -> bool {
        now < self.expires && !self.idle(now)
    }
}

/// Everything that ever mattered, by name.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) sessions: BTreeMap<&'static str, Session>,
    pub(crate) revoked: BTreeMap<u8, u64>,
    pub(crate) watermark: u64,
    /// The watermark of everybody.
    pub(crate) everybody: u64,
}

impl Model {
    pub(crate) fn is_live(&self, session: &Session, now: u64) -> bool {
        session.live(now) && session.created >= self.first()
    }

    /// The first instant at which a session may begin.
    pub(crate) fn first(&self) -> u64 {
        if self.latest() == 0 { 0 } else { self.latest() + 1 }
    }

    /// The watermark that counts.
    pub(crate) fn latest(&self) -> u64 {
        self.watermark.max(self.everybody)
    }

    pub(crate) fn live(&self, now: u64) -> Vec<&'static str> {
        let mut live: Vec<_> =
            self.sessions.iter().filter(|(_, it)| self.is_live(it, now)).collect();
        live.sort_by_key(|(id, it)| (it.seen, it.created, **id));
        live.into_iter().map(|(id, _)| *id).collect()
    }

    pub(crate) fn verdict(
        &self,
        id: Option<&str>,
        token: u8,
        issued_ms: Option<i64>,
        now: u64,
    ) -> Verdict {
        if let Some(id) = id {
            match self.sessions.get(id) {
                Some(session) if now >= session.expires => return Verdict::NoSession,
                Some(session) if session.idle(now) => return Verdict::Idle,
                Some(session) if !self.is_live(session, now) => return Verdict::LoggedOut,
                Some(_) => {}
                None => return Verdict::NoSession,
            }
        }
        if issued_ms.is_some_and(|at| self.latest() > 0 && at <= self.latest().cast_signed()) {
            Verdict::LoggedOut
        } else if self.revoked.get(&token).is_some_and(|expires| now < *expires) {
            Verdict::Revoked
        } else {
            Verdict::Ok
        }
    }
}
