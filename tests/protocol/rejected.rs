//! The design that was not built: a beginning carries a last instant by Redis' wall clock, and
//! endings are remembered inside the ledgers. It holds where nothing else goes wrong.

use crate::checking::{must_break, must_hold};
use crate::rules::Rules;
use crate::scenarios::{CLOCK, DELETED_MEANWHILE, FLUSHED_MEANWHILE, SLOW_LOGIN};

#[test]
fn the_rejected_design_holds_where_nothing_goes_wrong() {
    must_hold(&SLOW_LOGIN, Rules::REJECTED);
}

#[test]
fn the_rejected_design_falls_to_a_deleted_key() {
    let trace = must_break(&DELETED_MEANWHILE, Rules::REJECTED);
    assert!(trace.contains("the ledger is deleted"), "{trace}");
}

#[test]
fn the_rejected_design_falls_to_a_flush() {
    let trace = must_break(&FLUSHED_MEANWHILE, Rules::REJECTED);
    assert!(trace.contains("FLUSHALL"), "{trace}");
}

#[test]
fn the_rejected_design_falls_to_a_clock_that_steps_back() {
    let trace = must_break(&CLOCK, Rules::REJECTED);
    assert!(trace.contains("clock steps back"), "{trace}");
}
