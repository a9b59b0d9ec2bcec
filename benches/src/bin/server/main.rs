//! The module and the service beside what people use today, on real servers, with ratios taken in
//! one run.
//!
//! `make bench` runs this. Named parts are measured by themselves: `module`, `process`, `service`, `bill`
//! (what each thing costs, for `portcullis-sizing`), and `long`, which is a ledger of ten million. It
//! prints the bars and writes `benches/RESULTS.md` with its charts. What is measured has core 0, the load
//! core 1.
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
//! (two hash tables, as a ledger expires) and 140 for closing. The module's own code is 350; the
//! reply that is formatted already gives 500 back.
//!
//! Where a ledger has a million revoked digests, a check waits for the line of marks of its bucket,
//! whose place is known only when the token is hashed, so nothing can be fetched ahead. Marks apart
//! from the buckets (1 MB, not 4) and of three bits (3 % walk on to the rows, not 12 %) brought the
//! rate against a ledger of one digest from 0.74 to 0.85 at `-P 16` and from 0.72 to 0.80 at
//! `-P 100`, old and new in turn on a busy machine. What is left is that one miss.
#![forbid(unsafe_code)]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and rates far below 2^52"
)]
#![expect(clippy::indexing_slicing, reason = "a bench may panic")]

mod bill;
mod chart;
mod footprint;
mod http;
mod latency;
mod long;
mod module;
mod pipe;
mod process;
mod report;
mod speed;
mod stage;
mod subjects;

use anyhow::{Result, ensure};

const MILLION: usize = 1_000_000;
const ROUNDS: usize = 3;

/// What can be measured by itself.
const PARTS: [&str; 5] = ["module", "long", "process", "service", "bill"];

fn main() -> Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let is_known = |part: &String| PARTS.contains(&part.as_str());
    ensure!(given.iter().all(is_known), "usage: server [{}]…", PARTS.join(" | "));
    let wants = |part: &str| {
        if given.is_empty() { part != "long" } else { given.iter().any(|named| named == part) }
    };
    stage::pin_ourselves()?;

    let mut bars = Vec::new();
    if wants("module") {
        bars.extend(module::measure()?);
    }
    if wants("long") {
        bars.extend(long::measure()?);
    }
    if wants("process") {
        bars.extend(process::measure()?);
    }
    if wants("service") {
        bars.extend(http::measure()?);
    }
    if wants("bill") {
        bill::measure()?;
    }
    println!("\n{}", report::bars_table(&bars));
    Ok(())
}
