//! Telling ledgers changes, and what became of each.
//!
//! An ending may be told at any time, however late it arrives. A beginning carries a token of the
//! module's fence (`AUTH.FENCE`) that was asked for before MySQL was read: what is told of a session
//! that has ended meanwhile comes too late, whatever the network does with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, RedisResult, ServerError, Value};

use super::by_server::ByServer;
use super::everybody::has_heard;
use super::fence::Fence;
use super::ledgers::Ledgers;
use super::redis_fault::{is_of_the_server, unavailable};
use super::redis_time::redis_now;
use crate::base::clock::Timestamp;
use crate::base::log_targets as log;
use crate::ledger::change::Change;
use crate::ledger::line::{Line, Lines};
use crate::ledger::noting::Written;

/// What became of a change.
#[derive(Debug)]
pub(crate) enum Told {
    /// This life of a server has it, or never will and need not: the session's end has come, say.
    Heard(Arc<str>),
    /// What the change says may be out of date: to be read again behind a new fence.
    Stale,
    /// Redis does not take it.
    Refused(ServerError),
}

impl Ledgers {
    /// A fence for whatever is read from MySQL from now on, whoever it is about: only where one server
    /// has everybody.
    pub(crate) async fn fence(&self) -> RedisResult<Fence> {
        match self.shards.all().as_slice() {
            [one] if !self.shards.is_cluster() => self.fence_of(one).await,
            _ => Err(unavailable("in a cluster each server has a fence of its own")),
        }
    }

    /// A fence for what is read about this user.
    pub(crate) async fn fence_about(&self, user_id: u64) -> RedisResult<Fence> {
        let lines = self.shards.of(self.key(user_id).as_bytes())?;
        self.fence_of(&lines).await
    }

    pub(crate) async fn fence_of(&self, lines: &Lines) -> RedisResult<Fence> {
        let line = lines.any()?;
        let asked = Fence::ask(&mut line.ask.clone(), lines.name()).await;
        lines.heard(&line, asked)
    }

    /// Tells ledgers some changes, endings first, in one round trip a server and outside `MULTI`: a
    /// full server refuses queued writes, and a revocation must go through. A beginning without a fence
    /// of its server is not sent and counts as stale, and so does what has to be told to another server.
    ///
    /// An error means that nobody knows what Redis has heard.
    pub(crate) async fn tell(
        &self,
        changes: &[(u64, &Change)],
        fence: Option<&Fence>,
    ) -> RedisResult<Vec<Told>> {
        let mut servers = ByServer::new();
        for (place, (user_id, _)) in changes.iter().enumerate() {
            servers.add(self.shards.of(self.key(*user_id).as_bytes())?, place);
        }
        let mut told: Vec<Told> = changes.iter().map(|_| Told::Stale).collect();
        for (lines, places) in servers.into_vec() {
            // Without a line, what an earlier one was told may yet be heard.
            let line = lines.any()?;
            let of_server: Vec<_> = places.iter().map(|place| changes[*place]).collect();
            let answers = self.tell_on(&lines, &line, &of_server, fence).await;
            for (place, answer) in places.into_iter().zip(lines.heard(&line, answers)?) {
                told[place] = answer;
            }
        }
        Ok(told)
    }

    async fn tell_on(
        &self,
        lines: &Lines,
        line: &Line,
        changes: &[(u64, &Change)],
        fence: Option<&Fence>,
    ) -> RedisResult<Vec<Told>> {
        let redis = &mut line.tell.clone();
        let fence = fence.filter(|fence| fence.is_of(lines.name()));
        let now = now_if_needed(redis, changes).await?;
        let (endings, beginnings): (Vec<_>, Vec<_>) =
            (0..changes.len()).partition(|place| changes[*place].1.is_ending());
        let beginnings = beginnings.into_iter().filter(|_| fence.is_some());
        let sent: Vec<usize> = endings.into_iter().chain(beginnings).collect();
        let mut told: Vec<Told> = changes.iter().map(|_| Told::Stale).collect();
        let mut asked_elsewhere = Vec::new();
        // First: what began afterwards may begin in this server's future, where it would begin now.
        let first = self.word_about_everybody(line).filter(|_| !sent.is_empty());
        if !sent.is_empty() {
            let mut pipeline = Pipeline::new();
            if let Some((word, _)) = &first {
                pipeline.add_command(word.clone());
            }
            let noted = (!self.shards.is_cluster()).then(|| Written::add(self, &mut pipeline));
            for (user_id, change) in sent.iter().map(|place| changes[*place]) {
                pipeline.add_command(change.command(&self.key(user_id), now, fence));
            }
            pipeline.ignore_errors();
            let mut replies: Vec<Value> = pipeline.query_async(redis).await?;
            if first.is_some()
                && let Value::ServerError(refusal) = replies.remove(0)
            {
                return Err(refusal.into());
            }
            if let Some(noted) = noted {
                noted.settle(&mut replies);
            }
            for (place, reply) in sent.into_iter().zip(replies) {
                let (user_id, change) = changes[place];
                match Elsewhere::seen_in(&reply) {
                    Some(elsewhere) => asked_elsewhere.push((elsewhere, user_id, change)),
                    None => told[place] = outcome(line.run_id(), (user_id, change), reply)?,
                }
            }
        }
        self.follow(asked_elsewhere, now).await;
        self.wait_for_replicas(line).await?;
        if let Some((_, at)) = first {
            has_heard(lines, line, at);
        }
        tracing::debug!(target: log::LEDGER_TELLING, changes = told.len(), "Redis was told");
        Ok(told)
    }

    /// Tells endings at once to whoever is taking their slot over, as `ASK` says. They are told again
    /// when the slot stays: what its new server heard of before it was its own, that server may forget.
    async fn follow(&self, moved: Vec<(Elsewhere, u64, &Change)>, now: Timestamp) {
        let mut servers: BTreeMap<String, Pipeline> = BTreeMap::new();
        for (Elsewhere { slot, ask }, user_id, change) in moved {
            if let Some(slot) = slot {
                self.shards.doubt_slot(slot);
            }
            if let Some(host) = ask.filter(|_| change.is_ending()) {
                let pipeline = servers.entry(host).or_default();
                pipeline.cmd("ASKING");
                pipeline.add_command(change.command(&self.key(user_id), now, None));
            }
        }
        for (host, mut pipeline) in servers {
            let Some(line) = self.shards.at(&host).and_then(|lines| lines.any().ok()) else {
                continue;
            };
            let told = pipeline.ignore_errors().exec_async(&mut line.tell.clone()).await;
            tracing::debug!(target: log::LEDGER_TELLING, host, ?told, "a slot is on its way");
        }
    }

    /// Half the deadline, so that missing replicas are not taken for a broken line.
    ///
    /// `WAIT` waits for what this connection has written. A change that was told before on another
    /// one changes nothing, so something is said that replicas are always told, means nothing and is not
    /// refused by a full server.
    pub(super) async fn wait_for_replicas(&self, line: &Line) -> RedisResult<()> {
        if self.replicas == 0 {
            return Ok(());
        }
        let patience = u64::try_from(self.deadline.as_millis() / 2).unwrap_or(1).max(1);
        let mut questions = redis::pipe();
        questions.cmd("AUTH.CONFIRM").arg(&**line.run_id()).arg("NOTE").ignore();
        questions.cmd("WAIT").arg(self.replicas).arg(patience);
        let (have,): (u8,) = questions.query_async(&mut line.tell.clone()).await?;
        if have < self.replicas {
            return Err(RedisError::from((
                redis::ErrorKind::UnexpectedReturnType,
                "too few replicas have confirmed it",
            )));
        }
        Ok(())
    }
}

/// Where a reply says that a slot is, or that it is on its way.
struct Elsewhere {
    slot: Option<u16>,
    /// Who is to be asked already.
    ask: Option<String>,
}

impl Elsewhere {
    fn seen_in(reply: &Value) -> Option<Self> {
        let Value::ServerError(refusal) = reply else { return None };
        match refusal.code() {
            code @ ("MOVED" | "ASK") => {
                let cause = RedisError::from(refusal.clone());
                let (host, slot) = cause.redirect_node().unzip();
                let ask = host.filter(|_| code == "ASK").map(str::to_owned);
                Some(Self { slot, ask })
            }
            "TRYAGAIN" => Some(Self { slot: None, ask: None }),
            _ => None,
        }
    }
}

/// What a reply says. A refusal that concerns the whole server is an error.
fn outcome(by: &Arc<str>, (user_id, change): (u64, &Change), reply: Value) -> RedisResult<Told> {
    let Value::ServerError(refusal) = reply else { return Ok(Told::Heard(by.clone())) };
    match refusal.code() {
        // Which of both it is, MySQL says when it is read again.
        "STALE" | "ENDED" => Ok(Told::Stale),
        code if is_of_the_server(code) => Err(refusal.into()),
        "ERR" if is_given_up(change, &refusal) => {
            tracing::error!(
                target: log::LEDGER_TELLING,
                user_id,
                %refusal,
                "Redis rejected a session"
            );
            Ok(Told::Heard(by.clone()))
        }
        _ => Ok(Told::Refused(refusal)),
    }
}

/// A session that is refused for good (its end has come, say) is given up, which refuses too much at
/// worst. Not so if it is the module that is missing.
fn is_given_up(change: &Change, refusal: &ServerError) -> bool {
    let module_is_there = !refusal.details().is_some_and(|it| it.contains("unknown command"));
    module_is_there && !change.is_ending()
}

/// The watermark may not lie in Redis' future, so one that comes from a host whose clock is ahead is
/// held back to Redis' own time.
async fn now_if_needed(
    redis: &mut MultiplexedConnection,
    changes: &[(u64, &Change)],
) -> RedisResult<Timestamp> {
    if !changes.iter().any(|(_, change)| matches!(change, Change::RevokeAll { .. })) {
        return Ok(Timestamp::MAX);
    }
    redis_now(redis).await
}
