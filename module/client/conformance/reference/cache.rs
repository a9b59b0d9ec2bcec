//! What is kept, and when it counts. Nothing here talks to anybody.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::client::Question;
use crate::{Guard, Guards};

/// What must not have changed since a question was sent for its answer to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    era: u64,
    changes: u64,
}

/// An answer of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) word: &'static str,
    pub(crate) until_ms: i64,
    pub(crate) now_ms: i64,
    pub(crate) life: i64,
}

struct Entry {
    key: String,
    session: String,
    word: &'static str,
    until_ms: i64,
    stamp: Stamp,
}

/// Answers, and what voids them.
pub(crate) struct Cache {
    guards: Guards,
    lease: Duration,
    entries: HashMap<String, Entry>,
    /// How often each key has changed.
    changes: HashMap<String, u64>,
    /// Rises with whatever voids everything.
    era: u64,
    life: Option<i64>,
    leased_until: Option<Instant>,
    /// The server's clock at one of our instants, or later: it is never taken for earlier than it is.
    server: Option<(Instant, i64)>,
}

impl Cache {
    pub(crate) fn new(lease: Duration, guards: Guards) -> Self {
        Self {
            guards,
            lease,
            entries: HashMap::new(),
            changes: HashMap::new(),
            era: 0,
            life: None,
            leased_until: None,
            server: None,
        }
    }

    /// To be taken before a question about this key is sent.
    pub(crate) fn stamp(&self, key: &str) -> Stamp {
        Stamp { era: self.era, changes: self.changes.get(key).copied().unwrap_or(0) }
    }

    /// A word, if it is within the lease, stands, and nothing has come since its question was sent.
    pub(crate) fn find(&self, token: &str, question: Option<(&str, &str)>) -> Option<&'static str> {
        let now = Instant::now();
        if self.guards.have(Guard::Lease) && self.leased_until.is_none_or(|until| now >= until) {
            return None;
        }
        let entry = self.entries.get(self.name(token))?;
        if self.guards.have(Guard::Question)
            && question.is_some_and(|(key, session)| entry.key != key || entry.session != session)
        {
            return None;
        }
        let (at, ms) = self.server?;
        let server_ms = ms + i64::try_from((now - at).as_millis()).unwrap_or(i64::MAX) + 1;
        if self.guards.have(Guard::Until) && server_ms >= entry.until_ms {
            return None;
        }
        (entry.stamp == self.stamp(&entry.key)).then_some(entry.word)
    }

    /// Any answer is a sign of life at the moment when its question was sent.
    pub(crate) fn heard(&mut self, sent: Instant, answer: Answer) {
        if self.life != Some(answer.life) {
            self.life = Some(answer.life);
            if self.guards.have(Guard::Life) {
                self.void_all();
            }
        }
        self.server = Some((sent, answer.now_ms));
        self.lease_from(sent);
    }

    /// An answer that is no verdict: there is no lease, and nothing that is known counts.
    pub(crate) fn doubt(&mut self, sent: Instant) {
        if self.guards.have(Guard::Errors) {
            self.leased_until = None;
            self.void_all();
        } else {
            self.lease_from(sent);
        }
    }

    fn lease_from(&mut self, sent: Instant) {
        let from = if self.guards.have(Guard::Sent) { sent } else { Instant::now() };
        self.leased_until = self.leased_until.max(Some(from + self.lease));
    }

    pub(crate) fn keep(
        &mut self,
        question: &Question<'_>,
        key: String,
        answer: Answer,
        stamp: Stamp,
    ) {
        let name = self.name(question.token).to_owned();
        let session = question.session.to_owned();
        let Answer { word, until_ms, .. } = answer;
        self.entries.insert(name, Entry { key, session, word, until_ms, stamp });
    }

    /// A push: this key has changed.
    pub(crate) fn changed(&mut self, key: &str) {
        if self.guards.have(Guard::Pushes) {
            *self.changes.entry(key.to_owned()).or_default() += 1;
        }
    }

    /// A push without keys, another life, an error: whatever was known may be wrong.
    pub(crate) fn void_all(&mut self) {
        self.era += 1;
    }

    /// The connection is another one, and nobody knows what was pushed in between.
    pub(crate) fn begin_connection(&mut self) {
        if self.guards.have(Guard::Era) {
            self.leased_until = None;
            self.void_all();
        }
    }

    fn name<'t>(&self, token: &'t str) -> &'t str {
        let all = if self.guards.have(Guard::Bytes) { 0 } else { token.len().saturating_sub(32) };
        &token[all..]
    }
}
