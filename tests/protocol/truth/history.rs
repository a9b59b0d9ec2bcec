//! What is no longer there when MySQL has gone back, and what stays: signs and names are drawn at random,
//! so that none is given away twice.

use super::{Set, Truth};
use crate::gone::Note;
use crate::rules::{Guard, Rules};

impl Truth {
    pub(crate) fn note(&self, row: u8) -> Option<Note> {
        let sign = *self.row_signs.get(usize::from(row) - 1)?;
        Some(Note { row, sign })
    }

    pub(crate) fn has(&self, note: Note, rules: Rules) -> bool {
        let sign = self.row_signs.get(usize::from(note.row) - 1);
        sign.is_some_and(|sign| *sign == note.sign || !rules.has(Guard::NotesSigned))
    }

    pub(crate) fn go_back(&mut self, kept: Self) {
        let (signs, named) = (self.signs, self.named);
        *self = Self { signs, named, ..kept };
    }

    /// A return.
    pub(crate) fn begin_anew(&mut self) {
        self.signs += 1;
        self.returns.push(self.signs);
    }

    /// When the latest of them began.
    pub(crate) fn newest_session(&self) -> u64 {
        self.sessions.iter().flatten().map(|session| session.created).max().unwrap_or(0)
    }

    /// Whether nobody has had its name.
    pub(super) fn is_new(&self, id: u8) -> bool {
        !self.named.has(id)
    }

    pub(super) fn name(&mut self, id: u8) {
        self.named = self.named.and(Set::of(id));
    }
}
