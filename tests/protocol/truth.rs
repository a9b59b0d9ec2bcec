//! MySQL: one user's sessions, their watermark, and the outbox.
//!
//! A transaction is written at one instant and committed at a later one, so rows become visible out
//! of the order of their numbers. Locks are only modelled where the protocol rests on them: the
//! user's row at a login, a logout of everything and a repair, a session's row at its end.

mod history;

use crate::lives::Vouched;
use crate::rules::{Guard, Rules};

/// How many sessions there may be.
pub(crate) const SESSIONS: u8 = 2;

/// A set of sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Set(pub(crate) u8);

impl Set {
    pub(crate) const fn of(session: u8) -> Self {
        Self(1 << session)
    }

    pub(crate) const fn has(self, session: u8) -> bool {
        self.0 & (1 << session) != 0
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn but(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn each(self) -> impl Iterator<Item = u8> {
        (0..SESSIONS).filter(move |session| self.has(*session))
    }
}

/// What a ledger is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    Begin { session: u8, created: u64 },
    End(Set),
    EndUpTo(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Row {
    /// Written by a transaction that is still open.
    Open,
    Waits,
    Told,
    /// Its transaction was rolled back.
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Session {
    pub(crate) created: u64,
    pub(crate) is_live: bool,
}

/// What a transaction does that has been written and not committed yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Written {
    pub(crate) row: u8,
    pub(crate) deed: Deed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Deed {
    Login { session: u8, created: u64 },
    EndOne { session: u8 },
    EndAll { at: u64, sessions: Set },
    Repair,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Truth {
    sessions: [Option<Session>; SESSIONS as usize],
    pub(crate) watermark: Option<u64>,
    /// Which servers are vouched for.
    pub(crate) lives: Vec<Vouched>,
    /// The outbox. A row's number is its place and one.
    rows: Vec<(Row, Vec<Change>)>,
    row_signs: Vec<u8>,
    /// The last sign that was given away.
    pub(crate) signs: u8,
    /// Sessions that there ever were.
    named: Set,
    /// Since when MySQL is the truth; the newest is last.
    pub(crate) returns: Vec<u8>,
    /// Up to when everybody's sessions have ended; 0 for never.
    pub(crate) everybody: u64,
    /// Held by an open transaction.
    user_is_held: bool,
    held: Set,
}

impl Truth {
    pub(crate) fn live(&self) -> Set {
        self.those(|session| session.is_live && session.created > self.everybody)
    }

    pub(crate) fn ended(&self) -> Set {
        self.those(|session| !session.is_live || session.created <= self.everybody)
    }

    fn those(&self, wanted: impl Fn(&Session) -> bool) -> Set {
        (0..SESSIONS)
            .filter(|id| self.session(*id).is_some_and(|session| wanted(&session)))
            .fold(Set::default(), |set, id| set.and(Set::of(id)))
    }

    pub(crate) fn session(&self, id: u8) -> Option<Session> {
        self.sessions.get(usize::from(id)).copied().flatten()
    }

    /// The session of the next login, if there may be one.
    pub(crate) fn next_session(&self) -> Option<u8> {
        (0..SESSIONS).find(|id| self.is_new(*id))
    }

    pub(crate) fn user_is_free(&self) -> bool {
        !self.user_is_held
    }

    pub(crate) fn is_free(&self, session: u8) -> bool {
        !self.held.has(session)
    }

    /// Writes a login at this time of its host: later than anything that ended all sessions.
    pub(crate) fn write_login(&mut self, session: u8, host_now: u64) -> Written {
        let first = self.watermark.unwrap_or(0).max(self.everybody) + 1;
        let created = host_now.max(first);
        self.name(session);
        self.user_is_held = true;
        self.write(Deed::Login { session, created }, vec![Change::Begin { session, created }])
    }

    pub(crate) fn write_end(&mut self, session: u8) -> Written {
        self.held = self.held.and(Set::of(session));
        self.write(Deed::EndOne { session }, vec![Change::End(Set::of(session))])
    }

    pub(crate) fn write_end_all(&mut self, at: u64, rules: Rules) -> Written {
        let sessions = self.live();
        self.user_is_held = true;
        self.held = self.held.and(sessions);
        let mut changes = vec![Change::EndUpTo(at)];
        if rules.has(Guard::Names) && !sessions.is_empty() {
            changes.push(Change::End(sessions));
        }
        self.write(Deed::EndAll { at, sessions }, changes)
    }

    /// What belongs into the ledger, endings first.
    pub(crate) fn belongs(&self) -> Vec<Change> {
        let watermark = self.watermark.map(Change::EndUpTo);
        let begin = |id| {
            let created = self.session(id).map_or(0, |session| session.created);
            Change::Begin { session: id, created }
        };
        watermark.into_iter().chain(self.live().each().map(begin)).collect()
    }

    pub(crate) fn write_repair(&mut self, changes: Vec<Change>) -> Written {
        self.write(Deed::Repair, changes)
    }

    fn write(&mut self, deed: Deed, changes: Vec<Change>) -> Written {
        self.rows.push((Row::Open, changes));
        self.signs += 1;
        self.row_signs.push(self.signs);
        Written { row: self.newest_written(), deed }
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.numbered().all(|it| it.1 != Row::Open)
    }

    fn newest_written(&self) -> u8 {
        u8::try_from(self.rows.len()).unwrap_or(u8::MAX)
    }

    /// Answers which sessions have ended by it.
    pub(crate) fn commit(&mut self, written: &Written) -> Set {
        self.set(written.row, Row::Waits);
        match written.deed {
            Deed::Login { session, created } => {
                self.user_is_held = false;
                self.sessions[usize::from(session)] = Some(Session { created, is_live: true });
                Set::default()
            }
            Deed::EndOne { session } => self.end(Set::of(session)),
            Deed::EndAll { at, sessions } => {
                self.user_is_held = false;
                self.watermark = self.watermark.max(Some(at));
                self.end(sessions)
            }
            Deed::Repair => Set::default(),
        }
    }

    fn end(&mut self, sessions: Set) -> Set {
        self.held = self.held.but(sessions);
        for session in self.sessions.iter_mut().zip(0..).filter(|(_, id)| sessions.has(*id)) {
            if let (Some(session), _) = session {
                session.is_live = false;
            }
        }
        sessions
    }

    pub(crate) fn roll_back(&mut self, written: &Written) {
        self.set(written.row, Row::Gone);
        match written.deed {
            Deed::Login { .. } => self.user_is_held = false,
            Deed::EndOne { session } => self.held = self.held.but(Set::of(session)),
            Deed::EndAll { sessions, .. } => {
                self.user_is_held = false;
                self.held = self.held.but(sessions);
            }
            Deed::Repair => {}
        }
    }

    // --- the outbox ---

    fn set(&mut self, row: u8, to: Row) {
        if let Some(it) = self.rows.get_mut(usize::from(row) - 1) {
            it.0 = to;
        }
    }

    fn numbered(&self) -> impl Iterator<Item = (u8, Row, &[Change])> {
        (1..).zip(&self.rows).map(|(number, (row, changes))| (number, *row, changes.as_slice()))
    }

    pub(crate) fn waiting(&self) -> Vec<u8> {
        self.numbered().filter(|it| it.1 == Row::Waits).map(|it| it.0).collect()
    }

    /// What rows say, and which one says it.
    pub(crate) fn changes(&self, rows: &[u8]) -> Vec<(u8, Change)> {
        let read = self.numbered().filter(|it| rows.contains(&it.0));
        read.flat_map(|it| it.2.iter().map(move |change| (it.0, *change))).collect()
    }

    /// What is visible after a row, and what waited.
    pub(crate) fn visible(&self, after: u8, waiting: &[u8]) -> Vec<u8> {
        let visible = |row| matches!(row, Row::Waits | Row::Told);
        self.numbered()
            .filter(|it| visible(it.1) && (it.0 > after || waiting.contains(&it.0)))
            .map(|it| it.0)
            .collect()
    }

    pub(crate) fn told(&self) -> Vec<u8> {
        self.numbered().filter(|it| it.1 == Row::Told).map(|it| it.0).collect()
    }

    pub(crate) fn mark_told(&mut self, rows: &[u8]) {
        for row in rows {
            self.set(*row, Row::Told);
        }
    }

    pub(crate) fn newest(&self) -> u8 {
        let visible = self.numbered().filter(|it| matches!(it.1, Row::Waits | Row::Told));
        visible.map(|it| it.0).max().unwrap_or(0)
    }

    /// The row up to which everything has been told.
    pub(crate) fn position(&self, rules: Rules) -> u8 {
        let open = |row| row == Row::Open && rules.has(Guard::OpenTransactions);
        let first = self.numbered().find(|it| it.1 == Row::Waits || open(it.1));
        first.map_or(self.newest(), |it| it.0 - 1)
    }
}
