//! Slots that change servers in a cluster, with the user's ledger in one of them.

use crate::checking::{Scenario, assert_tells, must_break, must_hold};
use crate::events::{Left, NOTHING};
use crate::guards::COMES_BACK;
use crate::rules::{Guard, Rules};
use crate::scenarios::ONE;
use crate::world::Kind;

/// The slot moves while somebody ends a session, and what was on its way arrives at either.
const MOVED: Scenario = Scenario {
    name: "a slot moves, an end",
    kind: Kind::Cluster,
    left: Left { ends: 1, rounds: 1, hydrations: 1, slot_moves: 1, watches: 1, ..NOTHING },
    ..Scenario::logged_in(ONE)
};

/// There and back again.
const MOVED_TWICE: Scenario = Scenario {
    name: "a slot moves there and back, an end",
    kind: Kind::Cluster,
    left: Left { ends: 1, hydrations: 1, slot_moves: 2, watches: 1, ..NOTHING },
    ..Scenario::logged_in(ONE)
};

/// The same so fast that what was on its way arrives after both.
const MOVED_FAST: Scenario = Scenario {
    name: "a slot moves there and back within a token's life",
    kind: Kind::Cluster,
    left: Left { logins: 1, ends: 1, slot_moves: 2, fast_moves: true, ..NOTHING },
    ..Scenario::new(ONE)
};

/// Its old server starts from what was saved before it moves.
const MOVED_OLD: Scenario = Scenario {
    name: "a restart from a snapshot, a slot moves",
    kind: Kind::Cluster,
    left: Left { ends: 1, hydrations: 1, saves: 1, restarts: 1, slot_moves: 1, ..NOTHING },
    ..Scenario::logged_in(ONE)
};

/// The same when the other server's mark has gone on meanwhile.
const MOVED_OLD_MARK: Scenario = Scenario {
    name: "a restart from a snapshot, a slot moves, a moving mark",
    kind: Kind::Cluster,
    left: Left {
        ends: 1,
        hydrations: 1,
        saves: 1,
        restarts: 1,
        slot_moves: 1,
        mark_moves: 1,
        ..NOTHING
    },
    ..Scenario::logged_in(ONE)
};

/// There and back again, and its server starts from what was saved at some time before, between or after.
const MOVED_TWICE_OLD: Scenario = Scenario {
    name: "a slot moves there and back, a restart from a snapshot",
    kind: Kind::Cluster,
    left: Left {
        ends: 1,
        hydrations: 1,
        saves: 1,
        restarts: 1,
        slot_moves: 2,
        mark_moves: 1,
        ..NOTHING
    },
    ..Scenario::logged_in(ONE)
};

#[test]
fn a_slot_that_moves_brings_nothing_dead_along() {
    for scenario in [&MOVED, &MOVED_TWICE, &MOVED_OLD, &MOVED_OLD_MARK] {
        must_hold(scenario, Rules::BUILT);
    }
}

#[test]
#[ignore = "a minute: two million states"]
fn the_mark_says_nothing_wrong_of_a_slot_that_moved_there_and_back() {
    must_hold(&MOVED_TWICE_OLD, Rules::BUILT);
}

#[test]
fn a_ledger_that_nobody_vouched_for_makes_its_new_server_doubtful() {
    let trace = must_break(&MOVED_OLD, Rules::without(&[Guard::PayloadConfirmed]));
    assert_tells(&trace, &["starts from what was saved", "the slot leaves", COMES_BACK]);
}

#[test]
fn the_mark_says_nothing_of_a_slot_that_came_since() {
    let trace = must_break(&MOVED_OLD_MARK, Rules::without(&[Guard::MarkCovers]));
    assert_tells(&trace, &["SET mark", "the slot leaves", "accepts s0 for ever"]);
}

#[test]
fn a_slot_is_believed_when_it_was_compared() {
    let rules = Rules::without(&[Guard::BeliefBySlot, Guard::PayloadConfirmed]);
    let trace = must_break(&MOVED_OLD, rules);
    assert_tells(&trace, &["the slot leaves"]);
}

/// The fence is of one server, so it does not know what was ended while the slot was elsewhere.
#[test]
fn a_slot_must_not_be_back_within_a_tokens_life() {
    let trace = must_break(&MOVED_FAST, Rules::BUILT);
    assert_tells(&trace, &["the slot leaves server B", "CREATE s0", COMES_BACK]);
}
