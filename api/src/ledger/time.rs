//! The time by Redis' clock.

use redis::RedisResult;
use redis::aio::MultiplexedConnection;

use crate::base::clock::UnixMs;

/// What time it is for Redis.
pub(super) async fn redis_now(redis: &mut MultiplexedConnection) -> RedisResult<UnixMs> {
    let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(redis).await?;
    Ok(UnixMs(seconds * 1_000 + micros / 1_000))
}
