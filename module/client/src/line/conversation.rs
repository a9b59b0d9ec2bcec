//! What is said on one connection, and what follows from each thing that is heard, in the order in
//! which it is heard: that order is what everything rests on. No I/O, and no waiting.

mod answer;

use std::collections::VecDeque;

use super::ask::{Ask, Waiting};
use super::flying::{Flying, Sent};
use super::reply::{self, Reply, Role};
use super::{End, push};
use crate::address::Login;
use crate::answers::{Unavailable, Why};
use crate::clock::Moment;
use crate::lease::Lease;
use crate::resp::{self, Value};
use crate::shared::{Kind, Phase, Post, Shared};

/// So many bytes may be on their way to the socket before more questions are written.
const FULL: usize = 256 * 1024;
/// So many of the last ones are looked at for whether they ask the same.
const ALIKE: usize = 16;

pub(super) struct Conversation<'s> {
    shared: &'s Shared,
    post: &'s Post,
    lease: &'s Lease,
    /// What has been written and not been sent.
    pub(super) out: Vec<u8>,
    /// What is to be replied to, in order.
    sent: VecDeque<Sent>,
    /// Which life of its ledgers the server was in when it last answered.
    life: Option<i64>,
    /// The server's clock in its last answer.
    now_ms: i64,
    server: Server,
}

/// Whether this server may be asked, in the present life.
enum Server {
    /// `HELLO` is on its way.
    RoleAsked,
    /// `INFO` is.
    InfoAsked,
    Good,
    Bad(Why),
}

impl<'s> Conversation<'s> {
    /// Opens it: who we are, that we want to hear of changes, and what kind of server this is.
    pub(super) fn new(shared: &'s Shared, post: &'s Post, login: &Login) -> Self {
        let mut this = Self {
            shared,
            post,
            lease: shared.lease(post),
            out: Vec::new(),
            sent: VecDeque::new(),
            life: None,
            now_ms: i64::MIN,
            server: Server::RoleAsked,
        };
        this.introduce(login);
        this.beat();
        this.ask_role();
        this
    }

    fn introduce(&mut self, login: &Login) {
        login.introduce(&mut self.out);
        self.sent.push_back(Sent::Step);
        if login.database != 0 {
            self.say(&[b"SELECT", login.database.to_string().as_bytes()], Sent::Step);
        }
        self.say(&[b"CLIENT", b"TRACKING", b"ON"], Sent::Step);
    }

    fn say(&mut self, words: &[&[u8]], sent: Sent) {
        resp::command(&mut self.out, words);
        self.sent.push_back(sent);
    }

    /// Asks about nobody, by which the lease is renewed.
    pub(super) fn beat(&mut self) {
        self.shared.counters.beats.add_one();
        let key = self.post.beat();
        let sent = Sent::Beat(Moment::now());
        self.say(&[b"AUTH.CHECK", key.as_bytes(), b"beat", b"UNTIL"], sent);
    }

    /// The role counts for the life that it was read in, so a beat behind it tells which that was.
    fn ask_role(&mut self) {
        self.server = Server::RoleAsked;
        self.say(&[b"HELLO"], Sent::Role);
        self.beat();
    }

    /// Writes questions that wait, if they may be asked here.
    pub(super) fn ask(&mut self, waiting: &mut Waiting) {
        if let Server::Bad(why) = &self.server {
            return waiting.refuse_all(&Unavailable::Doubtful(why.clone()));
        }
        let (now, first) = (Moment::now(), self.sent.len());
        if !self.lease.is_believed(now) {
            return waiting.refuse_all(&Unavailable::Doubtful(Why::NoMajority));
        }
        while matches!(self.server, Server::Good) && self.out.len() < FULL {
            let Some(ask) = waiting.next(now) else { break };
            self.ask_one(ask, now, first);
        }
    }

    fn ask_one(&mut self, ask: Ask, now: Moment, first: usize) {
        let (written, deadline, is_repeated, asker) = ask.into_parts();
        let Some(since) = self.shared.knowledge.since(self.lease, written.cell) else {
            return asker.answer(Err(Unavailable::Elsewhere));
        };
        // Whoever asks the same at the same moment shares the answer.
        let mut same = self.sent.range_mut(first..).rev().take(ALIKE);
        if let Some(flying) = same.find_map(|sent| sent.like(&written)) {
            flying.askers.push((asker, deadline));
            return;
        }
        self.shared.counters.asked.add_one();
        self.out.extend_from_slice(&written.wire);
        self.sent.push_back(Sent::Question(Flying {
            // Before it is sent, so that whatever is heard until it is answered makes it stale.
            stamp: self.shared.knowledge.stamp(self.lease, written.cell),
            since,
            sent: now,
            askers: vec![(asker, deadline)],
            written,
            is_repeated,
        }));
    }

    /// Something was heard.
    pub(super) fn hear(&mut self, value: &Value<'_>, waiting: &mut Waiting) -> Result<(), End> {
        if let Value::Push(words) = value {
            push::hear(words, self.shared, self.lease);
            return Ok(());
        }
        match self.sent.pop_front().ok_or(End::Lost)? {
            Sent::Step => {
                if let Value::Error(text) = value {
                    return Err(End::Refused(reply::why(text)));
                }
            }
            Sent::Role => self.hear_role(value),
            Sent::Info(life) => self.hear_info(life, value),
            Sent::Beat(_) if self.is_asked_elsewhere(value) => self.shared.moved.notify_one(),
            Sent::Beat(sent) => {
                if let Err(why) = self.hear_reply(value, sent) {
                    self.doubt(why);
                }
            }
            Sent::Question(flying) => self.hear_answer(value, flying, waiting),
        }
        Ok(())
    }

    fn hear_role(&mut self, value: &Value<'_>) {
        match Role::read(value, self.post.kind.is_node()) {
            Some(Role::Primary) => self.server = Server::Good,
            Some(Role::Replica) if self.post.kind == Kind::Primary => self.refuse(Why::Replica),
            Some(Role::Replica) => {
                self.server = Server::InfoAsked;
                self.say(&[b"INFO", b"portcullis"], Sent::Info(self.life));
                self.beat();
            }
            Some(Role::Node) => self.refuse(Why::Cluster),
            Some(Role::Sentinel) => self.refuse(Why::Sentinel),
            None => self.refuse(Why::Other("HELLO".into())),
        }
    }

    fn hear_info(&mut self, life: Option<i64>, value: &Value<'_>) {
        // In another life the role has been asked for anew.
        if life == self.life && matches!(self.server, Server::InfoAsked) {
            match reply::is_vouched_for(value) {
                Ok(()) => self.server = Server::Good,
                Err(why) => self.refuse(why),
            }
        }
    }

    fn refuse(&mut self, why: Why) {
        self.server = Server::Bad(why.clone());
        self.doubt(why);
    }

    /// Nothing that is known counts any more, until the server answers well again.
    fn doubt(&self, why: Why) {
        if self.post.kind == Kind::Shard && why == Why::Cluster {
            self.shared.moved.notify_one();
        }
        self.lease.end();
        self.post.enter(Phase::Doubtful(why));
    }

    /// What an answer to whatever was asked at that instant says about everything.
    fn hear_reply(&mut self, value: &Value<'_>, sent: Moment) -> Result<Reply, Why> {
        let reply = Reply::read(value)?;
        let lease = self.lease;
        if self.life != Some(reply.life) {
            // These are other ledgers than those that were asked about.
            lease.begin_life(reply.life);
            self.life = Some(reply.life);
            if !matches!(self.server, Server::RoleAsked) {
                self.ask_role();
            }
        }
        if reply.now_ms < self.now_ms {
            // Its clock was set back: what had expired may be good again, and it alone can tell.
            lease.era.begin();
        }
        self.now_ms = reply.now_ms;
        match &self.server {
            Server::Good => {
                lease.renew(sent, reply.now_ms);
                self.post.enter(if lease.is_believed(Moment::now()) {
                    Phase::Joined
                } else {
                    Phase::Doubtful(Why::NoMajority)
                });
            }
            Server::Bad(why) => self.post.enter(Phase::Doubtful(why.clone())),
            Server::RoleAsked | Server::InfoAsked => {}
        }
        Ok(reply)
    }

    /// Tells those whose time is over; their answers still come, and are kept.
    pub(super) fn expire(&mut self, now: Moment) {
        self.sent.shrink_to(64);
        for sent in &mut self.sent {
            if let Sent::Question(flying) = sent
                && !flying.expire(now)
            {
                break;
            }
        }
    }

    pub(super) fn first_deadline(&self) -> Option<Moment> {
        self.sent.iter().find_map(|sent| match sent {
            Sent::Question(flying) => flying.first_deadline(),
            _ => None,
        })
    }

    /// Whether a lease was given on this connection.
    pub(super) fn is_joined(&self) -> bool {
        matches!(self.server, Server::Good) && self.life.is_some()
    }

    /// The connection is lost: whoever has not lost one before may be answered on the next.
    pub(super) fn put_back(self, waiting: &mut Waiting) {
        for sent in self.sent.into_iter().rev() {
            if let Sent::Question(flying) = sent {
                flying.put_back(waiting);
            }
        }
    }
}
