//! A ledger of ten million revoked tokens and as many users: what `make bench-long` adds.

use anyhow::{Result, bail};
use portcullis_tests::servers;

use crate::report::{self, Bar, at_least, at_most};
use crate::speed::{self, Course, MANY, ONE};
use crate::stage::Stage;
use crate::subjects::{log_in, revoke};
use crate::{MILLION, footprint, module};

const COUNT: usize = 10 * MILLION;

/// Measures it, writes its part of the page, and answers the bars.
pub(crate) fn measure() -> Result<Vec<Bar>> {
    let [usual, ..] = servers() else { bail!("no server was found") };
    let stage = Stage::build()?;
    let machine = module::machine(usual);
    let course = Course { names: &[ONE, MANY], pipelines: &[16, 100], revoked: COUNT };
    let rates = speed::measure(&stage, usual, &course)?;
    println!("memory: {COUNT} of each kind");
    let token = footprint::bytes_each(&stage, COUNT, |redis| revoke(redis, "revoked", COUNT))?;
    let user = footprint::bytes_each(&stage, COUNT, |redis| log_in(redis, COUNT))?;
    let stall = footprint::longest_stall(&stage, COUNT)?;

    let ratio = |pipeline| rates.ratio(MANY, ONE, pipeline);
    let bars = vec![
        at_least("10⁷ revoked against 1 revoked, `-P 16`", 0.9, ratio(16)),
        at_least("10⁷ revoked against 1 revoked, `-P 100`", 0.9, ratio(100)),
        at_most("memory for each of 10⁷ revoked tokens", 64.0, token, "B"),
        at_most("memory for each of 10⁷ users with one session", 450.0, user, "B"),
        at_most(
            "longest `AUTH.BLACKLIST` while 10⁷ digests enter one ledger",
            5.0,
            stall.ours_ms,
            "ms",
        ),
    ];
    let beside = format!(
        "The longest `SET` while 10⁷ strings were stored instead took {:.1} ms.\n",
        stall.set_ms
    );
    let sections = [("Machine", machine), ("Bars", report::bars_table(&bars) + "\n" + &beside)];
    report::write(report::LONG, &sections)?;
    Ok(bars)
}
