//! How many a second: `AUTH.CHECK` in its cases beside what people use today, by redis-benchmark.
//!
//! Everything is measured in turn, in many short rounds, against one server that holds all of it, so
//! that whatever disturbs the machine disturbs all of them. A figure is the median of its rounds.
//! Ratios are of the server's CPU time for a command: on a machine that the server has to itself
//! this is the ratio of the rates, and other programs disturb it least.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use portcullis_tests::{Redis, Server};

use crate::pipe::{Pipe, command};
use crate::stage::Stage;
use crate::subjects::{EXPIRES_MS, TTL_S, device, digest, revoke, session_id, token};

/// How often each contender has its turn.
pub(crate) const ROUNDS: usize = 9;
/// Commands in flight on each connection.
pub(crate) const PIPELINES: [usize; 3] = [1, 16, 100];

/// The same three questions in Lua: is it revoked, is it older than a logout, is its session live?
const SCRIPT: &str = "if redis.call('EXISTS', KEYS[1]) == 1 then return 'REVOKED' end \
    local after = redis.call('GET', KEYS[2]) \
    if after and tonumber(ARGV[1]) <= tonumber(after) then return 'LOGGED_OUT' end \
    local expires = redis.call('HGET', KEYS[3], 'expires') \
    if not expires or tonumber(expires) <= tonumber(ARGV[2]) then return 'NO_SESSION' end \
    return 'OK'";

/// What each contender reached, by pipeline, one for each round.
#[derive(Default)]
pub(crate) struct Rates(BTreeMap<(&'static str, usize), Vec<Reached>>);

/// One run.
#[derive(Clone, Copy)]
struct Reached {
    /// Requests a second.
    rate: f64,
    /// The server's time for one.
    cpu_ns: f64,
}

/// What is measured of the contenders.
pub(crate) struct Course<'a> {
    /// Which of them run.
    pub(crate) names: &'a [&'static str],
    /// Commands in flight.
    pub(crate) pipelines: &'a [usize],
    /// How many are revoked where many are.
    pub(crate) revoked: usize,
}

/// A contender: how it is called, and what is sent.
type Contender = (&'static str, Vec<String>);

pub(crate) const EXISTS: &str = "EXISTS";
pub(crate) const NOOP: &str = "no-op module command";
pub(crate) const NOOP_OF_FOUR: &str = "no-op that answers four values";
pub(crate) const CHECK: &str = "AUTH.CHECK, nothing revoked";
pub(crate) const UNTIL: &str = "AUTH.CHECK … UNTIL";
pub(crate) const HASHED: &str = "AUTH.CHECK, token is hashed";
pub(crate) const UNTIL_HASHED: &str = "AUTH.CHECK … UNTIL, token is hashed";
pub(crate) const ONE: &str = "AUTH.CHECK, any token, 1 revoked";
pub(crate) const MANY: &str = "AUTH.CHECK, any token, many revoked";
pub(crate) const EVALSHA: &str = "EVALSHA, same questions";
const GET: &str = "GET";
const HGET: &str = "HGET";

/// All of them, in the order in which they are measured and shown: those that are compared follow
/// each other, so that what disturbs one of them disturbs the other.
pub(crate) const NAMES: [&str; 15] = [
    EXISTS,
    GET,
    HGET,
    NOOP,
    CHECK,
    UNTIL,
    NOOP_OF_FOUR,
    HASHED,
    UNTIL_HASHED,
    "AUTH.CHECK, DIGEST given",
    ONE,
    MANY,
    "AUTH.CHECK, no such key",
    "AUTH.CHECK, 1000 sessions",
    EVALSHA,
];

impl Rates {
    /// The median rate of a contender.
    pub(crate) fn median(&self, name: &str, pipeline: usize) -> f64 {
        median(self.of(name, pipeline).iter().map(|run| run.rate).collect())
    }

    /// The median of the server's time for one command of a contender.
    pub(crate) fn cpu_ns(&self, name: &str, pipeline: usize) -> f64 {
        median(self.of(name, pipeline).iter().map(|run| run.cpu_ns).collect())
    }

    /// How many times as fast as another one a contender is.
    pub(crate) fn ratio(&self, name: &str, to: &str, pipeline: usize) -> f64 {
        let pairs = self.of(name, pipeline).iter().zip(self.of(to, pipeline));
        median(pairs.map(|(one, other)| other.cpu_ns / one.cpu_ns).collect())
    }

    /// How many times as fast the check is as `EXISTS`, `GET` and `HGET` together.
    pub(crate) fn ratio_to_three(&self, pipeline: usize) -> f64 {
        let three = [EXISTS, GET, HGET].map(|name| self.of(name, pipeline));
        let rounds = self.of(CHECK, pipeline).iter().enumerate();
        let ratio =
            |(at, run): (usize, &Reached)| three.map(|it| it[at].cpu_ns / run.cpu_ns).iter().sum();
        median(rounds.map(ratio).collect())
    }

    fn of(&self, name: &str, pipeline: usize) -> &[Reached] {
        self.0.iter().find(|(key, _)| **key == (name, pipeline)).map_or(&[], |(_, rates)| rates)
    }
}

/// The value in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Measures on a server.
pub(crate) fn measure(stage: &Stage, server: &Server, course: &Course<'_>) -> Result<Rates> {
    let redis = stage.server_with(Redis::options().server(server))?;
    let mut contenders = prepare(&redis, course.revoked)?;
    contenders.retain(|(name, _)| course.names.contains(name));
    let mut rates = Rates::default();
    for pipeline in course.pipelines.iter().copied() {
        for round in 1..=ROUNDS {
            println!("speed: {}, -P {pipeline}, round {round} of {ROUNDS}", server.name);
            for (name, arguments) in &contenders {
                let run = benchmark(&redis, pipeline, arguments)?;
                rates.0.entry((name, pipeline)).or_default().push(run);
            }
        }
    }
    Ok(rates)
}

/// Fills the server and says what is sent to it.
fn prepare(redis: &Redis, many: usize) -> Result<Vec<Contender>> {
    let (token, varying, id, device) = (token(false), token(true), session_id(500), device());
    let mut load = Vec::new();
    for key in ["user:1", "user:2"] {
        let begin = ["AUTH.SESSION", "CREATE", key, &id, "EX", TTL_S, "DEVICE", &device];
        command(&mut load, &begin);
    }
    command(&mut load, &["SET", "logout:1", "1730000000000"]);
    command(&mut load, &["HSET", "session:1", "expires", EXPIRES_MS, "device", &device]);
    Pipe::to(redis)?.fill(1, 4, |_, to| to.extend_from_slice(&load))?;
    Pipe::to(redis)?.fill(1000, 1, |n, to| {
        let id = session_id(n);
        command(to, &["AUTH.SESSION", "CREATE", "user:3", &id, "EX", TTL_S]);
    })?;
    revoke(redis, "user:2", 1)?;
    revoke(redis, "one", 1)?;
    revoke(redis, "many", many)?;
    let script: String =
        redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query(&mut redis.connection())?;

    let (hex, revoked) = (digest(7), format!("bl:{}", digest(7)));
    let session: &[&str] = &["SESSION", &id];
    let lua = ["EVALSHA", &script, "3", &revoked, "logout:1", "session:1", "1740000000", "1"];
    let sent: [Vec<&str>; 15] = [
        vec!["EXISTS", &revoked],
        vec!["GET", "logout:1"],
        vec!["HGET", "session:1", "expires"],
        [&["BENCH.NOOP", "user:1", &token], session].concat(),
        [&["AUTH.CHECK", "user:1", &token], session].concat(),
        [&["AUTH.CHECK", "user:1", &token], session, &["UNTIL"]].concat(),
        [&["BENCH.FOUR", "user:1", &token], session, &["UNTIL"]].concat(),
        [&["AUTH.CHECK", "user:2", &token], session].concat(),
        [&["AUTH.CHECK", "user:2", &token], session, &["UNTIL"]].concat(),
        [&["AUTH.CHECK", "user:2", "DIGEST", &hex], session].concat(),
        vec!["AUTH.CHECK", "one", &varying],
        vec!["AUTH.CHECK", "many", &varying],
        vec!["AUTH.CHECK", "user:0", &token],
        [&["AUTH.CHECK", "user:3", &token], session].concat(),
        [&lua[..6], &["1740000000000", "1750000000000"]].concat(),
    ];
    let owned = |sent: Vec<&str>| sent.into_iter().map(String::from).collect();
    Ok(NAMES.into_iter().zip(sent.map(owned)).collect())
}

/// One run of a contender.
fn benchmark(redis: &Redis, pipeline: usize, arguments: &[String]) -> Result<Reached> {
    let requests = if pipeline == 1 { 30_000 } else { 200_000 };
    let before = cpu_ns(redis)?;
    let rate = load(redis, requests, pipeline, arguments)?;
    Ok(Reached { rate, cpu_ns: (cpu_ns(redis)? - before) / requests as f64 })
}

/// Sends a command so many times by redis-benchmark, on the core of this program; answers how many
/// were answered in a second.
pub(crate) fn load(
    redis: &Redis,
    requests: usize,
    pipeline: usize,
    arguments: &[impl AsRef<OsStr>],
) -> Result<f64> {
    let out = Command::new("redis-benchmark")
        .arg("-s")
        .arg(redis.socket())
        .args(["-c", "50", "-r", "2000000000", "--csv"])
        .args(["-n", &requests.to_string(), "-P", &pipeline.to_string()])
        .args(arguments)
        .output()
        .context("redis-benchmark runs; is redis-tools installed?")?;
    let text = String::from_utf8_lossy(&out.stdout);
    ensure!(out.status.success(), "redis-benchmark failed: {text}");
    let row = text.lines().last().unwrap_or_default();
    let rate = row.split("\",\"").nth(1).and_then(|rate| rate.parse().ok());
    rate.with_context(|| format!("redis-benchmark says no rate: {text}"))
}

/// The time that the server's main thread has run so far.
fn cpu_ns(redis: &Redis) -> Result<f64> {
    let told = std::fs::read_to_string(format!("/proc/{}/schedstat", redis.pid()))?;
    Ok(told.split_whitespace().next().unwrap_or_default().parse()?)
}
