//! Only what may have changed since the mark, user by user.
//!
//! Whatever changes a ledger has either a row in the outbox that names its user, or is the use of a
//! session, which stands in that session's row. So ledgers that were complete at the mark are complete
//! again once these users have been compared with MySQL, whatever the rows say. How late somebody may be
//! seen is said in ARCHITECTURE.md.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{Pipeline, RedisError, Value};
use sqlx::AssertSqlSafe;

use super::endings::{LateFrom, Waiting};
use super::work::{BATCH, Counts, Fault, Work, places, within};
use crate::base::clock::Timestamp;
use crate::ledger::change::Change;
use crate::ledger::lives::Seen;
use crate::ledger::sentinel::Mark;

/// If more rows are to be looked through, everybody is filled in, which is faster.
const MOST_ROWS: usize = 1_000_000;
/// How many users are compared at a time.
const USERS: usize = 250;
/// The sessions of how many users are looked through at a time.
const LOOKED_THROUGH: u64 = 50_000;
/// How far the clocks of two hosts may be apart before a use, or the beginning in a row that was committed
/// late, is passed over: a session is refused then until its next use.
const APART: Duration = Duration::from_secs(10);

/// How old a mark in a cluster may be. A slot that its server gave away is taken out of its row at once, by
/// whoever looks after it; somebody who moved the mark a while ago may not have been there any more.
const OF_A_NODE: Duration = Duration::from_mins(1);

/// What has been seen of the changes since the mark.
pub(super) struct Since {
    /// After which row.
    from: u64,
    at: Timestamp,
    rows: HashSet<u64>,
}

impl Since {
    pub(super) fn new(mark: &Mark) -> Self {
        Self { from: mark.position, at: mark.at.minus(APART), rows: HashSet::new() }
    }
}

impl Work<'_> {
    /// Whether the mark says something of every ledger here. In a cluster slots may have come since, with
    /// ledgers that are older; so their server must have had them for longer. And some may have gone while
    /// their slot is on its way, of which a replica that takes over does not know, but the other end does.
    pub(super) fn is_of_all(&self, mark: &Mark, seen: Seen<'_>, now: Timestamp) -> bool {
        let had = |before| self.ledgers.lives.had(&mark.of, &self.scope, before);
        let shards = &self.ledgers.shards;
        let stay = || !shards.are_on_their_way(&self.scope, &self.lines);
        !seen.is_of_a_cluster
            || mark.at > now.minus(OF_A_NODE) && had(mark.at.minus(APART)) && stay()
    }

    /// The users whose ledgers may have changed; nothing if there are too many. `waiting` names those of
    /// rows that wait, wherever they are.
    pub(super) async fn changed(
        &mut self,
        since: &mut Since,
        waiting: &[Waiting],
    ) -> Result<Option<BTreeSet<u64>>, Fault> {
        let mut users: BTreeSet<u64> = waiting.iter().map(|row| row.user_id).collect();
        let is_whole = self.newly_changed(since, &mut users).await?
            && self.tell_uses(since.at, &mut users).await?;
        Ok(is_whole.then_some(users))
    }

    /// Adds the users of rows that were not seen before; false if there are too many.
    pub(super) async fn newly_changed(
        &mut self,
        since: &mut Since,
        users: &mut BTreeSet<u64>,
    ) -> Result<bool, Fault> {
        let mut after = since.from;
        let mut late = LateFrom::new(since.at);
        let mut has_late = true;
        loop {
            let asked = sqlx::query!(
                "select id, user_id from revocation_outbox force index (primary)
                  where id > ? order by id limit ?",
                after,
                BATCH,
            )
            .map(|row| (row.id, row.user_id))
            .fetch_all(&mut *self.db);
            let mut rows = within(asked).await?;
            let has_more = rows.len() == BATCH as usize;
            after = rows.last().map_or(after, |(id, _)| *id);
            if has_late {
                // In a group of servers they may have been committed behind the mark.
                let old = self.late_rows(&mut late, since.from).await?;
                has_late = old.len() == BATCH as usize;
                rows.extend(old.into_iter().map(|row| (row.id, row.user_id)));
            }
            let new = rows.into_iter().filter(|(id, _)| since.rows.insert(*id));
            let new: Vec<u64> = new.map(|(_, user_id)| user_id).collect();
            users.extend(new.into_iter().filter(|user_id| self.holds(*user_id)));
            if self.are_too_many(users) || since.rows.len() > MOST_ROWS {
                return Ok(false);
            }
            if !has_more && !has_late {
                return Ok(true);
            }
        }
    }

    fn are_too_many(&self, users: &BTreeSet<u64>) -> bool {
        users.len() > self.ledgers.most_compared.load(Ordering::Relaxed)
    }

    /// Tells when sessions were last used, if that was after `at`. Whoever has one that Redis does not
    /// know as live is added to the users; false if there are too many. The index has all that is read.
    async fn tell_uses(&mut self, at: Timestamp, users: &mut BTreeSet<u64>) -> Result<bool, Fault> {
        let mut after = 0;
        loop {
            let asked = sqlx::query_scalar!(
                r#"select min(user_id) as "next: u64"
                     from user_sessions force index (idx_user_session_user_id) where user_id > ?"#,
                after,
            )
            .fetch_one(&mut *self.db);
            let Some(next) = within(asked).await? else { return Ok(true) };
            let until = next.saturating_add(LOOKED_THROUGH);
            let asked = sqlx::query!(
                r#"select id, user_id, last_activity as "at: Timestamp"
                     from user_sessions force index (idx_user_session_user_id)
                    where user_id > ? and user_id <= ? and is_active and last_activity > ?"#,
                after,
                until,
                at,
            )
            .map(|row| Used { session: row.id, user_id: row.user_id, at: row.at })
            .fetch_all(&mut *self.db);
            let mut used = within(asked).await?;
            used.retain(|it| self.holds(it.user_id));
            for some in used.chunks(BATCH as usize) {
                self.tell_used(some, users).await?;
            }
            if self.are_too_many(users) {
                return Ok(false);
            }
            after = until;
        }
    }

    async fn tell_used(&mut self, used: &[Used], users: &mut BTreeSet<u64>) -> Result<(), Fault> {
        let mut pipeline = Pipeline::new();
        for Used { session, user_id, at } in used {
            let at = self.ledgers.uses.last_used(session, *at);
            let touch = pipeline.cmd("AUTH.SESSION").arg("TOUCH").arg(self.ledgers.key(*user_id));
            touch.arg(session).arg("AT").arg(at.0);
        }
        let (replies, refused) = self.ask(pipeline).await?;
        refused.map_or(Ok(()), |refusal| Err(RedisError::from(refusal)))?;
        let unknown = used.iter().zip(replies).filter(|(_, reply)| *reply == Value::Int(0));
        users.extend(unknown.map(|(it, _)| it.user_id));
        Ok(())
    }

    /// Makes the ledgers of these users what MySQL says. Endings come before sessions, and no watermark
    /// goes beyond `before_sessions`.
    pub(super) async fn compare(
        &mut self,
        users: &BTreeSet<u64>,
        before_sessions: Timestamp,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let users: Vec<u64> = users.iter().copied().collect();
        for users in users.chunks(USERS) {
            let keys = users.iter().map(|id| self.ledgers.key(*id).into_bytes()).collect();
            self.sweep_keys(keys, now).await?;
            let mut pipeline = Pipeline::new();
            for (user_id, change) in self.endings_of(users, now).await? {
                let key = self.ledgers.key(user_id);
                pipeline.add_command(change.command(&key, before_sessions, None));
            }
            self.tell(pipeline).await?;
            self.fill_sessions_of(users, now).await?;
        }
        Ok(())
    }

    /// Watermarks, and the access tokens that were revoked one by one.
    async fn endings_of(
        &mut self,
        users: &[u64],
        now: Timestamp,
    ) -> Result<Vec<(u64, Change)>, Fault> {
        let places = places(users.len());
        let select = AssertSqlSafe(format!(
            "select id, tokens_valid_after from users
              where id in ({places}) and tokens_valid_after is not null"
        ));
        let asked = users.iter().fold(sqlx::query_as(select), |asked, id| asked.bind(*id));
        let watermarks: Vec<(u64, Timestamp)> = within(asked.fetch_all(&mut *self.db)).await?;
        let select = AssertSqlSafe(format!(
            "select user_id, lower(hex(token_hash)), token_expiry
               from token_blacklist_enhanced force index (idx_blacklist_user_id)
              where user_id in ({places}) and token_type = 'access' and token_expiry > ?"
        ));
        let asked = users.iter().fold(sqlx::query_as(select), |asked, id| asked.bind(*id));
        let revoked: Vec<(u64, String, Timestamp)> =
            within(asked.bind(now).fetch_all(&mut *self.db)).await?;
        let (watermarked, revocations) = (watermarks.len() as u64, revoked.len() as u64);
        self.count(Counts { watermarks: watermarked, revocations, ..Counts::default() });
        let watermarks = watermarks.into_iter().map(|(id, at)| (id, Change::RevokeAll { at }));
        let revoked = revoked.into_iter().map(|(user_id, digest, expires_at)| {
            (user_id, Change::Blacklist { digest, expires_at })
        });
        Ok(watermarks.chain(revoked).collect())
    }
}

/// When a session was last used.
struct Used {
    session: String,
    user_id: u64,
    at: Timestamp,
}
