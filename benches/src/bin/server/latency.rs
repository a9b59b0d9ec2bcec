//! How long one answer takes while the server is half busy.
//!
//! redis-benchmark always sends as fast as it can, so this has its own load: commands leave at a
//! steady rate whether or not earlier ones were answered, and each is timed from the instant it
//! was due. A load that waits for answers would hide the very delays that are looked for.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use portcullis_tests::Redis;

use crate::pipe::{Pipe, command};
use crate::speed::median;
use crate::stage::Stage;
use crate::subjects::{TTL_S, device, digest, session_id, token};

const CONNECTIONS: usize = 8;
const SECONDS: f64 = 2.0;

/// The 99th percentile of `AUTH.CHECK` and of `EXISTS`, in microseconds.
pub(crate) struct P99 {
    pub(crate) check_us: f64,
    pub(crate) exists_us: f64,
    pub(crate) ratio: f64,
}

/// Measures both at `rate` commands a second, in turn.
pub(crate) fn measure(stage: &Stage, rate: f64, rounds: usize) -> Result<P99> {
    let redis = stage.server()?;
    let (id, token, revoked) = (session_id(1), token(false), format!("bl:{}", digest(1)));
    Pipe::to(&redis)?.fill(1, 1, |_, to| {
        let begin = ["AUTH.SESSION", "CREATE", "user:1", &id, "EX", TTL_S];
        command(to, &[begin.as_slice(), &["DEVICE", &device()]].concat());
    })?;
    let (mut checks, mut exists) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        println!("latency: {rate:.0} a second, round {round} of {rounds}");
        checks.push(p99_us(&redis, rate, &["AUTH.CHECK", "user:1", &token, "SESSION", &id])?);
        exists.push(p99_us(&redis, rate, &["EXISTS", &revoked])?);
    }
    let ratios = checks.iter().zip(&exists).map(|(check, exists)| check / exists).collect();
    Ok(P99 { check_us: median(checks), exists_us: median(exists), ratio: median(ratios) })
}

/// One connection and the instants at which its unanswered commands were due.
struct Line {
    stream: UnixStream,
    waiting: VecDeque<Instant>,
}

fn p99_us(redis: &Redis, rate: f64, arguments: &[&str]) -> Result<f64> {
    let mut sent = Vec::new();
    command(&mut sent, arguments);
    let mut lines = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = UnixStream::connect(redis.socket())?;
        stream.set_nonblocking(true)?;
        lines.push(Line { stream, waiting: VecDeque::new() });
    }
    let total = (rate * SECONDS) as usize;
    let gap = Duration::from_secs_f64(1.0 / rate);
    let begun = Instant::now();
    let (mut due, mut next) = (begun, 0);
    let mut took_us = Vec::with_capacity(total);
    while took_us.len() < total {
        while next < total && due <= Instant::now() {
            let line = &mut lines[next % CONNECTIONS];
            line.stream.write_all(&sent)?;
            line.waiting.push_back(due);
            next += 1;
            due += gap;
        }
        for line in &mut lines {
            line.read(&mut took_us)?;
        }
        ensure!(begun.elapsed() < Duration::from_mins(1), "{rate:.0} a second are too many");
    }
    // The first tenth warms up.
    took_us.drain(..total / 10);
    took_us.sort_by(f64::total_cmp);
    Ok(took_us.get(took_us.len() * 99 / 100).copied().unwrap_or(f64::NAN))
}

impl Line {
    /// Takes the answers that have come.
    fn read(&mut self, took_us: &mut Vec<f64>) -> Result<()> {
        let mut answers = [0; 4096];
        if self.waiting.is_empty() {
            return Ok(());
        }
        let length = match self.stream.read(&mut answers) {
            Ok(length) => length,
            Err(fault) if fault.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(fault) => return Err(fault.into()),
        };
        for _ in answers[..length].split(|byte| *byte == b'\n').skip(1) {
            let due = self.waiting.pop_front();
            took_us.extend(due.map(|due| due.elapsed().as_secs_f64() * 1e6));
        }
        Ok(())
    }
}
