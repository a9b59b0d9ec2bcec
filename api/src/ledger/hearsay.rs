//! What Redis says, believed or not, for whoever looks at one token.

use std::time::Duration;

use portcullis_core::Digest;
use redis::RedisResult;

use super::ledgers::Ledgers;
use super::roster;
use crate::base::session_id::SessionId;

/// How long somebody who looks waits for Redis.
const HEARSAY: Duration = Duration::from_secs(5);

impl Ledgers {
    /// What Redis says of a token, believed or not: for whoever looks, never to let anybody in.
    pub(crate) async fn hearsay(
        &self,
        user_id: u64,
        digest: Digest,
        session: &SessionId,
    ) -> RedisResult<String> {
        roster::find(self).await?;
        let lines = self.shards.of(self.key(user_id).as_bytes())?;
        let mut redis = lines.open(HEARSAY).await?;
        self.question(user_id, digest, session).query_async(&mut redis).await
    }
}
