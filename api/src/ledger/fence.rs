//! Tokens of the module's fence (`AUTH.FENCE`): how a session that begins too late is told from others.

use redis::RedisResult;
use redis::aio::MultiplexedConnection;

/// Says since when what was read from MySQL is known. It is echoed and never made here.
#[derive(Clone)]
pub(crate) struct Fence(String);

impl Fence {
    /// As it is sent.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Asks on a connection of one's own.
    pub(crate) async fn ask(redis: &mut MultiplexedConnection) -> RedisResult<Self> {
        redis::cmd("AUTH.FENCE").query_async(redis).await.map(Self)
    }
}
