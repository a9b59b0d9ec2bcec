//! MySQL comes back without its last commits: an end, or a login that is on its way.

use crate::checking::{Scenario, assert_tells, must_break, must_hold};
use crate::events::{Left, NOTHING};
use crate::rules::{Guard, Rules};
use crate::scenarios::{AHEAD, TWO};

/// An end is lost.
const LOST_END: Scenario = Scenario {
    name: "a lost end",
    left: Left { ends: 1, rounds: 1, keeps: 1, go_backs: 1, cuts: 1, ..NOTHING },
    ..Scenario::logged_in(TWO)
};

/// A login is lost, and what it told is on its way; a host is ahead.
const LOST_LOGIN: Scenario = Scenario {
    name: "a lost login, a clock ahead",
    left: Left { logins: 1, keeps: 1, go_backs: 1, ..NOTHING },
    ..Scenario::new(AHEAD)
};

/// An end is lost, and its number given to a login.
const REUSED: Scenario = Scenario {
    name: "a lost end, its number again",
    left: Left { logins: 1, ends: 1, rounds: 1, keeps: 1, go_backs: 1, ..NOTHING },
    ..Scenario::logged_in(TWO)
};

/// It goes back twice, the second time perhaps to before it was noticed.
const TWICE: Scenario = Scenario {
    name: "MySQL goes back twice",
    left: Left { ends: 1, keeps: 2, go_backs: 2, ..NOTHING },
    ..Scenario::logged_in(TWO)
};

#[test]
fn a_number_that_is_given_again_hides_nothing() {
    must_hold(&REUSED, Rules::BUILT);
}

#[test]
fn a_return_may_be_lost_as_well() {
    must_hold(&TWICE, Rules::BUILT);
}

#[test]
fn without_signs_a_row_of_the_same_number_hides_what_was_lost() {
    let trace = must_break(&REUSED, Rules::without(&[Guard::NotesSigned]));
    assert_tells(&trace, &["MySQL goes back", "by MySQL"]);
}

#[test]
fn what_mysql_has_lost_is_not_accepted_by_it() {
    for scenario in [&LOST_END, &LOST_LOGIN] {
        must_hold(scenario, Rules::BUILT);
    }
}

#[test]
fn without_a_look_at_notes_mysql_brings_an_ended_session_back() {
    let trace = must_break(&LOST_END, Rules::without(&[Guard::NotesLooked]));
    assert_tells(&trace, &["MySQL goes back", "by MySQL"]);
}

#[test]
fn without_the_notes_of_others_an_instance_suspects_nothing() {
    let trace = must_break(&LOST_END, Rules::without(&[Guard::NotesOfOthers]));
    assert_tells(&trace, &["MySQL goes back", "by MySQL"]);
}

#[test]
fn a_return_that_logs_nobody_out_brings_an_ended_session_back() {
    let trace = must_break(&LOST_END, Rules::without(&[Guard::ReturnEnds]));
    assert_tells(&trace, &["MySQL goes back", "MySQL lacks commits", "by MySQL"]);
}

#[test]
fn a_return_that_is_seen_before_its_watermark_brings_an_ended_session_back() {
    let trace = must_break(&LOST_END, Rules::without(&[Guard::ReturnsAtOnce]));
    assert_tells(&trace, &["MySQL goes back", "MySQL lacks commits", "by MySQL"]);
}

#[test]
fn whoever_adopts_a_return_learns_the_watermark_before_redis_is_believed() {
    let trace = must_break(&LOST_END, Rules::without(&[Guard::AdoptsEverybody]));
    assert_tells(&trace, &["MySQL goes back", "adopts", "whose end it answered"]);
}

/// A second line: a note is in Redis when what it tells has arrived there, so nobody else returns earlier,
/// and who has begun the session does not return to before it.
#[test]
fn a_lost_login_on_its_way_does_not_outlive_a_return_even_if_nobody_waits_for_tokens() {
    must_hold(&LOST_LOGIN, Rules::without(&[Guard::WaitsForTokens]));
}
