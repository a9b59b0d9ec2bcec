//! The module: `AUTH.CHECK` beside what people use today, on every server that is present.

use anyhow::{Result, bail};
use portcullis_tests::{Server, servers};

use crate::footprint::{self, Memory, Snapshot};
use crate::latency::{self, P99};
use crate::report::{self, Bar, at_least, at_most};
use crate::speed::{
    self, CHECK, Course, EVALSHA, HASHED, MANY, NAMES, NOOP, ONE, PIPELINES, Rates,
};
use crate::stage::Stage;
use crate::{MILLION, ROUNDS};

/// Measures all of it, writes its half of the page, and answers the bars.
pub(crate) fn measure() -> Result<Vec<Bar>> {
    let [usual, others @ ..] = servers() else { bail!("no server was found") };
    let stage = Stage::build()?;
    let machine = machine(usual);
    let course = Course { names: &NAMES, pipelines: &PIPELINES, revoked: MILLION };
    let rates = speed::measure(&stage, usual, &course)?;
    let p99 = latency::measure(&stage, rates.median(CHECK, 1) / 2.0, ROUNDS)?;
    let memory = footprint::memory(&stage, MILLION)?;
    let snapshots = footprint::snapshots(&stage, MILLION, ROUNDS)?;
    let stall = footprint::longest_stall(&stage, MILLION)?;
    let elsewhere = elsewhere(&stage, others)?;

    let mut bars = speed_bars(&rates);
    bars.push(at_most("p99 at half of saturation, against `EXISTS`", 1.2, p99.ratio, ""));
    bars.extend(footprint_bars(&memory, &snapshots));
    let what = "longest `AUTH.BLACKLIST` while 10⁶ digests enter one ledger";
    bars.push(at_most(what, 5.0, stall.ours_ms, "ms"));
    report::write(
        report::MODULE,
        &[
            ("Machine", machine),
            ("Bars", report::bars_table(&bars)),
            ("Speed", report::rates_table(&rates) + &about_speed(&p99)),
            ("Other servers", report::elsewhere(&elsewhere)),
            ("Footprint", report::footprint_table(&memory, &snapshots, &stall)),
            ("Charts", report::charts(&rates, &memory)?),
        ],
    )?;
    Ok(bars)
}

/// What this half is measured on.
pub(crate) fn machine(server: &Server) -> String {
    report::machine(&[
        format!("server: {}, pinned to core 0; load on core 1", server.name),
        format!("load: {}", report::first_line("redis-benchmark", &["--version"])),
    ])
}

/// The same speeds, and what they say of the bars, on the other servers.
fn elsewhere(stage: &Stage, others: &[Server]) -> Result<Vec<(String, Vec<Bar>, Rates)>> {
    let course = Course { names: &NAMES, pipelines: &PIPELINES[1..], revoked: MILLION };
    let on = |server: &Server| {
        let rates = speed::measure(stage, server, &course)?;
        Ok((server.name.clone(), speed_bars(&rates), rates))
    };
    others.iter().map(on).collect()
}

fn speed_bars(rates: &Rates) -> Vec<Bar> {
    let ratio = |name, to, pipeline| rates.ratio(name, to, pipeline);
    vec![
        at_least("nothing revoked, against the no-op, `-P 16`", 0.9, ratio(CHECK, NOOP, 16)),
        at_least("nothing revoked, against the no-op, `-P 100`", 0.9, ratio(CHECK, NOOP, 100)),
        at_least("against `EVALSHA` doing the same, `-P 16`", 4.5, ratio(CHECK, EVALSHA, 16)),
        at_least("against three commands, `-P 16`", 2.5, rates.ratio_to_three(16)),
        at_least("token is hashed, against the no-op, `-P 16`", 0.6, ratio(HASHED, NOOP, 16)),
        at_least("token is hashed, against the no-op, `-P 100`", 0.6, ratio(HASHED, NOOP, 100)),
        at_least("10⁶ revoked against 1 revoked, `-P 16`", 0.9, ratio(MANY, ONE, 16)),
        at_least("10⁶ revoked against 1 revoked, `-P 100`", 0.9, ratio(MANY, ONE, 100)),
    ]
}

fn footprint_bars(memory: &Memory, [ledgers, hashes]: &[Snapshot; 2]) -> Vec<Bar> {
    let time = (ledgers.save_s + ledgers.load_s) / (hashes.save_s + hashes.load_s);
    vec![
        at_most("memory for each of 10⁶ revoked tokens", 64.0, memory.revoked, "B"),
        at_most("memory for each user with one session", 450.0, memory.user, "B"),
        at_most("10⁶ ledgers saved and loaded, against hashes: time", 1.0, time, ""),
        at_most("the same: size", 1.0, ledgers.bytes / hashes.bytes, ""),
    ]
}

fn about_speed(p99: &P99) -> String {
    format!(
        "\nredis-benchmark with 50 connections and a token of 295 bytes; medians of {} \
         rounds. Ratios are of the server's CPU time for a command. *Any token* is another one in each request, \
         *many* revoked are 10⁶. *Three commands* are `EXISTS`, `GET` and `HGET`, their \
         times added.\n\n\
         p99 at half of saturation: {:.0} µs, `EXISTS` {:.0} µs, at a steady rate on 8 \
         connections.\n",
        speed::ROUNDS,
        p99.check_us,
        p99.exists_us
    )
}
