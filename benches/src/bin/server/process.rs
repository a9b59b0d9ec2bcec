//! Verdicts kept in the process (`portcullis-client`), beside asking each time and beside a cache by time
//! alone: the part of the page that is about callers in Rust.
//!
//! The load is this program, so what is measured has its core, save where all cores are wanted.

mod caller;
mod hits;
mod revoking;

use std::fmt::Write as _;

use anyhow::{Result, bail};
use portcullis_tests::servers;

use crate::module::machine;
use crate::report::{self, Bar, at_least, at_most};
use crate::speed::{self, CHECK, Course, HASHED, NOOP, NOOP_OF_FOUR, Rates, UNTIL, UNTIL_HASHED};
use crate::stage::Stage;

/// Tokens in use, in a small service and in a large one.
const FEW: usize = 1_000;
const MANY: usize = 200_000;

/// Measures all of it, writes its part of the page, and answers the bars.
pub(crate) fn measure() -> Result<Vec<Bar>> {
    let [usual, ..] = servers() else { bail!("no server was found") };
    let stage = Stage::build()?;
    let machine = machine(usual);
    let course = Course {
        names: &[NOOP, CHECK, UNTIL, NOOP_OF_FOUR, HASHED, UNTIL_HASHED],
        pipelines: &[1, 16, 100],
        revoked: 1,
    };
    let rates = speed::measure(&stage, usual, &course)?;
    let until = |pipeline| rates.ratio(CHECK, UNTIL, pipeline);
    let hashed = |pipeline| rates.ratio(HASHED, UNTIL_HASHED, pipeline);
    let few = hits::measure(&stage, FEW)?;
    let many = hits::measure(&stage, MANY)?;
    let crowd = hits::crowd(&stage)?;
    let touched = hits::touched(&stage)?;
    let ended = revoking::measure(&stage)?;

    let bars = vec![
        at_most("a hit among 1,000 tokens, processor time", 80.0, few.kept, "ns"),
        at_most("a hit among 200,000 tokens, processor time", 400.0, many.kept, "ns"),
        at_least("16 threads on one token, for each core, against one thread", 0.63, crowd),
        at_most("revocation acknowledged to refused, p50", 50.0, ended.p50_us, "µs"),
        at_most("the same, p99", 2_000.0, ended.p99_us, "µs"),
        at_most("hits lost by a touch of everybody each minute", 0.1, touched, "%"),
        at_most("`UNTIL` against a plain check, one at a time", 1.25, until(1), ""),
        at_most("the same, `-P 16`", 1.25, until(16), ""),
        at_most("the same, `-P 100`", 1.25, until(100), ""),
        at_most("the same where the token is hashed, `-P 16`", 1.25, hashed(16), ""),
        at_most("the same where the token is hashed, `-P 100`", 1.25, hashed(100), ""),
    ];
    let mut table =
        "| processor time for one answer | 1,000 tokens | 200,000 tokens |\n".to_owned();
    table += "|---|---|---|\n";
    for (name, few_ns, many_ns) in [
        ("Portcullis, kept in the process", few.kept, many.kept),
        ("a map by time alone", few.naive, many.naive),
        ("`AUTH.CHECK` each time, one at a time", few.asked, many.asked),
    ] {
        writeln!(table, "| {name} | {few_ns:.0} ns | {many_ns:.0} ns |")?;
    }
    report::write(
        report::PROCESS,
        &[
            ("Machine", machine),
            ("Bars", report::bars_table(&bars)),
            ("Speed", table + &about(&ended) + &floor(&rates)),
        ],
    )?;
    Ok(bars)
}

/// What four values cost by themselves: what no command of a module can go below.
fn floor(rates: &Rates) -> String {
    let shown = |name, to| {
        [1, 16, 100].map(|pipeline| format!("{:.2}", rates.ratio(name, to, pipeline))).join(", ")
    };
    format!(
        "\nWhere `UNTIL` spends it, at `-P 1`, `-P 16` and `-P 100`: a no-op that answers four values takes {} of \
         one that answers `OK`; `UNTIL` takes {} of the former, and the plain check {} of the latter.\n",
        shown(NOOP, NOOP_OF_FOUR),
        shown(NOOP_OF_FOUR, UNTIL),
        shown(NOOP, CHECK),
    )
}

fn about(ended: &revoking::Ended) -> String {
    format!(
        "\nMedians of {} rounds; tokens of 295 bytes, each in the processor's cache as after a request, in random order. A session that was revoked is \
         refused {:.0} µs after the acknowledgement (p50; p99 {:.0} µs) in {} rounds. A map that keeps \
         answers for a second accepted it for {:.0} ms more, {} times.\n",
        speed::ROUNDS,
        ended.p50_us,
        ended.p99_us,
        revoking::ROUNDS,
        ended.naive_ms,
        ended.naive_accepted
    )
}
