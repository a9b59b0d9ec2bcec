//! Tokens of the module's fence (`AUTH.FENCE`): how a session that begins too late is told from others.

use redis::RedisResult;
use redis::aio::MultiplexedConnection;

/// Says since when what was read from MySQL is known. It is echoed and never made here.
#[derive(Clone)]
pub(crate) struct Fence {
    token: String,
    /// What the server is called that gave it; no other one takes it.
    shard: String,
}

impl Fence {
    /// As it is sent.
    pub(crate) fn as_str(&self) -> &str {
        &self.token
    }

    /// Whether this server gave it.
    pub(crate) fn is_of(&self, shard: &str) -> bool {
        self.shard == shard
    }

    /// Asks a server on a connection of one's own.
    pub(crate) async fn ask(redis: &mut MultiplexedConnection, shard: &str) -> RedisResult<Self> {
        let token = redis::cmd("AUTH.FENCE").query_async(redis).await?;
        Ok(Self { token, shard: shard.to_owned() })
    }
}
