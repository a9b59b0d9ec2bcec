//! How soon a revocation is heard of, and how long one is not that nobody is told of.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::caller::Caller;
use crate::speed::median;
use crate::stage::{Stage, pin_ourselves, spread_ourselves};

/// So many sessions are revoked.
pub(crate) const ROUNDS: usize = 2_000;
/// As many while a map by time alone is asked.
const NAIVE_ROUNDS: usize = 5;
const TTL: Duration = Duration::from_secs(1);

pub(crate) struct Ended {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// How long a cache by time alone went on accepting, and how often it was asked.
    pub(crate) naive_ms: f64,
    pub(crate) naive_accepted: u64,
}

pub(crate) fn measure(stage: &Stage) -> Result<Ended> {
    let redis = stage.server()?;
    let caller = Caller::of(&redis, ROUNDS + NAIVE_ROUNDS)?;
    let mut revoking = redis.connection();
    let mut revoke = |n: usize| -> Result<Instant> {
        let mut revoke = redis::cmd("AUTH.SESSION");
        revoke.arg("REVOKE").arg(format!("user:{n}")).arg(&caller.people[n].session);
        ensure!(revoke.query::<i64>(&mut revoking)? == 1, "nothing was revoked");
        Ok(Instant::now())
    };
    // Whoever waits for it must not keep the core from the thread that hears of it.
    spread_ourselves()?;
    let mut took_us = Vec::new();
    for n in 0..ROUNDS {
        let person = &caller.people[n];
        ensure!(caller.knows(person), "a live session is refused");
        let acknowledged = revoke(n)?;
        while caller.is_kept(person) {}
        took_us.push(acknowledged.elapsed().as_secs_f64() * 1e6);
    }
    pin_ourselves()?;
    took_us.sort_by(f64::total_cmp);

    let (mut naive_ms, mut naive_accepted) = (Vec::new(), 0);
    for n in ROUNDS..ROUNDS + NAIVE_ROUNDS {
        let token = caller.people[n].token.as_str();
        let kept: HashMap<&str, Instant> = [(token, Instant::now())].into();
        let acknowledged = revoke(n)?;
        while kept.get(token).is_some_and(|at| at.elapsed() < TTL) {
            naive_accepted += 1;
        }
        naive_ms.push(acknowledged.elapsed().as_secs_f64() * 1e3);
    }
    let (p50_us, p99_us) = (took_us[ROUNDS / 2], took_us[ROUNDS * 99 / 100]);
    Ok(Ended { p50_us, p99_us, naive_ms: median(naive_ms), naive_accepted })
}
