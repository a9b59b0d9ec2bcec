//! A Redis server with the module: the real ledger and the real fence, and around them what the
//! server adds: a mark, a confirmation, a run id, a role.

use portcullis_core::{
    Create, Digest, Facts, Fence, FenceToken, LogOut, Present, Question, Refusal, TokenRef, UnixMs,
    Verdict,
};

use crate::data::{By, Data, Mark, Now, Stored};
use crate::rules::{Design, Guard, Rules};
use crate::truth::{SESSIONS, Set};

const KEY: &[u8] = b"user:1";
const IDS: [&[u8]; SESSIONS as usize] = [b"s0", b"s1"];
/// Endings that a server remembers at most.
const LIMIT: usize = 100;
/// How long the rejected design lets a beginning live, and remembers an ending.
const DEADLINE_MS: u64 = 2_000;
const KEPT_MS: u64 = 20_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Command {
    Begin(Beginning),
    End(Set),
    EndUpTo(u64),
    /// What began up to then has ended, whose ever it is.
    Everybody(u64),
    /// Of a hydration that begins.
    Mark {
        from: Option<Mark>,
        to: Mark,
    },
    /// The mark goes forward.
    Move {
        from: Mark,
        to: Mark,
        run: u8,
        life: u64,
    },
    Confirm {
        from: Mark,
        to: Mark,
        run: u8,
        life: u64,
        looked: Set,
        everybody: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Beginning {
    pub(crate) session: u8,
    pub(crate) created: u64,
    pub(crate) token: Token,
}

/// What a beginning is fenced with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Token {
    Fence(FenceToken),
    Until(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    Done,
    Stale,
    Ended,
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) name: char,
    /// Which process.
    pub(crate) run: u8,
    pub(crate) is_primary: bool,
    pub(crate) is_confirmed: bool,
    /// Whether the user's slot is its own, and since which epoch; always, where there is no cluster.
    pub(crate) owns: bool,
    pub(crate) epoch: u8,
    pub(crate) data: Data,
    fence: Fence,
}

impl Server {
    /// A server as it starts.
    pub(crate) fn start(name: char, run: u8, data: Data, is_primary: bool, rules: Rules) -> Self {
        let life = if rules.has(Guard::Life) { u64::from(run) } else { 0 };
        let fence = Fence::new(life, 0);
        let (is_confirmed, owns, epoch) = (false, true, 0);
        Self { name, run, is_primary, is_confirmed, owns, epoch, data, fence }
    }

    pub(crate) fn life(&self) -> u64 {
        self.fence.life()
    }

    /// What ends both the confirmation and every token.
    pub(crate) fn begin_life(&mut self, rules: Rules) {
        self.is_confirmed = false;
        if rules.has(Guard::Life) {
            self.fence.begin_life();
        }
    }

    pub(crate) fn token(&self, now: Now, rules: Rules) -> Token {
        match rules.design {
            Design::Token => Token::Fence(self.fence.token(now.monotonic)),
            Design::Deadline => Token::Until(now.wall.0 + DEADLINE_MS),
        }
    }

    pub(crate) fn hear(&mut self, command: &Command, now: Now, rules: Rules) -> Reply {
        let is_about_the_user =
            matches!(command, Command::Begin(_) | Command::End(_) | Command::EndUpTo(_));
        if !self.is_primary || is_about_the_user && !self.owns {
            return Reply::Refused;
        }
        match *command {
            Command::Begin(beginning) => self.begin(beginning, now, rules),
            Command::End(sessions) => self.end(sessions, now, rules),
            Command::EndUpTo(at) => self.end_up_to(UnixMs(at), now, rules),
            Command::Everybody(at) => {
                self.data.everybody = self.data.everybody.max(at);
                Reply::Done
            }
            Command::Mark { from, to } => {
                let knows = from.is_none() || self.carries(from, rules);
                self.mark_if(knows, to)
            }
            Command::Move { from, to, run, life } => {
                let is_same = life == self.life() && run == self.run;
                let agreed = is_same || !rules.has(Guard::MarkNamesLife);
                self.mark_if(agreed && self.carries(Some(from), rules), to)
            }
            Command::Confirm { from, to, run, life, everybody, .. } => {
                let same_life = life == self.life() || !rules.has(Guard::ConfirmNamesLife);
                let confirms = self.carries(Some(from), rules) && same_life && run == self.run;
                self.is_confirmed |= confirms;
                if confirms {
                    self.data.everybody = self.data.everybody.max(everybody);
                }
                self.mark_if(confirms, to)
            }
        }
    }

    fn carries(&self, mark: Option<Mark>, rules: Rules) -> bool {
        self.data.mark == mark || !rules.has(Guard::MarkCompared)
    }

    fn mark_if(&mut self, agreed: bool, to: Mark) -> Reply {
        if !agreed {
            return Reply::Refused;
        }
        self.data.mark = Some(to);
        Reply::Done
    }

    fn begin(&mut self, beginning: Beginning, now: Now, rules: Rules) -> Reply {
        if let Some(refusal) = self.judge(beginning, now, rules) {
            return refusal;
        }
        let (id, created) = (IDS[usize::from(beginning.session)], UnixMs(beginning.created));
        let stored = self.data.ledger.get_or_insert_default();
        let expires = UnixMs::MAX;
        if !rules.has(Guard::Watermark) {
            let created = created.min(now.wall);
            stored.ledger.put(&Facts {
                id,
                device: b"",
                created,
                seen: created,
                expires,
                idle_s: 0,
            });
            return Reply::Done;
        }
        let created = Some(created);
        let (idle_s, device, seen, keep, limit) = (None, None, None, None, LIMIT);
        let request = Create { id, expires, idle_s, device, created, seen, keep, limit };
        let watermark = UnixMs(self.data.everybody);
        let present = Present { now: now.wall, watermark };
        let begun = stored.ledger.create(&request, present);
        self.drop_if_empty();
        if begun.is_ok() { Reply::Done } else { Reply::Ended }
    }

    /// The module asks the fence before the ledger.
    fn judge(&mut self, beginning: Beginning, now: Now, rules: Rules) -> Option<Reply> {
        let Beginning { session, created, token } = beginning;
        match token {
            Token::Fence(token) if rules.has(Guard::Fence) => {
                let created = Some(UnixMs(created)).filter(|at| *at <= now.wall);
                let id = IDS[usize::from(session)];
                let beginning = portcullis_core::Beginning { key: KEY, id, created };
                match self.fence.judge(token, &beginning, now.monotonic) {
                    Err(Refusal::Ended) => Some(Reply::Ended),
                    Err(_) => Some(Reply::Stale),
                    Ok(()) => None,
                }
            }
            Token::Until(last) if now.wall.0 > last || self.keeps(session, now) => {
                Some(Reply::Stale)
            }
            Token::Fence(_) | Token::Until(_) => None,
        }
    }

    fn end(&mut self, sessions: Set, now: Now, rules: Rules) -> Reply {
        let ids = || sessions.each().map(|id| IDS[usize::from(id)]);
        if let Some(stored) = &mut self.data.ledger {
            stored.ledger.end(ids(), now.wall);
        }
        match rules.design {
            Design::Token if rules.has(Guard::Memory) => {
                self.fence.remember(KEY, ids(), now.monotonic, LIMIT);
            }
            Design::Token => {}
            Design::Deadline => {
                let stored = self.data.ledger.get_or_insert_default();
                let until = now.wall.0 + KEPT_MS;
                stored.kept.extend(sessions.each().map(|id| (id, until)));
            }
        }
        self.drop_if_empty();
        Reply::Done
    }

    fn end_up_to(&mut self, at: UnixMs, now: Now, rules: Rules) -> Reply {
        if at > now.wall {
            return Reply::Refused;
        }
        let stored = self.data.ledger.get_or_insert_default();
        let outcome = stored.ledger.log_out(Some(at), None, now.wall);
        if rules.has(Guard::Memory) {
            let ids = outcome.ended.iter().map(portcullis_core::Session::id);
            self.fence.remember(KEY, ids, now.monotonic, LIMIT);
            let ended = LogOut { key: KEY, except: None, until: outcome.until };
            self.fence.remember_all(&ended, now.monotonic, LIMIT);
        }
        Reply::Done
    }

    fn keeps(&self, id: u8, now: Now) -> bool {
        let kept = self.data.ledger.iter().flat_map(|stored| &stored.kept);
        kept.into_iter().any(|(of, until)| *of == id && now.wall.0 < *until)
    }

    fn drop_if_empty(&mut self) {
        let is_empty = |stored: &Stored| {
            stored.kept.is_empty()
                && stored.ledger.sessions().is_empty()
                && stored.ledger.watermark().is_none()
        };
        if self.data.ledger.as_ref().is_some_and(is_empty) {
            self.data.ledger = None;
        }
    }

    // --- questions ---

    /// `AUTH.CHECK … SESSION`; nothing where the server answers `NOTREADY`.
    pub(crate) fn check(&self, id: u8, now: Now, rules: Rules) -> Option<Verdict> {
        if !(self.is_primary && self.is_confirmed && self.owns) {
            return None;
        }
        let session = IDS[usize::from(id)];
        let token = TokenRef::Digest(Digest::from_bytes([0; 32]));
        let question = Question { token, session: Some(session), issued_ms: None };
        let Some(stored) = &self.data.ledger else {
            return Some(question.verdict_without_ledger(now.wall));
        };
        if !rules.has(Guard::Watermark) {
            let lives = stored.ledger.find(session).is_some();
            return Some(if lives { Verdict::Ok } else { Verdict::NoSession });
        }
        let watermark = UnixMs(self.data.everybody);
        Some(stored.ledger.verdict(&question, Present { now: now.wall, watermark }))
    }

    /// Whether the ledgers here lack nothing, as the service sees it.
    pub(crate) fn is_up_to_date(&self) -> bool {
        let is_marked = self.data.mark.is_some_and(|mark| mark.by == By::Run(self.run));
        self.is_primary && self.is_confirmed && is_marked
    }

    /// `AUTH.SESSION LIST`.
    pub(crate) fn held(&self) -> Set {
        let has = |id: &u8| {
            let find = |stored: &Stored| stored.ledger.find(IDS[usize::from(*id)]).is_some();
            self.data.ledger.as_ref().is_some_and(find)
        };
        (0..SESSIONS).filter(has).fold(Set::default(), |set, id| set.and(Set::of(id)))
    }
}
