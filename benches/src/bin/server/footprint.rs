//! What is stored: bytes of memory, seconds and bytes of a snapshot, and the longest stall on the
//! way to a large ledger.

use std::time::Instant;

use anyhow::{Context, Result};
use portcullis_tests::Redis;
use redis::Connection;

use crate::speed::{load, median};
use crate::stage::{Stage, pin};
use crate::subjects::{
    TTL_S, log_in, log_in_by_hashes, log_in_by_plain_hashes, revoke, revoke_by_strings,
};

/// Bytes of `used_memory` for each entry: ours and the usual layout's.
pub(crate) struct Memory {
    pub(crate) revoked: f64,
    pub(crate) revoked_as_string: f64,
    pub(crate) user: f64,
    pub(crate) user_as_hash_and_set: f64,
}

/// Measures memory with `count` entries of each kind.
pub(crate) fn memory(stage: &Stage, count: usize) -> Result<Memory> {
    println!("memory: {count} of each kind");
    Ok(Memory {
        revoked: bytes_each(stage, count, |redis| revoke(redis, "revoked", count))?,
        revoked_as_string: bytes_each(stage, count, |redis| revoke_by_strings(redis, count))?,
        user: bytes_each(stage, count, |redis| log_in(redis, count))?,
        user_as_hash_and_set: bytes_each(stage, count, |redis| log_in_by_hashes(redis, count))?,
    })
}

/// Bytes of `used_memory` for each of `count` entries that `fill` stores.
pub(crate) fn bytes_each(
    stage: &Stage,
    count: usize,
    fill: impl Fn(&Redis) -> Result<()>,
) -> Result<f64> {
    let redis = stage.server()?;
    let mut connection = redis.connection();
    let before = info(&mut connection, "memory", "used_memory")?;
    fill(&redis)?;
    Ok((info(&mut connection, "memory", "used_memory")? - before) / count as f64)
}

/// A snapshot of one layout.
#[derive(Clone, Copy)]
pub(crate) struct Snapshot {
    pub(crate) bytes: f64,
    pub(crate) save_s: f64,
    pub(crate) load_s: f64,
}

/// Snapshots of `count` ledgers of one session, and of as many plain hashes of the same content.
pub(crate) fn snapshots(stage: &Stage, count: usize, rounds: usize) -> Result<[Snapshot; 2]> {
    let mut ledgers = stage.server()?;
    log_in(&ledgers, count)?;
    let mut hashes = stage.server()?;
    log_in_by_plain_hashes(&hashes, count)?;
    let mut taken = [Vec::new(), Vec::new()];
    for round in 1..=rounds {
        println!("snapshot: {count} ledgers and hashes, round {round} of {rounds}");
        taken[0].push(snapshot(&mut ledgers)?);
        taken[1].push(snapshot(&mut hashes)?);
    }
    let of =
        |taken: &[Snapshot], what: fn(&Snapshot) -> f64| median(taken.iter().map(what).collect());
    Ok(taken.map(|taken| Snapshot {
        bytes: of(&taken, |it| it.bytes),
        save_s: of(&taken, |it| it.save_s),
        load_s: of(&taken, |it| it.load_s),
    }))
}

/// Saves, starts again from what was saved, and lets the server tell how long that took it.
fn snapshot(redis: &mut Redis) -> Result<Snapshot> {
    let begun = Instant::now();
    redis::cmd("SAVE").exec(&mut redis.connection())?;
    let save_s = begun.elapsed().as_secs_f64();
    let bytes = redis.data().join("dump.rdb").metadata()?.len() as f64;
    redis.stop();
    redis.start_again();
    pin(redis)?;
    let log = redis.log();
    let told = log.lines().rev().find_map(|line| line.split_once("DB loaded from disk: "));
    let load_s = told.and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
    Ok(Snapshot { bytes, save_s, load_s: load_s.context("the log tells the loading time")? })
}

/// The longest time that one command took while many revocations came in, in milliseconds.
pub(crate) struct Stall {
    /// `AUTH.BLACKLIST` into one ledger.
    pub(crate) ours_ms: f64,
    /// `SET` of a string for each.
    pub(crate) set_ms: f64,
}

/// Measures both: the least of three fillings each, for a pause that the table makes is in each of
/// them, one that another program makes is not. Fast ones, so that few others have time for theirs.
pub(crate) fn longest_stall(stage: &Stage, count: usize) -> Result<Stall> {
    let mut least = Stall { ours_ms: f64::MAX, set_ms: f64::MAX };
    for round in 1..=3 {
        println!("stall: {count} digests into one ledger, and as many strings, round {round} of 3");
        let revoke = ["AUTH.BLACKLIST", "revoked", "__rand_int__", "EX", TTL_S];
        let ours = longest_ms(stage, count, &revoke)?;
        let set = longest_ms(stage, count, &["SET", "bl:__rand_int__", "1", "EX", TTL_S])?;
        least = Stall { ours_ms: least.ours_ms.min(ours), set_ms: least.set_ms.min(set) };
    }
    Ok(least)
}

fn longest_ms(stage: &Stage, count: usize, arguments: &[&str]) -> Result<f64> {
    let redis = stage.server()?;
    let mut connection = redis.connection();
    let percentiles = ["SET", "latency-tracking-info-percentiles", "100"];
    redis::cmd("CONFIG").arg(&percentiles).exec(&mut connection)?;
    load(&redis, count, 16, arguments)?;
    let told: String = redis::cmd("INFO").arg("latencystats").query(&mut connection)?;
    let command = arguments.first().copied().unwrap_or_default().to_lowercase();
    let field = format!("latency_percentiles_usec_{command}:p100=");
    let longest = told.lines().find_map(|line| line.strip_prefix(&field)?.trim().parse().ok());
    let longest_us: f64 = longest.with_context(|| format!("INFO latencystats says {told}"))?;
    Ok(longest_us / 1e3)
}

/// A number that `INFO` tells.
pub(crate) fn info(connection: &mut Connection, section: &str, field: &str) -> Result<f64> {
    let told: String = redis::cmd("INFO").arg(section).query(connection)?;
    let value = told.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value
        .and_then(|value| value.trim().parse().ok())
        .with_context(|| format!("INFO has no {field}"))
}
