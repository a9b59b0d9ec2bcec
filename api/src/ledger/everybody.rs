//! The end of everybody's sessions at once, as Redis hears of it: one instant, and no user's ledger.
//!
//! MySQL's row is what lasts (`store/everybody.rs`), so nothing of it is in the outbox: every instance
//! compares what MySQL says with what each server says of itself, and tells a server that lags behind.
//! Until it has heard, nobody is asked there.
//!
//! It is told before the beginning of any session that began after it: such a session may begin in Redis'
//! future, if a host's clock was ahead, and is taken to begin now there, unless Redis knows better.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redis::{Cmd, RedisResult};

use super::ledgers::Ledgers;
use super::line::{Line, Lines};
use super::lives::Counting;
use super::redis_fault::unavailable;
use super::redis_time::redis_now;
use crate::base::clock::Timestamp;
use crate::store::history;

/// How long MySQL is left alone that has not answered.
const REST: Duration = Duration::from_secs(1);

impl Ledgers {
    /// Redis is not asked while a commit that ends everybody's sessions is under way.
    pub(crate) fn doubt_about_everybody(&self) -> Doubt {
        self.everybody.begin_commit();
        Doubt { ledgers: self.clone(), is_over: false }
    }

    /// Asks MySQL, now or if it is time.
    pub(super) async fn ask_about_everybody(&self, now: bool) -> sqlx::Result<()> {
        if now || self.everybody.is_due() {
            let asked = self.store.in_time(history::told_to_redis(&self.store.pool)).await?;
            self.everybody.raise(asked.unwrap_or_default());
        }
        Ok(())
    }

    /// What to tell a server that lags behind.
    pub(super) fn word_about_everybody(&self, line: &Line) -> Option<(Cmd, Timestamp)> {
        let lacking = self.everybody.lacking(&line.heard_of_everybody);
        lacking.map(|at| (note(line.run_id(), at), at))
    }

    /// Tells every server that lags behind, after the commit. An error means that there is one of those
    /// who have users that has not heard of it, or may not have.
    pub(crate) async fn tell_about_everybody(&self) -> RedisResult<()> {
        let holders = self.shards.holders();
        let is_holder = |lines: &Arc<Lines>| holders.iter().any(|it| Arc::ptr_eq(it, lines));
        let told = self.shards.all().into_iter().map(|lines| async move {
            let told = async {
                let line = lines.any()?;
                let told = self.tell_line_about_everybody(&lines, &line).await;
                lines.heard(&line, told).map(|()| line)
            };
            (told.await, lines)
        });
        // Whoever takes another's place after this asks MySQL once more before anybody believes it.
        let counting = self.store.in_time(async {
            let mut db = self.store.pool.acquire().await?;
            Counting::look(&mut db).await
        });
        let (told, counting) = tokio::join!(join_all(told), counting);
        if !self.shards.is_whole() {
            return Err(unavailable("some slots of the cluster have no known server"));
        }
        let counting = counting.map_err(|_| unavailable("MySQL does not say who counts"))?;
        for (told, lines) in told.into_iter().filter(|(_, lines)| is_holder(lines)) {
            let slots = self.shards.claim_of(&lines).slots;
            if !counting.is_told_of_all(told?.run_id(), &slots) {
                return Err(unavailable("another server counts"));
            }
        }
        Ok(())
    }

    /// Tells the server at the end of the line, if it lags behind.
    pub(super) async fn tell_line_about_everybody(
        &self,
        lines: &Lines,
        line: &Line,
    ) -> RedisResult<()> {
        let Some((word, at)) = self.word_about_everybody(line) else { return Ok(()) };
        let redis = &mut line.tell.clone();
        word.exec_async(redis).await?;
        self.wait_for_replicas(line).await?;
        has_heard(lines, line, at);
        Ok(())
    }

    /// What time it is for Redis, by the clock that is ahead of the others; nothing if none answers.
    pub(crate) async fn latest_redis_now(&self) -> Option<Timestamp> {
        let asked = self.shards.all().into_iter().map(|lines| async move {
            let line = lines.beside()?;
            let told = redis_now(&mut line.ask.clone()).await;
            lines.heard(&line, told)
        });
        join_all(asked).await.into_iter().flatten().max()
    }
}

/// The server has heard of it, from this instance or another.
pub(super) fn has_heard(lines: &Lines, line: &Line, at: Timestamp) {
    if line.heard_of_everybody.has(at) {
        return;
    }
    // First: what was answered here is not answered from before it.
    lines.kept.forget_all();
    line.heard_of_everybody.raise(at);
}

/// A commit that may have ended everybody's sessions already.
pub(crate) struct Doubt {
    ledgers: Ledgers,
    is_over: bool,
}

impl Doubt {
    /// They have ended, up to this instant.
    pub(crate) fn settle(mut self, ended_until: Timestamp) {
        self.ledgers.everybody.raise(ended_until);
        self.ledgers.everybody.end_commit();
        self.is_over = true;
    }
}

/// Otherwise it is not known whether they have: MySQL is asked until it says so.
impl Drop for Doubt {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let ledgers = self.ledgers.clone();
        self.ledgers.background.spawn(async move {
            while ledgers.ask_about_everybody(true).await.is_err() {
                tokio::select! {
                    () = tokio::time::sleep(REST) => {}
                    () = ledgers.background.stop.cancelled() => return,
                }
            }
            ledgers.everybody.end_commit();
        });
    }
}

/// Notes the instant in a server, without a word on whether its ledgers are up to date.
pub(super) fn note(run_id: &str, ended_until: Timestamp) -> Cmd {
    let mut command = redis::cmd("AUTH.CONFIRM");
    command.arg(run_id).arg("NOTE").arg("BEFORE").arg(ended_until.0);
    command
}
