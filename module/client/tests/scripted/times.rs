//! Clocks: the server's, a token's own, and ours.

use std::thread;
use std::time::{Duration, SystemTime};

use portcullis_client::{Options, State, Unavailable, Verdict, Watch};
use portcullis_tests::wait_until;

use super::fake::{Fake, NEVER};
use super::patient;
use crate::about;
use crate::waiting::{check, know};

#[test]
fn a_verdict_ends_when_its_time_comes_though_nobody_says_so() {
    let fake = Fake::start();
    let watch = Watch::connect(&fake.url(), patient()).unwrap();
    know(&watch, &about("7", "longer", "s"), Verdict::Ok);
    fake.world().until = 1_000_300;
    // No beat tells the time meanwhile.
    assert_eq!(check(&watch, &about("42", "token", "s")), Ok(Verdict::Ok));
    fake.world().is_held = true;
    wait_until("its time has come", || watch.cached(b"token").is_none());
    assert_eq!(watch.cached(b"longer"), Some(Verdict::Ok));
}

#[test]
fn a_servers_clock_that_is_set_ahead_is_followed() {
    let fake = Fake::start();
    let watch = Watch::connect(&fake.url(), patient()).unwrap();
    fake.world().until = 2_000_000;
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
    fake.world().now = 2_000_000;
    wait_until("its time has come", || watch.cached(b"token").is_none());
}

#[test]
fn a_servers_clock_that_is_set_back_has_everything_asked_again() {
    let fake = Fake::start();
    let watch = Watch::connect(&fake.url(), patient()).unwrap();
    fake.world().word = "NO_SESSION";
    know(&watch, &about("42", "token", "s"), Verdict::NoSession);
    let eras = watch.stats().eras;
    {
        let mut world = fake.world();
        // What had expired is good again.
        (world.word, world.now) = ("OK", 500_000);
    }
    wait_until("it is seen", || watch.stats().eras > eras);
    assert_eq!(check(&watch, &about("42", "token", "s")), Ok(Verdict::Ok));
}

#[test]
fn a_token_is_dead_when_its_own_time_has_passed() {
    let fake = Fake::start();
    let watch = Watch::connect(&fake.url(), patient()).unwrap();
    let mut question = about("42", "token", "s");
    question.expires = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_001));
    know(&watch, &question, Verdict::Ok);
    fake.world().now = 1_001_000;
    wait_until("its time has come", || watch.cached(b"token").is_none());
    assert_eq!(check(&watch, &question), Err(Unavailable::Expired));
    assert_eq!(watch.cached(b"token"), None);
    question.expires = None;
    assert_eq!(check(&watch, &question), Ok(Verdict::Ok));
}

#[test]
fn numbers_out_of_this_world_harm_nobody() {
    let fake = Fake::start();
    let watch = Watch::connect(&fake.url(), patient()).unwrap();
    for (until, now) in [(i64::MAX, i64::MAX), (i64::MIN, i64::MIN), (NEVER, i64::MIN), (0, 0)] {
        {
            let mut world = fake.world();
            (world.until, world.now) = (until, now);
        }
        assert_eq!(check(&watch, &about("42", "token", "s")), Ok(Verdict::Ok));
    }
}

#[test]
fn without_answers_the_lease_ends_and_comes_back_with_them() {
    let fake = Fake::start();
    // So long that the connection is not given up while this runs.
    let options =
        Options { lease: Duration::from_secs(2), deadline: Duration::from_millis(50), ..patient() };
    let watch = Watch::connect(&fake.url(), options).unwrap();
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
    fake.world().is_held = true;
    wait_until("the lease is over", || watch.state() == State::Lapsed);
    assert_eq!(watch.cached(b"token"), None);
    assert_eq!(check(&watch, &about("42", "token", "s")), Err(Unavailable::Deadline));
    fake.release();
    // Nothing was lost meanwhile, and the late answer was in its place.
    wait_until("it is known again", || watch.cached(b"token") == Some(Verdict::Ok));
    // A busy machine may need longer than the deadline.
    know(&watch, &about("7", "another", "s"), Verdict::Ok);
    assert_eq!(watch.stats().connections, 1);
}

#[test]
fn an_answer_as_old_as_the_lease_is_none() {
    let fake = Fake::start();
    let lease = Duration::from_secs(2);
    let watch = Watch::connect(&fake.url(), Options { lease, ..patient() }).unwrap();
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
    fake.world().is_held = true;
    let asked = fake.questions();
    let asking = watch.clone();
    let caller = thread::spawn(move || check(&asking, &about("7", "late", "s")));
    wait_until("the question has arrived", || fake.questions() > asked);
    // The lease was renewed no later than the question was sent.
    wait_until("the lease is over", || watch.state() == State::Lapsed);
    thread::sleep(lease);
    fake.release();
    let outcome = caller.join().unwrap();
    assert!(matches!(outcome, Err(Unavailable::Late)), "{outcome:?}");
}
