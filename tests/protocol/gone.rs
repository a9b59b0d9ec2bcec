//! MySQL that comes back without its last commits, and how that is noticed and mended.
//!
//! ```text
//! note      whoever has committed a row or read it notes its number, and a sign that no other row has; what
//!           is told to Redis takes the notes along
//! look      whoever knows of a note that MySQL lacks, one's own or one of Redis', decides nothing by MySQL
//! return    after longer than a token's life one of them logs everybody out, by one watermark, in the
//!           transaction that writes a new sign down: MySQL as it is now is the truth
//! adopt     whoever sees a sign that is new learns the watermark, forgets all notes and goes on
//! ```
//!
//! That notes are looked at once a second and by each new connection is one step: MySQL is never asked
//! without a look.

use crate::rules::{Guard, Rules};
use crate::tasks::{Doing, Task};
use crate::truth::Set;
use crate::world::{SHORT_MS, World};

/// That a row was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Note {
    pub(crate) row: u8,
    pub(crate) sign: u8,
}

/// What an instance knows of MySQL's commits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct History {
    /// The last return that counts; 0 for none.
    sign: u8,
    notes: Vec<Note>,
    /// Up to when everybody's sessions have ended.
    pub(crate) everybody: u64,
}

/// The list in Redis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Noted {
    /// The return that was named last.
    claimed: u8,
    /// Each with the return since which it was.
    notes: Vec<(u8, Note)>,
}

/// What MySQL is, seen from what is known.
#[derive(PartialEq, Eq)]
enum Finding {
    Whole,
    Returned,
    Lacks,
}

impl World {
    /// Whether commits are noted at all.
    fn notes(&self) -> bool {
        self.kept.is_some() || self.left.keeps > 0 || self.returns > 0
    }

    /// Committed by this instance, or read.
    pub(crate) fn note_known(&mut self, instance: usize, rows: &[u8]) {
        if self.notes() {
            let known = &mut self.instances[instance].history.notes;
            known.extend(rows.iter().filter_map(|row| self.truth.note(*row)));
            known.sort_unstable();
            known.dedup();
        }
    }

    /// Redis has heard from this instance.
    pub(crate) fn note_in_redis(&mut self, instance: usize) {
        let History { sign, notes, .. } = &self.instances[instance].history;
        if self.notes() && !notes.is_empty() {
            self.noted.claimed = *sign;
            self.noted.notes.extend(notes.iter().map(|note| (*sign, *note)));
            self.noted.notes.sort_unstable();
            self.noted.notes.dedup();
        }
    }

    fn examine(&self, instance: usize, rules: Rules) -> Finding {
        let History { sign, notes, everybody } = &self.instances[instance].history;
        let asks = rules.has(Guard::NotesOfOthers);
        let server = self.line_of(instance).and_then(|line| self.server_at(line));
        let heard = server.filter(|_| asks).map_or(0, |server| server.data.everybody);
        let everybody = heard.max(*everybody);
        let noted = self.noted.notes.iter().filter(|it| asks && it.0 == *sign);
        let mut all = notes.iter().chain(noted.map(|it| &it.1));
        let has = |of: u8| of == 0 || self.truth.returns.contains(&of);
        let newest = self.truth.returns.last().copied().unwrap_or(0);
        if !has(*sign) || asks && !has(self.noted.claimed) {
            Finding::Lacks
        } else if newest != *sign {
            Finding::Returned
        } else if all.any(|note| !self.truth.has(*note, rules)) || self.truth.everybody < everybody
        {
            Finding::Lacks
        } else {
            Finding::Whole
        }
    }

    /// Whether anything may be decided by MySQL.
    pub(crate) fn may_ask(&self, instance: usize, rules: Rules) -> bool {
        let is_off = !self.notes() || !rules.has(Guard::NotesLooked);
        is_off || self.examine(instance, rules) == Finding::Whole
    }

    pub(crate) fn by_history(&self, instance: usize, rules: Rules) -> Option<crate::events::Event> {
        use crate::events::Event::{Adopt, Return};
        if !self.notes() || !rules.has(Guard::NotesLooked) {
            return None;
        }
        match self.examine(instance, rules) {
            Finding::Whole => None,
            Finding::Returned => Some(Adopt(instance)),
            Finding::Lacks => Some(Return(instance)),
        }
    }

    pub(crate) fn keep(&mut self) {
        self.kept = Some(Box::new(self.truth.clone()));
    }

    /// What was open is gone, and every connection.
    pub(crate) fn go_back(&mut self) {
        let Some(kept) = self.kept.take() else { return };
        let ends =
            |doing: &Doing| !matches!(doing, Doing::Deliver(_) | Doing::TellEverybody { .. });
        let gone = self.tasks.iter().filter(|it| ends(&it.1.doing)).map(|it| *it.0);
        for id in gone.collect::<Vec<_>>() {
            self.end_task(id);
        }
        self.returns += 1;
        self.truth.go_back(*kept);
    }

    /// Logs everybody out, in the transaction that says that MySQL is the truth again.
    pub(crate) fn return_from_it(&mut self, instance: usize, rules: Rules) {
        if rules.has(Guard::WaitsForTokens) {
            self.passed_ms += SHORT_MS;
        }
        self.truth.begin_anew();
        if rules.has(Guard::ReturnsAtOnce) {
            self.log_everybody_out(instance, rules);
        } else {
            self.begin_task(instance, Doing::ReturnLate);
        }
        self.adopt(instance, rules);
    }

    pub(crate) fn log_everybody_out(&mut self, instance: usize, rules: Rules) {
        let known = self.instances[instance].history.everybody;
        let at = self.everybody_until(instance).max(known);
        if rules.has(Guard::ReturnEnds) {
            self.truth.everybody = at;
        }
    }

    /// Whatever is being told of the history before was refused or is over by then: that takes longer than
    /// a token lives.
    pub(crate) fn adopt(&mut self, instance: usize, rules: Rules) {
        let tells = |it: &Task| it.instance == instance && it.is_delivery();
        for id in self.tasks.iter().filter(|it| tells(it.1)).map(|it| *it.0).collect::<Vec<_>>() {
            self.end_task(id);
        }
        let sign = self.truth.returns.last().copied().unwrap_or(0);
        let known = self.instances[instance].history.everybody;
        let learns = rules.has(Guard::AdoptsEverybody);
        let everybody = if learns { known.max(self.truth.everybody) } else { known };
        self.instances[instance].history = History { sign, notes: Vec::new(), everybody };
        self.noted.claimed = sign;
    }

    /// By MySQL.
    pub(crate) fn broken_by_mysql(&self, rules: Rules) -> Option<String> {
        if !self.notes() {
            return None;
        }
        for (number, instance) in self.instances.iter().enumerate() {
            let ended = self.promised.and(instance.answered);
            let live = Set(ended.0 & self.truth.live().0);
            if let Some(id) = live.each().next().filter(|_| self.may_ask(number, rules)) {
                return Some(format!(
                    "instance {number} accepts s{id} by MySQL, whose end is known"
                ));
            }
        }
        None
    }
}
