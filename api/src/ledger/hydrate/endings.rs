//! Endings told again from the outbox.
//!
//! A session that a host with a fast clock began, Redis takes as begun now. The watermark of an
//! earlier logout by the same clock lies ahead of Redis as well, and held back to the present it
//! would end that session too. So it is held back to before the sessions were filled in; whatever
//! ended is also named.

use std::collections::HashSet;
use std::time::Duration;

use redis::Pipeline;
use sqlx::types::Json;

use super::work::{BATCH, Counts, Fault, PATIENCE, Work, within};
use crate::base::clock::Timestamp;
use crate::ledger::change::Change;
use crate::ledger::outbox::mark;
use crate::store::transaction::Repetitions;

/// How far the clocks of two hosts may be apart.
const SKEW: Duration = Duration::from_mins(1);

/// A row of the outbox that waited when the work began.
pub(super) struct Waiting {
    pub(super) id: u64,
    pub(super) user_id: u64,
}

/// A row that Redis had not confirmed at an instant.
pub(super) struct LateRow {
    pub(super) id: u64,
    pub(super) user_id: u64,
    at: Timestamp,
    changes: Json<Vec<Change>>,
}

/// After which row a look at late ones goes on.
pub(super) struct LateFrom {
    at: Timestamp,
    after: u64,
}

impl LateFrom {
    pub(super) const fn new(at: Timestamp) -> Self {
        Self { at, after: 0 }
    }
}

impl Work<'_> {
    /// Tells the endings of all rows after `from` and of those that waited. No watermark goes beyond
    /// `before_sessions`.
    pub(super) async fn tell_endings(
        &mut self,
        from: u64,
        waiting: &[Waiting],
        before_sessions: Timestamp,
    ) -> Result<(), Fault> {
        let mut from = waiting.first().map_or(from, |first| from.min(first.id - 1));
        loop {
            let asked = sqlx::query!(
                r#"select id, user_id, change_set as "changes: Json<Vec<Change>>"
                     from revocation_outbox where id > ? order by id limit ?"#,
                from,
                BATCH,
            )
            .fetch_all(&mut *self.db);
            let rows = within(asked).await?;
            let is_last = rows.len() < BATCH as usize;
            from = rows.last().map_or(from, |last| last.id);
            let rows = rows.into_iter().map(|row| (row.user_id, row.changes.0));
            self.tell_endings_of(rows.collect(), before_sessions).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// Tells the endings of rows up to `until` that were confirmed after `since`. In a group of servers nobody
    /// sees all numbers that are taken, so a row may have been committed behind the mark; and while this
    /// work goes on, another server for the same users may confirm a row with a low number that was committed
    /// late. After the last look: what waits no more then has been confirmed.
    pub(super) async fn tell_late_endings(
        &mut self,
        since: Timestamp,
        until: u64,
        before_sessions: Timestamp,
    ) -> Result<(), Fault> {
        let mut next = LateFrom::new(since.minus(SKEW));
        loop {
            let rows = self.late_rows(&mut next, until).await?;
            let is_last = rows.len() < BATCH as usize;
            let rows = rows.into_iter().map(|row| (row.user_id, row.changes.0));
            self.tell_endings_of(rows.collect(), before_sessions).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// The next rows up to `until` that were confirmed after an instant, a batch at most.
    pub(super) async fn late_rows(
        &mut self,
        next: &mut LateFrom,
        until: u64,
    ) -> Result<Vec<LateRow>, Fault> {
        let asked = sqlx::query_as!(
            LateRow,
            r#"select id, user_id, delivered_at as "at!: Timestamp",
                          change_set as "changes: Json<Vec<Change>>"
                     from revocation_outbox force index (idx_outbox_delivered_at)
                    where (delivered_at > ? or (delivered_at = ? and id > ?)) and id <= ?
                    order by delivered_at, id limit ?"#,
            next.at,
            next.at,
            next.after,
            until,
            BATCH,
        )
        .fetch_all(&mut *self.db);
        let rows = within(asked).await?;
        if let Some(last) = rows.last() {
            *next = LateFrom { at: last.at, after: last.id };
        }
        Ok(rows)
    }

    /// Tells the endings that wait now, until a look at all that waits shows nothing new: a row with
    /// a low number may have been committed late, and whoever wrote it may be gone. Whoever commits
    /// one after the last look tells it to these ledgers as well.
    pub(super) async fn tell_waiting(&mut self, before_sessions: Timestamp) -> Result<(), Fault> {
        let mut told = HashSet::new();
        while self.tell_new(&mut told, before_sessions).await? {}
        Ok(())
    }

    /// One look; whether it showed anything that had not been told.
    async fn tell_new(
        &mut self,
        told: &mut HashSet<u64>,
        before_sessions: Timestamp,
    ) -> Result<bool, Fault> {
        let (known, mut from) = (told.len(), 0);
        loop {
            let rows = self.waiting_after(from).await?;
            let Some(last) = rows.last() else { return Ok(told.len() > known) };
            from = last.0;
            let new = rows.into_iter().filter(|(id, ..)| told.insert(*id));
            let new = new.map(|(_, user_id, changes)| (user_id, changes)).collect();
            self.tell_endings_of(new, before_sessions).await?;
        }
    }

    async fn waiting_after(&mut self, from: u64) -> Result<Vec<(u64, u64, Vec<Change>)>, Fault> {
        let asked = sqlx::query!(
            r#"select id, user_id, change_set as "changes: Json<Vec<Change>>"
                 from revocation_outbox where delivered_at is null and id > ?
                order by id limit ?"#,
            from,
            BATCH,
        )
        .map(|row| (row.id, row.user_id, row.changes.0))
        .fetch_all(&mut *self.db);
        within(asked).await
    }

    async fn tell_endings_of(
        &mut self,
        rows: Vec<(u64, Vec<Change>)>,
        before_sessions: Timestamp,
    ) -> Result<(), Fault> {
        let (mut pipeline, mut endings) = (Pipeline::new(), 0);
        for (user_id, changes) in rows.iter().filter(|(user_id, _)| self.holds(*user_id)) {
            for change in changes.iter().filter(|change| change.is_ending()) {
                let key = self.ledgers.key(*user_id);
                pipeline.add_command(change.command(&key, before_sessions, None));
                endings += 1;
            }
        }
        self.tell(pipeline).await?;
        self.count(Counts { endings, ..Counts::default() });
        Ok(())
    }

    /// What these rows say has been told by now, in one way or another, to a server that is vouched for;
    /// but not about those whose slot went elsewhere meanwhile.
    pub(super) async fn mark_delivered(&mut self, waiting: &[Waiting]) -> Result<(), Fault> {
        let here = waiting.iter().filter(|it| self.keeps(it.user_id)).map(|it| it.id);
        let here: Vec<u64> = here.collect();
        for ids in here.chunks(BATCH as usize) {
            self.mark_some(ids).await?;
        }
        Ok(())
    }

    async fn mark_some(&mut self, ids: &[u64]) -> Result<(), Fault> {
        let mut repetitions = Repetitions::within(PATIENCE);
        loop {
            let now = self.ledgers.clock.now();
            match within(mark(&mut self.db, ids, now)).await {
                Err(Fault::Database(cause)) if repetitions.may_follow(&cause) => {}
                marked => return marked,
            }
        }
    }
}
