//! From MySQL into the ledgers. Endings come before sessions, so that no session is ever there
//! without them.

use redis::Pipeline;
use serde_json::value::RawValue;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Executor as _};

use super::parts::Part;
use super::work::{BATCH, Counts, Fault, Work, places, within};
use crate::base::clock::Timestamp;
use crate::base::log_targets as log;
use crate::base::session_id::SessionId;
use crate::ledger::change::Change;
use crate::ledger::everybody::note;
use crate::ledger::fence::Fence;
use crate::ledger::redis_time::redis_now;
use crate::ledger::session_row::SessionRow;
use crate::store::history;
use crate::store::standing::standing;
use crate::store::transaction::was_sent_away;

/// How often one batch is begun anew before the whole work is.
const MEETINGS: usize = 20;

/// Which sessions are filled in.
#[derive(Clone, Copy)]
enum Which<'a> {
    /// So many of a part.
    Next {
        after: &'a str,
        until: &'a str,
        batch: u32,
    },
    Of(&'a [u64]),
}

impl Work<'_> {
    /// Up to when everybody's sessions have ended. Before any session is filled in that began afterwards:
    /// one that begins in the server's future is taken to begin now, unless that has ended. And once more
    /// before anybody vouches for what was filled in.
    pub(super) async fn note_everybody(&mut self) -> Result<(), Fault> {
        let until = within(history::told_to_redis(&mut *self.db)).await?.unwrap_or_default();
        if until > self.noted {
            note(&self.run_id, until).exec_async(&mut self.redis).await?;
            self.noted = until;
        }
        Ok(())
    }

    pub(super) async fn fill_watermarks(&mut self) -> Result<(), Fault> {
        let mut after = 0;
        loop {
            let asked = sqlx::query!(
                r#"select id, tokens_valid_after as "at!: Timestamp" from users
                    where id > ? and tokens_valid_after is not null order by id limit ?"#,
                after,
                BATCH,
            )
            .fetch_all(&mut *self.db);
            let rows = within(asked).await?;
            let now = redis_now(&mut self.redis).await?;
            let (mut pipeline, mut watermarks) = (Pipeline::new(), 0);
            for row in rows.iter().filter(|row| self.holds(row.id)) {
                let change = Change::RevokeAll { at: row.at };
                pipeline.add_command(change.command(&self.ledgers.key(row.id), now, None));
                watermarks += 1;
            }
            self.tell(pipeline).await?;
            self.count(Counts { watermarks, ..Counts::default() });
            match rows.last() {
                Some(last) if rows.len() == BATCH as usize => after = last.id,
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// Only access tokens: refresh tokens are asked about in MySQL alone.
    pub(super) async fn fill_revocations(&mut self, now: Timestamp) -> Result<(), Fault> {
        let mut after = 0;
        loop {
            let asked = sqlx::query!(
                r#"select id, user_id as "user_id!: u64", lower(hex(token_hash)) as "digest!: String",
                          token_expiry as "expires_at: Timestamp"
                     from token_blacklist_enhanced
                    where id > ? and token_expiry > ? and token_type = 'access'
                      and user_id is not null
                    order by id limit ?"#,
                after,
                now,
                BATCH,
            )
            .fetch_all(&mut *self.db);
            let rows = within(asked).await?;
            let (mut pipeline, mut revocations) = (Pipeline::new(), 0);
            for row in rows.iter().filter(|row| self.holds(row.user_id)) {
                let (digest, expires_at) = (row.digest.clone(), row.expires_at);
                let change = Change::Blacklist { digest, expires_at };
                pipeline.add_command(change.command(&self.ledgers.key(row.user_id), now, None));
                revocations += 1;
            }
            self.tell(pipeline).await?;
            self.count(Counts { revocations, ..Counts::default() });
            match rows.last() {
                Some(last) if rows.len() == BATCH as usize => after = last.id,
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// The sessions of one part, behind a fence for each batch. One that comes too late is read again, in a
    /// smaller batch; one that is refused by itself is left out, which refuses too much and is put back at
    /// its next use.
    pub(super) async fn fill_part(&mut self, part: &Part, now: Timestamp) -> Result<(), Fault> {
        let Part { mut after, until } = part.clone();
        let mut batch = BATCH;
        loop {
            let next = Which::Next { after: &after, until: &until, batch };
            let Some(rows) = self.try_to_fill(next, batch == 1, now).await? else {
                batch = batch.div_ceil(2).min(BATCH / 2);
                continue;
            };
            let is_more = |last: &&SessionRow| {
                rows.len() == batch as usize && last.id.as_str() < until.as_str()
            };
            let Some(last) = rows.last().filter(is_more) else { return Ok(()) };
            last.id.as_str().clone_into(&mut after);
            batch = (batch * 2).min(BATCH);
        }
    }

    /// The same for some users.
    pub(super) async fn fill_sessions_of(
        &mut self,
        users: &[u64],
        now: Timestamp,
    ) -> Result<(), Fault> {
        let (mut users, mut batch) = (users, users.len());
        while !users.is_empty() {
            let (some, rest) = users.split_at(batch.min(users.len()));
            match self.try_to_fill(Which::Of(some), batch == 1, now).await? {
                Some(_) => users = rest,
                None => batch = batch.div_ceil(2),
            }
        }
        Ok(())
    }

    /// Reads some sessions behind a fence and tells them. Nothing if they were told too late, or were
    /// not held until then; which does not count if there is no smaller batch.
    async fn try_to_fill(
        &mut self,
        which: Which<'_>,
        is_least: bool,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionRow>>, Fault> {
        let fence = Fence::ask(&mut self.redis, self.lines.name()).await?;
        let rows = self.hold_sessions(which, now).await?;
        self.note_everybody().await?;
        let mut pipeline = Pipeline::new();
        let here: Vec<&SessionRow> = rows.iter().filter(|row| self.holds(row.user_id)).collect();
        for row in &here {
            let key = self.ledgers.key(row.user_id);
            let change = row.change(&self.ledgers.uses);
            pipeline.add_command(change.command(&key, Timestamp::MAX, Some(&fence)));
        }
        let refused = self.try_tell(pipeline).await?;
        let were_held = self.let_go().await?;
        let is_stale = refused.as_ref().is_some_and(|refusal| refusal.code() == "STALE");
        if (is_stale || !were_held) && !is_least {
            return Ok(None);
        }
        if let Some(refusal) = refused {
            tracing::error!(
                target: log::HYDRATE_FILL,
                %refusal,
                "Redis rejected a session"
            );
        }
        let sessions = here.len() as u64;
        self.count(Counts { sessions, ..Counts::default() });
        Ok(Some(rows))
    }

    /// Sessions that stand, held until the transaction ends: whatever ends one of them is told
    /// after what Redis hears of them now. Whoever ends several at once may meet this half-way;
    /// MySQL then sends this one away. Idle ones as well: Redis sees by itself whether they
    /// are, and may know better.
    async fn hold_sessions(
        &mut self,
        which: Which<'_>,
        now: Timestamp,
    ) -> Result<Vec<SessionRow>, Fault> {
        for _ in 0..MEETINGS {
            within(self.db.execute("start transaction")).await?;
            let held = match which {
                Which::Next { after, until, batch } => {
                    self.next_sessions((after, until), batch, now).await
                }
                Which::Of(users) => self.sessions_of(users, now).await,
            };
            match held {
                Err(Fault::Database(cause)) if was_sent_away(&cause) => {}
                held => return held,
            }
        }
        Err(Fault::Late)
    }

    async fn next_sessions(
        &mut self,
        (after, until): (&str, &str),
        batch: u32,
        now: Timestamp,
    ) -> Result<Vec<SessionRow>, Fault> {
        let asked = standing!(query_as!(
            SessionRow,
            r#"select s.id as "id: SessionId", s.user_id,
                          s.device_info as "device: Json<Box<RawValue>>", s.ip_address,
                          s.created_at as "created_at: Timestamp",
                          s.last_activity as "last_activity: Timestamp",
                          s.expires_at as "expires_at: Timestamp", s.idle_timeout_s
                     from user_sessions s
                    where s.id > ? and s.id <= ? and "#
                + STANDING
                + " order by s.id limit ? lock in share mode",
            after,
            until,
            now,
            batch,
        ))
        .fetch_all(&mut *self.db);
        within(asked).await
    }

    async fn sessions_of(
        &mut self,
        users: &[u64],
        now: Timestamp,
    ) -> Result<Vec<SessionRow>, Fault> {
        let (places, rule) = (places(users.len()), standing!(STANDING));
        let select = AssertSqlSafe(format!(
            "select s.id, s.user_id, s.device_info as device, s.ip_address, s.created_at,
                    s.last_activity, s.expires_at, s.idle_timeout_s
               from user_sessions s force index (idx_user_session_user_id)
              where s.user_id in ({places}) and {rule}
              order by s.id lock in share mode"
        ));
        let asked = users.iter().fold(sqlx::query_as(select), |asked, id| asked.bind(*id));
        within(asked.bind(now).fetch_all(&mut *self.db)).await
    }

    /// False if they were not held until now: a node of a group takes locks away for what was
    /// committed at another. Then the fence alone has kept out what ended meanwhile, which it does.
    async fn let_go(&mut self) -> Result<bool, Fault> {
        match within(self.db.execute("commit")).await {
            Ok(_) => Ok(true),
            Err(Fault::Database(cause)) if was_sent_away(&cause) => Ok(false),
            Err(fault) => Err(fault),
        }
    }
}
