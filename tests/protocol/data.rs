//! What a data set holds, as it is saved, copied and replicated: a ledger and the mark.

use std::hash::{Hash, Hasher};

use portcullis_core::{Ledger, MonotonicMs, UnixMs};

/// Time as one server has it.
#[derive(Clone, Copy)]
pub(crate) struct Now {
    pub(crate) wall: UnixMs,
    pub(crate) monotonic: MonotonicMs,
}

/// What a data set holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Data {
    pub(crate) ledger: Option<Stored>,
    pub(crate) mark: Option<Mark>,
    /// Up to when everybody's sessions have ended; 0 for never.
    pub(crate) everybody: u64,
}

/// A ledger as a value. When a session was last seen decides nothing here.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Stored {
    pub(crate) ledger: Ledger,
    /// Only in the rejected design: until when endings are remembered.
    pub(crate) kept: Vec<(u8, u64)>,
}

impl Eq for Stored {}

impl Hash for Stored {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for session in self.ledger.sessions() {
            (session.id(), session.facts().created).hash(state);
        }
        (self.ledger.watermark(), &self.kept).hash(state);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mark {
    pub(crate) by: By,
    pub(crate) position: u8,
    /// Whether the position was ever true.
    pub(crate) is_known: bool,
    /// In a cluster: the life that was vouched for in the user's slot when it was.
    pub(crate) covers: Option<u8>,
}

/// Who set the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum By {
    Run(u8),
    Hydration(u8),
}
