//! What is said to a server about its ledgers as a whole: that they are up to date, up to what, and for
//! how long somebody vouches for them.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisResult};

use super::sentinel::{Mark, Sight, witness};
use crate::base::clock::Timestamp;

/// Replaces the mark that was seen, if it is still there and so are the ledgers that were seen; false if
/// not. Whether anybody vouches for them stays as it is.
pub(crate) async fn note(
    redis: &mut MultiplexedConnection,
    sight: &Sight,
    to: &Mark,
) -> RedisResult<bool> {
    let mut command = word(sight);
    command.arg("NOTE").arg("MARK").arg(to.text()).arg("IF").arg(&sight.mark);
    done(command.query_async(redis).await)
}

/// Replaces the mark that stands, if it does so still, and vouches for the ledgers that were seen, if those
/// are still there, in one step; false if not. Once somebody vouches for them that says nothing new.
pub(crate) async fn confirm(
    redis: &mut MultiplexedConnection,
    sight: &Sight,
    Replaced { from, to, lease }: Replaced<'_>,
) -> RedisResult<bool> {
    let mut command = vouching(sight, lease);
    done(command.arg("MARK").arg(to.text()).arg("IF").arg(from).query_async(redis).await)
}

/// Vouches for the ledgers that were seen, for so long or without an end, if they are still there; false if
/// not.
pub(crate) async fn vouch(
    redis: &mut MultiplexedConnection,
    sight: &Sight,
    lease: Option<Duration>,
) -> RedisResult<bool> {
    done(vouching(sight, lease).query_async(redis).await)
}

/// Has the witness say what the mark says: from when work begins on, and as long as it is there.
pub(crate) async fn bear_witness(
    redis: &mut MultiplexedConnection,
    prefix: &str,
    mark: &Mark,
    begins: bool,
) -> RedisResult<()> {
    let mut set = redis::cmd("SET");
    set.arg(witness(prefix)).arg(mark.text());
    if !begins {
        set.arg("XX");
    }
    set.exec_async(redis).await
}

/// Takes over a mark that a service of an earlier version left in a key, if it is of this very life: what
/// came to this server by any other way proves nothing. True if there was one.
pub(crate) async fn take_over(
    redis: &mut MultiplexedConnection,
    sight: &Sight,
    prefix: &str,
) -> RedisResult<bool> {
    let mut get = redis::cmd("GET");
    let asked: RedisResult<Option<String>> = get.arg(witness(prefix)).query_async(redis).await;
    let Ok(Some(text)) = asked else { return Ok(false) };
    let mut words = text.split(' ');
    let (run_id, position, at) = (words.next(), words.next(), words.next());
    let number = |word: Option<&str>| word.and_then(|word| word.parse().ok());
    match (run_id == Some(&sight.run_id), number(position), number(at)) {
        (true, Some(position), Some(at)) => {
            note(redis, sight, &Mark::of(sight, position, Timestamp(at))).await
        }
        _ => Ok(false),
    }
}

/// One mark in the place of another, for those who vouch for so long, or without an end.
#[derive(Clone, Copy)]
pub(crate) struct Replaced<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a Mark,
    pub(crate) lease: Option<Duration>,
}

fn vouching(sight: &Sight, lease: Option<Duration>) -> Cmd {
    let mut command = word(sight);
    if let Some(lease) = lease {
        let ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        command.arg("PX").arg(ms);
    }
    command
}

fn word(sight: &Sight) -> Cmd {
    let mut command = redis::cmd("AUTH.CONFIRM");
    command.arg(&sight.run_id).arg("LIFE").arg(&sight.life);
    command
}

/// Whether it was done, or somebody else was faster, or the ledgers are others by now.
fn done(said: RedisResult<()>) -> RedisResult<bool> {
    match said {
        Ok(()) => Ok(true),
        Err(refusal) if matches!(refusal.code(), Some("CHANGED" | "STALE")) => Ok(false),
        Err(cause) => Err(cause),
    }
}
