//! The module and the service beside what people use today, on real servers, with ratios taken in
//! one run.
//!
//! `make bench` runs this; `--long` stores ten times as much, `module` or `service` measures only
//! that half. It prints the bars and writes `benches/RESULTS.md` with its charts. What is measured
//! has core 0, the load core 1.
//!
//! Instructions of one command at `-P 100`, by `valgrind --tool=callgrind` on Redis 7.0.15,
//! everything from parsing to the reply included (without SHA-NI, which callgrind does not know):
//!
//! ```text
//!                                              no-op   nothing revoked   no such key
//! before                                        5188              6654          4683
//! OK formatted once, one value lookup           5180              6238          4197
//! clock read only near an expiry, one function  5170              6008          4095
//! ```
//!
//! Of what a check takes above the no-op, the server's own key lookup is the most: 890 for opening
//! (two hash tables, as a ledger expires) and 140 for closing.
#![forbid(unsafe_code)]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and rates far below 2^52"
)]
#![expect(clippy::indexing_slicing, reason = "a bench may panic")]

mod chart;
mod footprint;
mod http;
mod latency;
mod pipe;
mod report;
mod speed;
mod stage;
mod subjects;

use anyhow::{Result, ensure};
use portcullis_tests::servers;

use crate::footprint::{Memory, Snapshot};
use crate::latency::P99;
use crate::report::{Bar, at_least, at_most};
use crate::speed::{CHECK, EVALSHA, HASHED, MANY, NOOP, ONE, Rates};

const MILLION: usize = 1_000_000;
const ROUNDS: usize = 3;

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_long = arguments.first().is_some_and(|first| first == "--long");
    arguments.drain(..usize::from(is_long));
    let wants = |half: &str| arguments.is_empty() || arguments == [half];
    ensure!(wants("module") || wants("service"), "usage: server [--long] [module | service]");
    stage::pin_ourselves()?;

    let mut bars = Vec::new();
    if wants("module") {
        bars.extend(measure_module(is_long)?);
    }
    if wants("service") {
        bars.extend(http::measure()?);
    }
    println!("\n{}", report::bars_table(&bars));
    Ok(())
}

fn measure_module(is_long: bool) -> Result<Vec<Bar>> {
    let stage = stage::Stage::build()?;
    let machine = report::machine(&[
        format!("server: {}, pinned to core 0; load on core 1", servers()[0].name),
        format!("load: {}", report::first_line("redis-benchmark", &["--version"])),
    ]);
    let rates = speed::measure(&stage, ROUNDS)?;
    let p99 = latency::measure(&stage, rates.median(CHECK, 1) / 2.0, ROUNDS)?;
    let memory = footprint::memory(&stage, MILLION)?;
    let entries = if is_long { 10 * MILLION } else { MILLION };
    let snapshots = footprint::snapshots(&stage, MILLION, 3)?;
    let stall = footprint::longest_stall(&stage, entries)?.as_secs_f64() * 1e3;

    let mut bars = speed_bars(&rates);
    bars.push(at_most("p99 at half of saturation, against `EXISTS`", 1.2, p99.ratio, ""));
    bars.extend(footprint_bars(&memory, &snapshots));
    let what = if is_long {
        "longest `AUTH.BLACKLIST` while 10⁷ digests enter one ledger"
    } else {
        "longest `AUTH.BLACKLIST` while 10⁶ digests enter one ledger"
    };
    bars.push(at_most(what, 5.0, stall, "ms"));
    report::write(
        report::MODULE,
        &[
            ("Machine", machine),
            ("Bars", report::bars_table(&bars)),
            ("Speed", report::rates_table(&rates) + &about_speed(&p99)),
            ("Footprint", report::footprint_table(&memory, &snapshots)),
            ("Charts", report::charts(&rates, &memory)?),
        ],
    )?;
    Ok(bars)
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
        "\nredis-benchmark with 50 connections and a token of 295 bytes; medians of {ROUNDS} \
         rounds. Ratios are of the server's CPU time for a command. *Any token* is another one in each request. \
         *Three commands* are `EXISTS`, `GET` and `HGET`, their \
         times added.\n\n\
         p99 at half of saturation: {:.0} µs, `EXISTS` {:.0} µs, at a steady rate on 8 \
         connections.\n",
        p99.check_us, p99.exists_us
    )
}
