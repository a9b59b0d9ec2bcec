//! What an answer costs that nobody has to be asked for.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::caller::{Caller, Incoming};
use crate::speed::{ROUNDS, median};
use crate::stage::{Stage, pin_ourselves, spread_ourselves};

const SECOND: Duration = Duration::from_secs(1);
/// Looked up between two looks at the clock.
const BATCH: u64 = 2_000;
/// Threads on one token.
const CROWD: usize = 16;
/// Users that are touched once in a minute each.
const TOUCHED: usize = 1_000;
const NAIVE_TTL: Duration = Duration::from_secs(1_000);

/// Nanoseconds of processor for one answer.
pub(crate) struct Hits {
    pub(crate) kept: f64,
    pub(crate) naive: f64,
    pub(crate) asked: f64,
}

/// Ours, a map by time alone, and asking each time, in turn. A token is in the processor's cache when
/// it is looked up, as one is that has come in just now; what it costs to write it there is measured by
/// itself and taken off.
pub(crate) fn measure(stage: &Stage, count: usize) -> Result<Hits> {
    let redis = stage.server()?;
    let caller = Caller::of(&redis, count)?;
    let now = Instant::now();
    let by_time: HashMap<&[u8], Instant> =
        caller.people.iter().map(|person| (person.token.as_bytes(), now)).collect();
    let (mut asking, mut incoming) = (redis.connection(), Incoming::new());
    let (mut kept, mut naive, mut asked) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        println!("in the process: {count} tokens, round {round} of {ROUNDS}");
        let coming = cpu_ns_each(count, |n| {
            black_box(incoming.of(n));
        })?;
        let looked_up = cpu_ns_each(count, |n| {
            black_box(caller.keeps(black_box(incoming.of(n))));
        })?;
        kept.push(looked_up - coming);
        let looked_up = cpu_ns_each(count, |n| {
            let found = by_time.get(black_box(incoming.of(n)));
            black_box(found.is_some_and(|at| at.elapsed() < NAIVE_TTL));
        })?;
        naive.push(looked_up - coming);
        asked.push(cpu_ns_each(count, |n| {
            let mut check = redis::cmd("AUTH.CHECK");
            check.arg(format!("user:{n}")).arg(incoming.of(n));
            check.arg("SESSION").arg(&caller.people[n].session);
            black_box(check.query::<String>(&mut asking).is_ok());
        })?);
    }
    let [kept, naive, asked] = [kept, naive, asked].map(median);
    Ok(Hits { kept, naive, asked })
}

/// Processor time of this thread for one of many calls, each about a random one of `count`.
fn cpu_ns_each(count: usize, mut call: impl FnMut(usize)) -> Result<f64> {
    let (begun, before, mut calls, mut random) = (Instant::now(), cpu_ns()?, 0, Random(7));
    while begun.elapsed() < SECOND {
        for _ in 0..BATCH {
            call(random.below(count));
        }
        calls += BATCH;
    }
    Ok((cpu_ns()? - before) / calls as f64)
}

fn cpu_ns() -> Result<f64> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(told.split_whitespace().next().unwrap_or_default().parse()?)
}

/// Fast enough to cost nothing beside a look-up.
struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * count as u128) >> 64) as usize
    }
}

/// How many times the rate of one thread sixteen reach on one token, for each core of the machine.
pub(crate) fn crowd(stage: &Stage) -> Result<f64> {
    let redis = stage.server()?;
    let caller = Caller::of(&redis, 1)?;
    spread_ourselves()?;
    let cores = thread::available_parallelism()?.get();
    let ratio = |_| {
        let (one, all) = (rate(&caller, 1), rate(&caller, CROWD));
        all / one / cores.min(CROWD) as f64
    };
    let ratios = (0..ROUNDS).map(ratio).collect();
    pin_ourselves()?;
    Ok(median(ratios))
}

fn rate(caller: &Caller, threads: usize) -> f64 {
    let (is_over, all) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| all.fetch_add(look_up(caller, &is_over), Ordering::Relaxed));
        }
        thread::sleep(SECOND);
        is_over.store(true, Ordering::Relaxed);
    });
    all.load(Ordering::Relaxed) as f64
}

/// How often the first token was looked up until it was over.
fn look_up(caller: &Caller, is_over: &AtomicBool) -> u64 {
    let mut calls = 0;
    while !is_over.load(Ordering::Relaxed) {
        for _ in 0..BATCH {
            black_box(caller.is_kept(&caller.people[0]));
        }
        calls += BATCH;
    }
    calls
}

/// By how many percent of all answers hits get fewer when everybody is touched once a minute.
pub(crate) fn touched(stage: &Stage) -> Result<f64> {
    let redis = stage.server()?;
    let caller = Caller::of(&redis, TOUCHED)?;
    let mut lost = Vec::new();
    for _ in 0..ROUNDS {
        let untouched = hit_ratio(&caller, || Ok(()))?;
        let (mut toucher, mut next) = (redis.connection(), 0);
        let in_between = || {
            let mut touch = redis::cmd("AUTH.SESSION");
            touch.arg("TOUCH").arg(format!("user:{next}")).arg(&caller.people[next].session);
            next = (next + 1) % TOUCHED;
            Ok(touch.exec(&mut toucher)?)
        };
        lost.push((untouched - hit_ratio(&caller, in_between)?) * 100.0);
    }
    Ok(median(lost).max(0.0))
}

/// What part of some seconds of steady checks is hits; whoever is missed is asked about.
fn hit_ratio(caller: &Caller, mut each: impl FnMut() -> Result<()>) -> Result<f64> {
    let pause = Duration::from_mins(1) / TOUCHED as u32;
    let (begun, mut due, mut random) = (Instant::now(), Instant::now(), Random(11));
    let (mut hits, mut calls) = (0_u64, 0_u64);
    while begun.elapsed() < 4 * SECOND {
        if due <= Instant::now() {
            each()?;
            due += pause;
        }
        let person = &caller.people[random.below(TOUCHED)];
        if caller.is_kept(person) {
            hits += 1;
        } else {
            caller.check(person);
        }
        calls += 1;
    }
    Ok(hits as f64 / calls as f64)
}
