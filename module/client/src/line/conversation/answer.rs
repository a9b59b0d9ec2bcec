//! What follows from an answer to a question, or from hearing that another node has it.

use portcullis_core::Verdict;

use super::super::ask::{Answered, Waiting};
use super::super::flying::Flying;
use super::super::reply::{self, Reply};
use super::{Conversation, Server};
use crate::answers::Unavailable;
use crate::cells::Cell;
use crate::clock::Moment;
use crate::hit::Known;
use crate::resp::Value;
use crate::shared::Kind;

impl Conversation<'_> {
    pub(super) fn hear_answer(&mut self, value: &Value<'_>, flying: Flying, waiting: &mut Waiting) {
        if let Value::Error(text) = value
            && let Some(refusal) = reply::about_one_key(text, self.post.kind.is_node())
        {
            if refusal == Unavailable::Elsewhere {
                self.hear_elsewhere(text, flying.written.cell);
            }
            return flying.answer(&Err(refusal));
        }
        let reply = match self.hear_reply(value, flying.sent) {
            Ok(reply) => reply,
            Err(why) => {
                self.doubt(why.clone());
                return flying.answer(&Err(Unavailable::Doubtful(why)));
            }
        };
        if !matches!(self.server, Server::Good) {
            // It may have become a server that must not be asked.
            return flying.put_back(waiting);
        }
        let Some(verdict) = reply.verdict else {
            return flying.answer(&Err(Unavailable::Unknown));
        };
        if self.shared.knowledge.since(self.lease, flying.written.cell) != Some(flying.since) {
            // It is another server's by now, or was meanwhile.
            return flying.answer(&Err(Unavailable::Elsewhere));
        }
        self.keep(&flying, verdict, &reply);
        if verdict == Verdict::Ok && flying.written.has_expired(reply.now_ms) {
            return flying.answer(&Err(Unavailable::Expired));
        }
        let until = self.lease.end_for(flying.sent);
        flying.answer(&Ok(Answered { verdict, until }));
    }

    /// Whether a beat was asked about a slot that is elsewhere. Where the watch keeps track of slots that
    /// says nothing about others: beats will ask about one of those, before the lease ends or after it.
    pub(super) fn is_asked_elsewhere(&self, value: &Value<'_>) -> bool {
        let Value::Error(text) = value else { return false };
        self.post.kind == Kind::Shard
            && reply::about_one_key(text, true) == Some(Unavailable::Elsewhere)
    }

    /// Another node has this ledger, or is about to.
    fn hear_elsewhere(&self, error: &[u8], cell: Cell) {
        if self.post.kind != Kind::Shard {
            // So may be others that something is known of.
            return self.lease.era.begin();
        }
        if error.starts_with(b"MOVED") {
            self.shared.knowledge.doubt_slot(cell.slot());
        }
        self.shared.moved.notify_one();
    }

    fn keep(&self, flying: &Flying, verdict: Verdict, reply: &Reply) {
        let knowledge = &self.shared.knowledge;
        let known = Known {
            verdict,
            cell: flying.written.cell,
            stamp: flying.stamp,
            until_ms: reply.kept_until(flying, self.shared.options.lease, self.post.kind),
            asked: flying.written.fingerprint,
        };
        let now = Moment::now();
        if knowledge.counts(&known, now) {
            let is_dead = |it: &Known| !knowledge.counts(it, now);
            knowledge.tokens.keep(flying.written.token(), known, is_dead);
        }
    }
}
