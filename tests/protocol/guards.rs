//! Each guard is there for something: taken out, a promise is broken, and the trace shows how.

use crate::checking::{assert_tells, must_break, must_hold};
use crate::rules::{Guard, Rules};
use crate::scenarios::{
    ALL_ENDED, ALL_ENDED_AHEAD, DELETED, DELETED_FOR_GOOD, FLUSHED, FLUSHED_ONCE, LACKING,
    LATE_LOGIN, OVERTAKEN, OVERTAKEN_LOOK, PENDING, RESTARTED_MARK, RESTARTED_OLD, RETOLD,
    SLOW_LOGIN, SWITCHED, SWITCHED_MARK, TWO_AT_ONCE,
};

/// How a trace ends in which an ended session is live.
pub(crate) const COMES_BACK: &str = "says OK to the ended s0";

#[test]
fn f_01_without_a_fence_a_late_login_brings_an_ended_session_back() {
    let trace = must_break(&LATE_LOGIN, Rules::without(&[Guard::Fence]));
    assert_tells(&trace, &["REVOKE s0", "CREATE s0", COMES_BACK]);
}

#[test]
fn f_01_without_a_fence_a_dead_hydration_brings_an_ended_session_back() {
    let trace = must_break(&FLUSHED, Rules::without(&[Guard::Fence]));
    assert_tells(&trace, &["whose sender has gone: CREATE s0", COMES_BACK]);
}

#[test]
fn without_lives_a_token_of_an_earlier_process_is_good() {
    let trace = must_break(&RESTARTED_MARK, Rules::without(&[Guard::Life]));
    assert_tells(&trace, &["starts from what was saved", "CREATE s0", COMES_BACK]);
}

#[test]
fn without_memory_a_beginning_read_before_an_end_is_taken_after_it() {
    let trace = must_break(&SLOW_LOGIN, Rules::without(&[Guard::Memory]));
    assert_tells(&trace, &["REVOKE s0", "CREATE s0", COMES_BACK]);
}

#[test]
fn a_token_asked_for_after_reading_proves_nothing() {
    let trace = must_break(&SLOW_LOGIN, Rules::without(&[Guard::AskedBefore]));
    assert_tells(&trace, &["endings are forgotten", "CREATE s0", COMES_BACK]);
}

#[test]
fn what_is_told_again_without_asking_mysql_brings_an_ended_session_back() {
    let trace = must_break(&RETOLD, Rules::without(&[Guard::EndedNotBegun]));
    assert_tells(&trace, &["CREATE s0"]);
}

#[test]
fn without_names_a_session_of_a_host_ahead_outlives_a_logout_of_everything() {
    let trace = must_break(&ALL_ENDED_AHEAD, Rules::without(&[Guard::Names]));
    assert_tells(&trace, &["REVOKEALL", "everything is ended"]);
}

#[test]
fn a_confirmation_that_names_no_life_confirms_what_others_were_told() {
    let trace = must_break(&SWITCHED, Rules::without(&[Guard::ConfirmNamesLife]));
    assert_tells(&trace, &["becomes a replica", "AUTH.CONFIRM", COMES_BACK]);
}

#[test]
fn a_mark_that_names_no_life_takes_credit_for_what_others_were_told() {
    let trace = must_break(&SWITCHED_MARK, Rules::without(&[Guard::MarkNamesLife]));
    assert_tells(&trace, &["becomes a replica", "reads the position and sends the mark"]);
}

#[test]
fn without_a_sweep_old_data_keeps_what_has_ended() {
    let trace = must_break(&RESTARTED_OLD, Rules::without(&[Guard::Sweep]));
    assert_tells(&trace, &["starts from what was saved", COMES_BACK]);
}

#[test]
fn what_came_since_the_mark_is_compared_and_nobody_else_is_missed() {
    // Nobody puts back what a hydration has missed.
    must_hold(&LACKING, Rules::without(&[Guard::Repair]));
    let trace = must_break(&LACKING, Rules::without(&[Guard::Repair, Guard::ComparesChanged]));
    assert_tells(&trace, &["starts from what was saved", "lives and is refused for ever"]);
}

#[test]
fn f_02_a_mark_beyond_an_open_transaction_loses_its_end() {
    let trace = must_break(&OVERTAKEN, Rules::without(&[Guard::OpenTransactions]));
    assert_tells(&trace, &["commits row 2", "starts from what was saved", COMES_BACK]);
}

#[test]
fn a_last_look_that_passes_over_low_numbers_misses_an_overtaken_end() {
    let trace = must_break(&OVERTAKEN_LOOK, Rules::without(&[Guard::LooksAtAll]));
    assert_tells(&trace, &["AUTH.CONFIRM", COMES_BACK]);
}

#[test]
fn whoever_answered_an_end_believes_redis_only_when_it_was_told() {
    let trace = must_break(&PENDING, Rules::without(&[Guard::Behind]));
    assert_tells(&trace, &["whose end it answered"]);
}

#[test]
fn without_a_repair_a_deleted_ledger_refuses_the_living_for_ever() {
    let trace = must_break(&DELETED_FOR_GOOD, Rules::without(&[Guard::Repair]));
    assert_tells(&trace, &["the ledger is deleted", "lives and is refused for ever"]);
}

// --- second lines: where one guard covers for another, both must be gone ---

#[test]
fn the_watermark_covers_a_logout_that_names_nobody() {
    must_hold(&ALL_ENDED, Rules::without(&[Guard::Names, Guard::EndedNotBegun]));
    let rules = Rules::without(&[Guard::Names, Guard::EndedNotBegun, Guard::Watermark]);
    let trace = must_break(&ALL_ENDED, rules);
    assert_tells(&trace, &["REVOKEALL", "CREATE s0"]);
}

#[test]
fn endings_read_last_cover_for_the_fence_while_a_hydration_lives() {
    must_hold(&FLUSHED_ONCE, Rules::without(&[Guard::Fence]));
    must_hold(&FLUSHED_ONCE, Rules::without(&[Guard::EndingsReadLast]));
    let rules = Rules::without(&[Guard::Fence, Guard::EndingsReadLast]);
    assert_tells(&must_break(&FLUSHED_ONCE, rules), &["REVOKE s0", "CREATE s0", COMES_BACK]);
}

#[test]
fn a_repair_without_its_locks_is_harmless_because_mysql_is_asked_again() {
    must_hold(&DELETED, Rules::without(&[Guard::RepairHolds]));
    must_break(&DELETED, Rules::without(&[Guard::EndedNotBegun]));
}

/// Once the life is named, nothing is found that the comparison alone prevents; and it alone does
/// not prevent what the life does.
#[test]
fn comparing_marks_is_no_substitute_for_naming_lives() {
    for scenario in [&TWO_AT_ONCE, &SWITCHED, &SWITCHED_MARK] {
        must_hold(scenario, Rules::without(&[Guard::MarkCompared]));
    }
    must_break(&SWITCHED, Rules::without(&[Guard::ConfirmNamesLife]));
    must_break(&SWITCHED, Rules::without(&[Guard::ConfirmNamesLife, Guard::MarkCompared]));
}
