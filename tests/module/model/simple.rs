//! The model: lists that are searched from front to back, never swept. It says which command an
//! operation is, and which answers are right.

use std::collections::BTreeMap;

use super::operations::{DISTURBANCES, IDS, Operation, Step, TOKENS};

const ENDED: &str =
    "ENDED the session began at or before a logout of everything; do not begin it again";

#[derive(Clone)]
struct Session {
    created: u64,
    seen: u64,
    expires: u64,
    idle_s: u64,
    device: String,
}

/// One ledger, as it should be.
#[derive(Default)]
pub(super) struct Model {
    now: u64,
    sessions: BTreeMap<usize, Session>,
    revoked: BTreeMap<usize, u64>,
    watermark: u64,
}

impl Model {
    /// An empty ledger, at an instant that stays the present.
    pub(super) fn at_instant(now: u64) -> Self {
        Self { now, ..Self::default() }
    }

    fn at(&self, step: Step) -> u64 {
        self.now.checked_add_signed(step * 1_000_000 + 500_000).expect("within reach")
    }

    fn is_live(&self, id: usize) -> bool {
        self.sessions
            .get(&id)
            .is_some_and(|it| it.idle_s == 0 || it.seen + it.idle_s * 1000 > self.now)
    }

    /// Live sessions, the next to be evicted first.
    fn live(&self) -> Vec<usize> {
        let mut live: Vec<usize> =
            self.sessions.keys().copied().filter(|id| self.is_live(*id)).collect();
        live.sort_by_key(|id| (self.sessions[id].seen, self.sessions[id].created, *id));
        live
    }

    fn shown(&self, id: usize) -> String {
        let Session { created, seen, expires, idle_s, device } = &self.sessions[&id];
        format!(
            "[id {} created_ms {created} seen_ms {seen} expires_ms {expires} idle_s {idle_s} device {device}]",
            IDS[id]
        )
    }

    fn end(&mut self, ids: &[usize]) -> usize {
        let live = ids.iter().filter(|id| self.is_live(**id)).count();
        for id in ids {
            self.sessions.remove(id);
        }
        live
    }

    /// Does the operation; the command it is, and the answers that are right.
    pub(super) fn apply(&mut self, operation: &Operation) -> (String, Vec<String>) {
        let (line, answer) = match operation {
            Operation::Create { .. } => self.create(operation),
            Operation::Touch { id, at } => {
                let at = self.at(*at);
                let is_live = self.is_live(*id);
                if is_live && let Some(session) = self.sessions.get_mut(id) {
                    session.seen = session.seen.max(at);
                }
                let line = format!("AUTH.SESSION TOUCH KEY {} AT {at}", IDS[*id]);
                (line, u8::from(is_live).to_string())
            }
            Operation::Revoke { ids } => {
                let named: Vec<_> = ids.iter().map(|id| IDS[*id]).collect();
                let mut once = ids.clone();
                once.sort_unstable();
                once.dedup();
                let ended = self.end(&once);
                (format!("AUTH.SESSION REVOKE KEY {}", named.join(" ")), ended.to_string())
            }
            Operation::RevokeAll { except, at } => {
                let at = self.at(*at);
                let begun = |(id, it): (&usize, &Session)| {
                    (it.created <= at && Some(*id) != *except).then_some(*id)
                };
                let ids: Vec<usize> = self.sessions.iter().filter_map(begun).collect();
                let ended = self.end(&ids);
                let mut line = format!("AUTH.SESSION REVOKEALL KEY AT {at}");
                match except {
                    Some(id) => add(&mut line, format_args!(" EXCEPT {}", IDS[*id])),
                    None => self.watermark = self.watermark.max(at),
                }
                (line, ended.to_string())
            }
            Operation::Blacklist { token, expires } => {
                let expires = self.at(*expires);
                let known = self.revoked.get(token).copied().unwrap_or(0);
                if expires > self.now {
                    self.revoked.insert(*token, known.max(expires));
                }
                let is_new = known == 0 && expires > self.now;
                let line = format!("AUTH.BLACKLIST KEY {} PXAT {expires}", TOKENS[*token]);
                (line, u8::from(is_new).to_string())
            }
            Operation::Check { .. } => return self.check(operation),
            Operation::Get { id } => {
                let shown = if self.is_live(*id) { self.shown(*id) } else { "nil".into() };
                (format!("AUTH.SESSION GET KEY {}", IDS[*id]), shown)
            }
            Operation::List => {
                let all: Vec<_> = self.live().iter().rev().map(|id| self.shown(*id)).collect();
                ("AUTH.SESSION LIST KEY".into(), format!("[{}]", all.join(" ")))
            }
            Operation::Disturb { how } => return (DISTURBANCES[*how].into(), vec![]),
        };
        (line, vec![answer])
    }

    fn create(&mut self, operation: &Operation) -> (String, String) {
        let Operation::Create { id, expires, idle, max, device, created, seen } = operation else {
            unreachable!()
        };
        let (expires, created, seen) = (self.at(*expires), self.at(*created), self.at(*seen));
        let mut line = format!(
            "AUTH.SESSION CREATE KEY {} PXAT {expires} CREATED {created} SEEN {seen}",
            IDS[*id]
        );
        if created <= self.watermark {
            return (line, ENDED.into());
        }
        let known = self.sessions.get(id).filter(|_| self.is_live(*id)).cloned();
        let mut evicted = Vec::new();
        if let Some(max) = max {
            add(&mut line, format_args!(" MAX {max}"));
            if known.is_none() {
                let others: Vec<usize> = self.live().into_iter().filter(|it| it != id).collect();
                let excess = (others.len() + 1).saturating_sub(*max);
                evicted = others[..excess].to_vec();
            }
        }
        self.end(&evicted);
        let mut session = Session {
            created,
            seen: known.as_ref().map_or(seen, |it| it.seen.max(seen)),
            expires,
            idle_s: known.as_ref().map_or(0, |it| it.idle_s),
            device: known.map(|it| it.device).unwrap_or_default(),
        };
        if let Some(idle) = idle {
            session.idle_s = u64::try_from(*idle).expect("not negative") * 1000;
            add(&mut line, format_args!(" IDLE {}", session.idle_s));
        }
        if let Some(device) = device {
            session.device = format!("d{device}");
            add(&mut line, format_args!(" DEVICE {}", session.device));
        }
        self.sessions.insert(*id, session);
        let evicted: Vec<_> = evicted.iter().map(|id| IDS[*id]).collect();
        (line, format!("[{}]", evicted.join(" ")))
    }

    fn check(&self, operation: &Operation) -> (String, Vec<String>) {
        let Operation::Check { token, session, issued } = operation else { unreachable!() };
        let mut line = format!("AUTH.CHECK KEY {}", TOKENS[*token]);
        let mut verdicts =
            if self.revoked.contains_key(token) { vec!["REVOKED"] } else { vec!["OK"] };
        if let Some(issued) = issued {
            let issued = self.at(*issued);
            add(&mut line, format_args!(" IATMS {issued}"));
            if issued <= self.watermark {
                verdicts = vec!["LOGGED_OUT"];
            }
        }
        if let Some(id) = session {
            add(&mut line, format_args!(" SESSION {}", IDS[*id]));
            if !self.is_live(*id) {
                verdicts = vec!["NO_SESSION"];
                // One that has gone idle says so until it is swept.
                verdicts.extend(self.sessions.contains_key(id).then_some("IDLE"));
            }
        }
        (line, verdicts.into_iter().map(String::from).collect())
    }
}

fn add(line: &mut String, option: std::fmt::Arguments<'_>) {
    std::fmt::Write::write_fmt(line, option).expect("a string takes it");
}
