//! Telling ledgers changes, and what became of each.
//!
//! An ending may be told at any time, however late it arrives. A beginning carries a token of the
//! module's fence (`AUTH.FENCE`) that was asked for before MySQL was read: what is told of a session
//! that has ended meanwhile comes too late, whatever the network does with it.

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, RedisResult, ServerError, Value};

use super::fence::Fence;
use super::ledgers::Ledgers;
use super::redis_fault::is_of_the_server;
use super::redis_time::redis_now;
use crate::base::clock::Timestamp;
use crate::base::log_targets as log;
use crate::ledger::change::Change;
use crate::ledger::line::Line;

/// What became of a change.
#[derive(Debug)]
pub(crate) enum Told {
    /// Redis has it, or never will and need not: the session's end has come, say.
    Heard,
    /// What the change says may be out of date: to be read again behind a new fence.
    Stale,
    /// Redis does not take it.
    Refused(ServerError),
}

impl Ledgers {
    /// A fence for whatever is read from MySQL from now on.
    pub(crate) async fn fence(&self) -> RedisResult<Fence> {
        let line = self.lines.any()?;
        let asked = Fence::ask(&mut line.ask.clone()).await;
        self.lines.heard(&line, asked)
    }

    /// Tells ledgers some changes, endings first, in one round trip and outside `MULTI`: a full
    /// server refuses queued writes, and a revocation must go through. A beginning without a fence is
    /// not sent and counts as stale.
    ///
    /// An error means that nobody knows what Redis has heard.
    pub(crate) async fn tell(
        &self,
        changes: &[(u64, &Change)],
        fence: Option<&Fence>,
    ) -> RedisResult<Vec<Told>> {
        // Without a line, what an earlier one was told may yet be heard: even nothing has to wait.
        let line = self.lines.any()?;
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let told = self.tell_on(&line, changes, fence).await;
        self.lines.heard(&line, told)
    }

    async fn tell_on(
        &self,
        line: &Line,
        changes: &[(u64, &Change)],
        fence: Option<&Fence>,
    ) -> RedisResult<Vec<Told>> {
        let redis = &mut line.tell.clone();
        let now = now_if_needed(redis, changes).await?;
        let (endings, beginnings): (Vec<_>, Vec<_>) =
            (0..changes.len()).partition(|place| changes[*place].1.is_ending());
        let beginnings = beginnings.into_iter().filter(|_| fence.is_some());
        let sent: Vec<usize> = endings.into_iter().chain(beginnings).collect();
        let mut told: Vec<Told> = changes.iter().map(|_| Told::Stale).collect();
        if !sent.is_empty() {
            let mut pipeline = Pipeline::new();
            for (user_id, change) in sent.iter().map(|place| changes[*place]) {
                pipeline.add_command(change.command(&self.key(user_id), now, fence));
            }
            pipeline.ignore_errors();
            let replies: Vec<Value> = pipeline.query_async(redis).await?;
            for (place, reply) in sent.into_iter().zip(replies) {
                let (user_id, change) = changes[place];
                told[place] = outcome(user_id, change, reply)?;
            }
        }
        self.wait_for_replicas(redis).await?;
        tracing::debug!(target: log::LEDGER_TELLING, changes = told.len(), "Redis was told");
        Ok(told)
    }

    /// Half the deadline, so that missing replicas are not taken for a broken line.
    ///
    /// `WAIT` waits for what this connection has written. A change that was told before on another
    /// one changes nothing, so something is written that always counts as a change, means nothing
    /// and is not refused by a full server: the sentinel's expiry, at the end of time.
    async fn wait_for_replicas(&self, redis: &mut MultiplexedConnection) -> RedisResult<()> {
        if self.replicas == 0 {
            return Ok(());
        }
        let patience = u64::try_from(self.deadline.as_millis() / 2).unwrap_or(1).max(1);
        let mut questions = redis::pipe();
        questions.cmd("PEXPIREAT").arg(self.lines.sentinel()).arg(Timestamp::MAX.0).ignore();
        questions.cmd("WAIT").arg(self.replicas).arg(patience);
        let (have,): (u8,) = questions.query_async(redis).await?;
        if have < self.replicas {
            return Err(RedisError::from((
                redis::ErrorKind::UnexpectedReturnType,
                "too few replicas have confirmed it",
            )));
        }
        Ok(())
    }
}

/// What a reply says. A refusal that concerns the whole server is an error.
fn outcome(user_id: u64, change: &Change, reply: Value) -> RedisResult<Told> {
    let Value::ServerError(refusal) = reply else { return Ok(Told::Heard) };
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
            Ok(Told::Heard)
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
