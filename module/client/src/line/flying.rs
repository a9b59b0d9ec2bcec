//! What is on its way to the server, until it is replied to.

use super::ask::{Answered, Ask, Asker, Waiting};
use crate::answers::Unavailable;
use crate::clock::Moment;
use crate::hit::Stamp;
use crate::question::Written;

/// What a reply is waited for.
pub(super) enum Sent {
    /// Something that must succeed.
    Step,
    Beat(Moment),
    Role,
    /// Whether a replica may be asked, in this life.
    Info(Option<i64>),
    Question(Flying),
}

/// A question on its way, and what the world looked like before it was sent.
pub(super) struct Flying {
    pub(super) written: Written,
    pub(super) askers: Vec<(Asker, Moment)>,
    pub(super) is_repeated: bool,
    pub(super) sent: Moment,
    pub(super) stamp: Stamp,
    /// Since when the server had had the slot.
    pub(super) since: u32,
}

impl Flying {
    pub(super) fn answer(self, outcome: &Result<Answered, Unavailable>) {
        self.askers.into_iter().for_each(|(asker, _)| asker.answer(outcome.clone()));
    }

    pub(super) fn put_back(self, waiting: &mut Waiting) {
        if self.is_repeated {
            return self.answer(&Err(Unavailable::Lost));
        }
        for (asker, deadline) in self.askers {
            waiting.put_back(Ask::from_parts(self.written.clone(), deadline, asker));
        }
    }

    /// Tells those whose time is over; the answer still comes, and is kept. False if somebody still
    /// waits, and so does everybody behind.
    pub(super) fn expire(&mut self, now: Moment) -> bool {
        for (asker, _) in self.askers.extract_if(.., |(_, deadline)| *deadline <= now) {
            asker.answer(Err(Unavailable::Deadline));
        }
        self.askers.is_empty()
    }

    pub(super) fn first_deadline(&self) -> Option<Moment> {
        self.askers.iter().map(|(_, deadline)| *deadline).min()
    }
}

impl Sent {
    /// The question, if it is the same as this one.
    pub(super) fn like(&mut self, written: &Written) -> Option<&mut Flying> {
        match self {
            Self::Question(flying) if flying.written.is_same(written) => Some(flying),
            _ => None,
        }
    }
}
