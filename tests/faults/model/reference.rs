//! What the documents say of sessions and tokens, with no store, no order of writing and no
//! failure in it. Too simple to be wrong; knows nothing of how the service does it.

use std::cmp::Reverse;

const CAP: usize = 5;
const ACCESS_LIFE: u64 = 15 * 60_000;
const LEEWAY: u64 = 5_000;
const SESSION_LIFE: u64 = 30 * 24 * 60 * 60_000;
const IDLE: u64 = 7 * 24 * 60 * 60_000;
const GRACE: u64 = 30_000;
const STEP_UP: u64 = 15 * 60_000;

/// Everybody and everything that was ever issued to them; tokens are known by their number.
pub(super) struct Reference {
    /// What time it is, in milliseconds.
    pub(super) now: u64,
    people: Vec<Person>,
    sessions: Vec<Session>,
    access: Vec<Access>,
    refresh: Vec<Refresh>,
}

#[derive(Clone, Default)]
struct Person {
    is_disabled: bool,
    is_admin: bool,
    /// What began at or before this is dead.
    watermark: Option<u64>,
}

struct Session {
    person: usize,
    id: String,
    /// When it counts as begun: after the watermark, though that may be ahead of the clock.
    began: u64,
    /// When the password was given.
    opened: u64,
    seen: u64,
    is_over: bool,
}

struct Access {
    session: usize,
    issued: u64,
    dies: u64,
    says_admin: bool,
    is_revoked: bool,
}

struct Refresh {
    session: usize,
    spent: Option<Spent>,
}

#[derive(Clone, Copy)]
struct Spent {
    at: u64,
    successor: usize,
}

/// What becomes of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refreshed {
    Refused,
    /// The successor has this number, whether it is new or not.
    To(usize),
}

impl Reference {
    pub(super) fn new(people: usize, now: u64) -> Self {
        let people = vec![Person::default(); people];
        Self { now, people, sessions: Vec::new(), access: Vec::new(), refresh: Vec::new() }
    }

    /// Whether the right password opens a session.
    pub(super) fn may_log_in(&self, person: usize) -> bool {
        !self.people[person].is_disabled
    }

    /// A login that was answered with this session, the next access and the next refresh token.
    pub(super) fn log_in(&mut self, person: usize, id: &str) {
        let began = self.after_watermark(person);
        let mut live: Vec<usize> = (0..self.sessions.len())
            .filter(|&it| self.sessions[it].person == person && self.is_live(it, self.now))
            .collect();
        live.sort_by_key(|&it| {
            let Session { seen, began, id, .. } = &self.sessions[it];
            Reverse((*seen, *began, id))
        });
        for evicted in live.into_iter().skip(CAP - 1) {
            self.sessions[evicted].is_over = true;
        }
        self.begin(person, id, began);
    }

    pub(super) fn refresh(&mut self, token: usize) -> Refreshed {
        let Refresh { session, spent } = self.refresh[token];
        if !self.is_live(session, self.now) {
            return Refreshed::Refused;
        }
        let successor = match spent {
            None => {
                self.refresh.push(Refresh { session, spent: None });
                let successor = self.refresh.len() - 1;
                self.refresh[token].spent = Some(Spent { at: self.now, successor });
                let seen = &mut self.sessions[session].seen;
                *seen = self.now.max(*seen);
                successor
            }
            Some(Spent { at, successor })
                if self.now.saturating_sub(at) <= GRACE
                    && self.refresh[successor].spent.is_none() =>
            {
                successor
            }
            Some(_) => {
                self.sessions[session].is_over = true;
                return Refreshed::Refused;
            }
        };
        self.issue(session, self.now);
        Refreshed::To(successor)
    }

    /// The caller's session ends, and the token by itself.
    pub(super) fn log_out(&mut self, token: usize) {
        self.sessions[self.access[token].session].is_over = true;
        self.access[token].is_revoked = true;
    }

    /// Whether the owner of a token may end the session of another one, and it is not over yet.
    pub(super) fn may_log_out_another(&self, token: usize, another: usize) -> bool {
        let Session { person, is_over, .. } = self.sessions[self.access[another].session];
        person == self.owner(token) && !is_over
    }

    /// The session of a token ends, on the word of another.
    pub(super) fn log_out_another(&mut self, another: usize) {
        self.sessions[self.access[another].session].is_over = true;
    }

    /// All sessions end but the caller's.
    pub(super) fn log_out_others(&mut self, token: usize) {
        let own = self.access[token].session;
        self.end_sessions(self.sessions[own].person);
        self.sessions[own].is_over = false;
    }

    /// All sessions end, the caller's too, and the token by itself.
    pub(super) fn log_out_all(&mut self, token: usize) {
        self.end_all(self.owner(token), self.now);
        self.access[token].is_revoked = true;
    }

    /// Whether the login was recent enough for a change of password.
    pub(super) fn logged_in_lately(&self, token: usize) -> bool {
        let opened = self.sessions[self.access[token].session].opened;
        self.now.saturating_sub(whole_seconds(opened)) <= STEP_UP
    }

    /// All sessions end, and one begins that was answered with this id.
    pub(super) fn change_password(&mut self, token: usize, id: &str) {
        let person = self.owner(token);
        self.end_all(person, self.now);
        self.begin(person, id, self.after_watermark(person));
    }

    pub(super) fn log_out_everyone(&mut self) {
        for person in 0..self.people.len() {
            if self.sessions.iter().any(|session| session.person == person && !session.is_over) {
                self.end_all(person, self.now);
            }
        }
    }

    pub(super) fn disable(&mut self, person: usize) {
        self.people[person].is_disabled = true;
        self.end_all(person, self.now);
    }

    pub(super) fn enable(&mut self, person: usize) {
        self.people[person].is_disabled = false;
    }

    pub(super) fn set_admin(&mut self, person: usize, is_admin: bool) {
        self.people[person].is_admin = is_admin;
    }

    /// Whose token it is.
    pub(super) fn owner(&self, token: usize) -> usize {
        self.sessions[self.access[token].session].person
    }

    /// The id of the session that a token belongs to.
    pub(super) fn session_id(&self, token: usize) -> &str {
        &self.sessions[self.access[token].session].id
    }

    /// The role that an access token gives now; `None` if it gives nothing.
    pub(super) fn access(&self, token: usize) -> Option<&'static str> {
        let Access { issued, dies, says_admin, .. } = self.access[token];
        let in_time = self.now < dies + LEEWAY && self.now + LEEWAY >= issued;
        let is_admin = says_admin && self.people[self.owner(token)].is_admin;
        (in_time && !self.was_ended(token)).then_some(if is_admin { "admin" } else { "user" })
    }

    /// Whether somebody has put an end to the token before its time.
    pub(super) fn was_ended(&self, token: usize) -> bool {
        let Access { session, is_revoked, .. } = self.access[token];
        is_revoked || self.sessions[session].is_over
    }

    /// Whether a refresh token has not been used and may be.
    pub(super) fn refresh_is_live(&self, token: usize) -> bool {
        let Refresh { session, spent } = self.refresh[token];
        spent.is_none() && self.is_live(session, self.now)
    }

    fn is_live(&self, session: usize, now: u64) -> bool {
        let Session { opened, seen, is_over, .. } = self.sessions[session];
        !is_over && now < opened + SESSION_LIFE && now.saturating_sub(seen) < IDLE
    }

    /// The first instant, from now on, that no watermark covers.
    fn after_watermark(&self, person: usize) -> u64 {
        self.people[person].watermark.map_or(self.now, |watermark| self.now.max(watermark + 1))
    }

    fn begin(&mut self, person: usize, id: &str, began: u64) {
        self.sessions.push(Session {
            person,
            id: id.to_owned(),
            began,
            opened: self.now,
            seen: self.now,
            is_over: false,
        });
        let session = self.sessions.len() - 1;
        self.refresh.push(Refresh { session, spent: None });
        self.issue(session, self.now);
    }

    fn issue(&mut self, session: usize, at: u64) {
        let Session { person, opened, .. } = self.sessions[session];
        self.access.push(Access {
            session,
            issued: whole_seconds(at),
            dies: whole_seconds((at + ACCESS_LIFE).min(opened + SESSION_LIFE)),
            says_admin: self.people[person].is_admin,
            is_revoked: false,
        });
    }

    fn end_all(&mut self, person: usize, at: u64) {
        let watermark = &mut self.people[person].watermark;
        *watermark = Some(watermark.map_or(at, |earlier| earlier.max(at)));
        self.end_sessions(person);
    }

    fn end_sessions(&mut self, person: usize) {
        for session in self.sessions.iter_mut().filter(|session| session.person == person) {
            session.is_over = true;
        }
    }
}

/// Tokens count in whole seconds.
fn whole_seconds(ms: u64) -> u64 {
    ms / 1_000 * 1_000
}
