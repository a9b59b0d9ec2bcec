//! Everybody's sessions, some parts of them at a time: while MySQL reads one, Redis is told of another.

use std::sync::Arc;

use futures_util::future::try_join_all;
use portcullis_core::Slots;
use tokio::sync::{Mutex, SemaphorePermit};

use super::work::{BATCH, Counts, Fault, PATIENCE, Work, within};
use crate::base::clock::Timestamp;

/// How many connections of each kind there are besides the work's own.
const BESIDE: usize = 3;

/// Sessions by their ids: those after one of them, until another, which is among them.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) after: String,
    pub(super) until: String,
}

/// The same work on connections of its own.
struct Beside<'a> {
    work: Work<'a>,
    _turn: SemaphorePermit<'a>,
}

impl<'a> Work<'a> {
    /// Whoever is done with a part takes the next.
    pub(super) async fn fill_sessions(&mut self, now: Timestamp) -> Result<(), Fault> {
        let reached = Mutex::new(String::new());
        let mut beside = self.beside().await;
        let others = beside.iter_mut().map(|it| it.work.fill_parts(&reached, now));
        tokio::try_join!(self.fill_parts(&reached, now), try_join_all(others))?;
        self.counts = beside.iter().fold(self.counts, |sum, it| sum.and(&it.work.counts));
        Ok(())
    }

    async fn fill_parts(&mut self, reached: &Mutex<String>, now: Timestamp) -> Result<(), Fault> {
        loop {
            let mut after = reached.lock().await;
            let Some(until) = self.end_of_part(&after).await? else { return Ok(()) };
            let part = Part { after: std::mem::replace(&mut *after, until.clone()), until };
            drop(after);
            self.fill_part(&part, now).await?;
        }
    }

    /// Where a part ends that begins after this session; nothing if there is no other.
    async fn end_of_part(&mut self, after: &str) -> Result<Option<String>, Fault> {
        let asked = sqlx::query_scalar!(
            "select id from user_sessions where id > ? order by id limit 1 offset ?",
            after,
            BATCH - 1,
        )
        .fetch_optional(&mut *self.db);
        if let Some(end) = within(asked).await? {
            return Ok(Some(end));
        }
        let asked = sqlx::query_scalar!("select max(id) from user_sessions where id > ?", after)
            .fetch_one(&mut *self.db);
        within(asked).await
    }

    /// As many as there are connections to spare. In a cluster there is work for them at other servers.
    async fn beside(&self) -> Vec<Beside<'a>> {
        let mut beside = Vec::new();
        while beside.len() < BESIDE && !self.lines.is_of_a_cluster() {
            match self.another().await {
                Ok(Some(another)) => beside.push(another),
                Ok(None) | Err(_) => break,
            }
        }
        beside
    }

    /// Nothing if there is no connection to spare, or if it does not lead to the same server.
    async fn another(&self) -> Result<Option<Beside<'a>>, Fault> {
        let ledgers = self.ledgers;
        let Ok(turn) = ledgers.hydrations.try_acquire() else { return Ok(None) };
        let mut db = within(ledgers.store.pool.acquire()).await?;
        // Whoever is interrupted has a transaction under way.
        db.close_on_drop();
        let mut redis = self.lines.open(PATIENCE).await?;
        let is_same = self.lines.look(&mut redis).await?.run_id == self.run_id;
        let work = Work {
            ledgers,
            lines: Arc::clone(&self.lines),
            run_id: self.run_id.clone(),
            db,
            redis,
            counts: Counts::default(),
            report: self.report,
            scope: self.scope.clone(),
            lost: Slots::default(),
            noted: self.noted,
        };
        Ok(is_same.then_some(Beside { work, _turn: turn }))
    }
}
