//! Ends the sessions in Redis that MySQL does not have, or not as live.

use std::collections::HashSet;

use redis::{Pipeline, RedisError, Value};
use sqlx::{AssertSqlSafe, Connection as _};

use super::work::{BATCH, Counts, Fault, Work, places, within};
use crate::base::clock::Timestamp;
use crate::store::standing::standing;

impl Work<'_> {
    /// Goes through every ledger there is.
    pub(super) async fn sweep(&mut self, now: Timestamp) -> Result<(), Fault> {
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("TYPE").arg("authledgr").arg("COUNT").arg(BATCH);
            let (next, keys): (u64, Vec<Vec<u8>>) = scan.query_async(&mut self.redis).await?;
            let keys = keys.into_iter().filter(|key| self.is_here(key)).collect();
            self.sweep_keys(keys, now).await?;
            cursor = next;
            if cursor == 0 {
                return Ok(());
            }
        }
    }

    /// Redis is asked first: a session that it has was committed before, so MySQL must know it.
    pub(super) async fn sweep_keys(
        &mut self,
        keys: Vec<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        if keys.is_empty() {
            // MySQL ends sessions that have gone silent, and the lock with them.
            return within(self.db.ping()).await;
        }
        let mut pipeline = Pipeline::new();
        for key in &keys {
            pipeline.cmd("AUTH.SESSION").arg("LIST").arg(key);
        }
        let (lists, refused) = self.ask(pipeline).await?;
        refused.map_or(Ok(()), |refusal| Err(RedisError::from(refusal)))?;
        let lists = lists.iter().map(|list| list.as_sequence().unwrap_or_default());
        let held: Vec<(&[u8], String)> = keys
            .iter()
            .zip(lists)
            .flat_map(|(key, list)| list.iter().map(move |session| (key.as_slice(), id(session))))
            .collect();
        let ids: Vec<&str> = held.iter().map(|(_, id)| id.as_str()).collect();
        let standing = self.standing(&ids, now).await?;
        let (mut pipeline, mut swept) = (Pipeline::new(), 0);
        for (key, id) in held.iter().filter(|(_, id)| !standing.contains(id)) {
            pipeline.cmd("AUTH.SESSION").arg("REVOKE").arg(key).arg(id);
            swept += 1;
        }
        self.tell(pipeline).await?;
        self.count(Counts { swept, ..Counts::default() });
        Ok(())
    }

    /// Those of the sessions that stand in MySQL. Whether they are in use Redis may know better, so
    /// that an idle one is not ended.
    async fn standing(&mut self, ids: &[&str], now: Timestamp) -> Result<HashSet<String>, Fault> {
        let mut found = HashSet::new();
        for ids in ids.chunks(BATCH as usize) {
            let (places, rule) = (places(ids.len()), standing!(STANDING));
            let select = AssertSqlSafe(format!(
                "select s.id from user_sessions s where s.id in ({places}) and {rule}"
            ));
            let asked = ids.iter().fold(sqlx::query_scalar(select), |asked, id| asked.bind(*id));
            found.extend(within(asked.bind(now).fetch_all(&mut *self.db)).await?);
        }
        Ok(found)
    }
}

/// The id in an entry of `AUTH.SESSION LIST`, a flat array or a map that begins with it.
fn id(session: &Value) -> String {
    let value = match session {
        Value::Array(fields) => fields.get(1),
        Value::Map(fields) => fields.first().map(|(_, id)| id),
        _ => None,
    };
    value.and_then(|id| redis::from_redis_value(id.clone()).ok()).unwrap_or_default()
}
