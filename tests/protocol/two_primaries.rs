//! Two servers call themselves primary for the same users: one that somebody is still connected to, and
//! one that was promoted without all that the other was told. MySQL says which is believed.

use crate::checking::{Scenario, assert_tells, must_break, must_hold};
use crate::events::{Left, NOTHING};
use crate::guards::COMES_BACK;
use crate::rules::{Guard, Rules};
use crate::scenarios::{ONE, TWO};
use crate::world::Kind;

/// An end at either of them.
const SPLIT: Scenario = Scenario {
    name: "two primaries, an end",
    kind: Kind::WithReplica,
    left: Left { ends: 1, hydrations: 1, splits: 1, ..NOTHING },
    ..Scenario::logged_in(TWO)
};

/// A row that the other one may hear first.
const SPLIT_BEHIND: Scenario = Scenario {
    name: "two primaries, a logout of everything",
    kind: Kind::WithReplica,
    left: Left { end_alls: 1, hydrations: 1, splits: 1, ..NOTHING },
    ..Scenario::logged_in(TWO)
};

/// An end that is committed late, behind the number at which the hydration begins.
const SPLIT_LATE: Scenario = Scenario {
    name: "two primaries, overtaken rows",
    kind: Kind::WithReplica,
    left: Left {
        logins: 1,
        ends: 1,
        hydrations: 1,
        splits: 1,
        slow_commits: true,
        old_saves: true,
        ..NOTHING
    },
    ..Scenario::logged_in(ONE)
};

/// The old one is the primary again, with its own data and a mark that was moved meanwhile.
const SPLIT_BACK: Scenario = Scenario {
    name: "two primaries, a moving mark, a change back",
    kind: Kind::WithReplica,
    left: Left { ends: 1, hydrations: 2, splits: 1, switches: 1, mark_moves: 1, ..NOTHING },
    ..Scenario::logged_in(ONE)
};

#[test]
fn of_two_primaries_the_one_that_is_believed_lacks_no_end() {
    for scenario in [&SPLIT, &SPLIT_BEHIND] {
        must_hold(scenario, Rules::BUILT);
    }
}

#[test]
#[ignore = "takes minutes"]
fn of_two_primaries_the_one_that_is_believed_lacks_no_end_in_larger_worlds() {
    for scenario in [&SPLIT_LATE, &SPLIT_BACK] {
        must_hold(scenario, Rules::BUILT);
    }
}

#[test]
fn without_vouching_an_instance_believes_the_old_primary_for_ever() {
    let trace = must_break(&SPLIT, Rules::without(&[Guard::Vouching]));
    assert_tells(&trace, &["becomes primary beside", "wait for ever"]);
}

#[test]
fn what_the_old_primary_was_told_is_not_told() {
    let trace = must_break(&SPLIT, Rules::without(&[Guard::CountsTold]));
    assert_tells(&trace, &["becomes primary beside", "marks rows"]);
}

#[test]
fn who_vouches_after_the_last_look_misses_what_the_old_primary_was_told() {
    let trace = must_break(&SPLIT, Rules::without(&[Guard::VouchedBeforeLooks]));
    assert_tells(&trace, &["becomes primary beside", COMES_BACK]);
}

#[test]
#[ignore = "takes a minute"]
fn without_a_look_at_late_rows_an_overtaken_end_is_missed() {
    let trace = must_break(&SPLIT_LATE, Rules::without(&[Guard::LateRows]));
    assert_tells(&trace, &["becomes primary beside", COMES_BACK]);
}

#[test]
fn whoever_finds_its_row_told_to_another_server_goes_on_asking_mysql() {
    let trace = must_break(&SPLIT_BEHIND, Rules::without(&[Guard::ToldElsewhere]));
    assert_tells(&trace, &["becomes primary beside", "whose end it answered"]);
}

#[test]
#[ignore = "takes a minute"]
fn the_mark_of_the_old_primary_takes_no_credit_for_what_the_new_one_was_told() {
    let trace = must_break(&SPLIT_BACK, Rules::without(&[Guard::MarkVouched]));
    assert_tells(&trace, &["becomes primary beside", "reads the position", "s0"]);
}
