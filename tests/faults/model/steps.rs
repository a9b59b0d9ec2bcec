//! What may happen, and how often it does.

use proptest::prelude::*;

/// Everybody in a sequence.
pub(super) const PEOPLE: usize = 3;

/// Seconds that a step may take: nothing to speak of, beyond the grace of a refresh, beyond an
/// access token, beyond the idle limit; and a clock that is put back.
const PAUSES: [i64; 7] = [1, 10, 31, 5 * 60, 16 * 60, 8 * 24 * 60 * 60, -60];

/// A token by its age: 0 is the newest.
type Age = usize;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    LogIn(usize),
    Refresh(Age),
    /// The same request twice at the same time.
    RefreshTwice(Age),
    LogOut(Age),
    /// Ends the session of the second token with the first.
    LogOutAnother(Age, Age),
    LogOutOthers(Age),
    LogOutAll(Age),
    ChangePassword(Age),
    Disable(usize),
    Enable(usize),
    SetAdmin(usize, bool),
    LogOutEveryone,
    /// Moves the clock by so many seconds.
    Pass(i64),
    /// Redis writes down what it has.
    Save,
    /// Redis is killed; the next start finds what was saved last.
    Kill,
    /// Redis starts again, should it be away.
    Start,
    /// `FLUSHALL`.
    Wipe,
    /// Another service takes the place of this one.
    Restart,
}

/// Ten to fifty steps. The stores fail about once in five steps.
pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let person = 0..PEOPLE;
    let age = || prop_oneof![3 => 0..3_usize, 1 => 0..50_usize];
    let step = prop_oneof![
        8 => person.clone().prop_map(Step::LogIn),
        6 => age().prop_map(Step::Refresh),
        2 => age().prop_map(Step::RefreshTwice),
        3 => age().prop_map(Step::LogOut),
        2 => (age(), age()).prop_map(|(by, of)| Step::LogOutAnother(by, of)),
        2 => age().prop_map(Step::LogOutOthers),
        1 => age().prop_map(Step::LogOutAll),
        1 => age().prop_map(Step::ChangePassword),
        1 => person.clone().prop_map(Step::Disable),
        2 => person.clone().prop_map(Step::Enable),
        2 => (person, any::<bool>()).prop_map(|(person, is)| Step::SetAdmin(person, is)),
        1 => Just(Step::LogOutEveryone),
        4 => prop::sample::select(&PAUSES[..]).prop_map(Step::Pass),
        1 => Just(Step::Save),
        1 => Just(Step::Kill),
        3 => Just(Step::Start),
        2 => Just(Step::Wipe),
        2 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 10..50)
}
