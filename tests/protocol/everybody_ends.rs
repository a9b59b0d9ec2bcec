//! Everybody is logged out by one watermark.

use crate::checking::{Scenario, assert_tells, must_break, must_hold};
use crate::events::{Left, NOTHING};
use crate::rules::{Guard, Rules};
use crate::scenarios::{AHEAD, ONE, TWO};

/// Between logins, one of them by a host that is ahead.
const EVERYBODY: Scenario = Scenario {
    name: "a logout of everybody, two logins, a clock ahead",
    left: Left { logins: 2, end_everybodys: 1, ..NOTHING },
    ..Scenario::new(AHEAD)
};

/// A server that does not hear of it at once.
const EVERYBODY_PENDING: Scenario = Scenario {
    name: "a logout of everybody, a lost connection",
    left: Left { end_everybodys: 1, cuts: 2, watches: 2, ..NOTHING },
    ..Scenario::logged_in(TWO)
};

/// A server that starts from what was saved before.
const EVERYBODY_RESTARTED: Scenario = Scenario {
    name: "a logout of everybody, a restart from a snapshot",
    left: Left { logins: 1, end_everybodys: 1, hydrations: 1, saves: 1, restarts: 1, ..NOTHING },
    ..Scenario::logged_in(ONE)
};

#[test]
fn nobody_outlives_a_logout_of_everybody() {
    for scenario in [&EVERYBODY, &EVERYBODY_PENDING, &EVERYBODY_RESTARTED] {
        must_hold(scenario, Rules::BUILT);
    }
}

#[test]
fn a_server_that_has_not_heard_of_a_logout_of_everybody_is_not_asked() {
    let trace = must_break(&EVERYBODY_PENDING, Rules::without(&[Guard::EverybodyHeard]));
    assert_tells(&trace, &["everybody's sessions are ended", "whose end it answered"]);
}

#[test]
fn who_logs_in_after_a_logout_of_everybody_is_not_begun_before_it() {
    let trace = must_break(&EVERYBODY, Rules::without(&[Guard::EverybodyFirst]));
    assert_tells(&trace, &["everybody's sessions are ended", "lives and is refused for ever"]);
}

#[test]
fn whoever_confirms_a_server_tells_it_of_a_logout_of_everybody() {
    let trace = must_break(&EVERYBODY_RESTARTED, Rules::without(&[Guard::ConfirmsEverybody]));
    assert_tells(&trace, &["starts from what was saved", "AUTH.CONFIRM with", "says OK"]);
}
