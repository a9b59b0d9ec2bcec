//! What somebody knows of the commits of a database: data and nothing else.

use std::collections::VecDeque;

use sqlx::FromRow;

use crate::base::clock::Timestamp;

/// That a row of the outbox was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct Note {
    pub(crate) id: u64,
    pub(crate) user_id: u64,
    #[sqlx(rename = "created_at")]
    pub(crate) at: Timestamp,
}

impl Note {
    /// Says by its sign alone that there was a return.
    pub(super) const OF_A_RETURN: Self = Self { id: 0, user_id: 0, at: Timestamp::MAX };
}

/// That a session was refreshed.
#[derive(Clone)]
pub(super) struct Refresh {
    pub(super) reference: [u8; 16],
    pub(super) generation: u32,
}

/// What is known.
#[derive(Default)]
pub(super) struct Known {
    /// The last return that counts; nothing before MySQL was asked.
    pub(super) sign: Option<u64>,
    /// Up to when everybody's sessions have ended, as Redis has heard.
    pub(super) ended_until: Timestamp,
    /// The newest are last.
    pub(super) notes: VecDeque<Note>,
    pub(super) refreshes: VecDeque<Refresh>,
    /// The last return of which somebody has said so.
    pub(super) claimed: Option<u64>,
    /// Those that nobody has written down in Redis yet.
    pub(super) unwritten: VecDeque<Note>,
    pub(super) is_doubted: bool,
}

/// Adds one, and forgets the oldest if there are too many.
pub(super) fn push<T>(notes: &mut VecDeque<T>, note: T, most: usize) {
    if notes.len() >= most {
        notes.pop_front();
    }
    notes.push_back(note);
}
