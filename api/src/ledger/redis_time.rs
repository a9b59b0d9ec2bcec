//! The time by Redis' clock.

use redis::RedisResult;
use redis::aio::MultiplexedConnection;

use crate::base::clock::Timestamp;

/// What time it is for Redis.
pub(super) async fn redis_now(redis: &mut MultiplexedConnection) -> RedisResult<Timestamp> {
    let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(redis).await?;
    Ok(Timestamp(seconds * 1_000 + micros / 1_000))
}
