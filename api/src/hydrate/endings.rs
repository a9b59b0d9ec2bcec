//! Endings told again from the outbox.
//!
//! A session that a host with a fast clock began, Redis takes as begun now. The watermark of an
//! earlier logout by the same clock lies ahead of Redis as well, and held back to the present it
//! would end that session too. So it is held back to before the sessions were filled in; whatever
//! ended is also named.

use redis::Pipeline;
use sqlx::MySql;
use sqlx::types::Json;

use super::{BATCH, Fault, Work, within};
use crate::clock::UnixMs;
use crate::outbox::Change;

impl Work<'_> {
    /// Tells the endings of all rows after `from` and of those that waited, which then are done.
    /// No watermark goes beyond `before_sessions`.
    pub(super) async fn tell_endings(
        &mut self,
        from: u64,
        waiting: &[u64],
        before_sessions: UnixMs,
    ) -> Result<(), Fault> {
        let mut from = waiting.first().map_or(from, |first| from.min(first - 1));
        loop {
            let asked = sqlx::query!(
                r#"select id, user_id, change_set as "changes: Json<Vec<Change>>"
                     from revocation_outbox where id > ? order by id limit ?"#,
                from,
                BATCH,
            )
            .fetch_all(&mut *self.db);
            let rows = within(asked).await?;
            let mut pipeline = Pipeline::new();
            let changes =
                rows.iter().flat_map(|row| row.changes.0.iter().map(|c| (row.user_id, c)));
            for (user_id, change) in changes.filter(|(_, change)| change.is_ending()) {
                pipeline
                    .add_command(change.command(&self.app.ledger.key(user_id), before_sessions));
                self.counts.endings += 1;
            }
            self.tell(pipeline).await?;
            match rows.last() {
                Some(last) if rows.len() == BATCH as usize => from = last.id,
                Some(_) | None => return self.mark_delivered(waiting).await,
            }
        }
    }

    /// What these rows say has been told by now, in one way or another.
    async fn mark_delivered(&mut self, waiting: &[u64]) -> Result<(), Fault> {
        for ids in waiting.chunks(BATCH as usize) {
            let mut update =
                sqlx::QueryBuilder::<MySql>::new("update revocation_outbox set delivered_at = ");
            update.push_bind(self.app.clock.now()).push(" where delivered_at is null and id in (");
            let mut list = update.separated(", ");
            for id in ids {
                list.push_bind(id);
            }
            update.push(")");
            within(update.build().execute(&mut *self.db)).await?;
        }
        Ok(())
    }
}
