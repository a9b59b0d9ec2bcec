//! What comes between a question and its answer.

use std::future::Future as _;
use std::task::{Context, Waker};
use std::thread;

use portcullis_client::{Question, State, Verdict, Watch};
use portcullis_tests::wait_until;

use super::fake::Fake;
use super::patient;
use crate::about;
use crate::waiting::{block_on, check, know};

fn watching(fake: &Fake) -> Watch {
    let watch = Watch::connect(&fake.url(), patient()).unwrap();
    wait_until("it watches", || matches!(watch.state(), State::Watching { .. }));
    watch
}

/// Asks, and does something while the answer is on its way; what the caller got.
fn meanwhile(fake: &Fake, watch: &Watch, event: impl FnOnce()) -> Verdict {
    fake.world().is_held = true;
    let asked = fake.questions();
    let asking = watch.clone();
    let caller = thread::spawn(move || check(&asking, &about("42", "token", "s")));
    wait_until("the question has arrived", || fake.questions() > asked);
    event();
    fake.release();
    caller.join().unwrap().unwrap()
}

#[test]
fn an_answer_that_its_own_push_overtakes_is_known_no_more() {
    let fake = Fake::start();
    let watch = watching(&fake);
    // Said on the connection after the answer, and before it is heard.
    assert_eq!(meanwhile(&fake, &watch, || {}), Verdict::Ok);
    assert_eq!(watch.cached(b"token"), Some(Verdict::Ok));
    fake.push("user:42");
    wait_until("the push is heard", || watch.cached(b"token").is_none());
}

#[test]
fn an_answer_behind_a_push_is_dead_on_arrival() {
    let fake = Fake::start();
    let watch = watching(&fake);
    let verdict = meanwhile(&fake, &watch, || {
        // Said before the answer, though it is later than the question.
        fake.push_ahead(Some("user:42"));
        wait_until("the push is heard", || watch.stats().changes == 1);
    });
    assert_eq!(verdict, Verdict::Ok);
    assert_eq!(watch.cached(b"token"), None);
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
}

#[test]
fn a_push_about_everything_makes_answers_on_their_way_dead() {
    let fake = Fake::start();
    let watch = watching(&fake);
    know(&watch, &about("7", "another", "s"), Verdict::Ok);
    let eras = watch.stats().eras;
    meanwhile(&fake, &watch, || {
        fake.push_ahead(None);
        wait_until("the push is heard", || watch.stats().eras > eras);
    });
    assert_eq!((watch.cached(b"token"), watch.cached(b"another")), (None, None));
}

#[test]
fn forgetting_reaches_answers_on_their_way() {
    let fake = Fake::start();
    let watch = watching(&fake);
    know(&watch, &about("7", "another", "s"), Verdict::Ok);
    meanwhile(&fake, &watch, || watch.forget_all());
    assert_eq!((watch.cached(b"token"), watch.cached(b"another")), (None, None));
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
}

#[test]
fn a_push_about_somebody_else_costs_nothing() {
    let fake = Fake::start();
    let watch = watching(&fake);
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
    let changes = watch.stats().changes;
    (0..100).for_each(|other| fake.push(&format!("user:other-{other}")));
    wait_until("the pushes are heard", || watch.stats().changes == changes + 100);
    // One in 65,536 shares a cell.
    assert_eq!(watch.cached(b"token"), Some(Verdict::Ok));
}

#[test]
fn another_life_of_the_ledgers_ends_what_was_known_of_the_last() {
    let fake = Fake::start();
    let watch = watching(&fake);
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
    let (asked, eras) = (fake.questions(), watch.stats().eras);
    fake.world().life += 1;
    wait_until("the new life is seen", || watch.stats().eras > eras);
    wait_until("it watches", || matches!(watch.state(), State::Watching { .. }));
    assert_eq!(watch.cached(b"token"), None);
    assert_eq!(check(&watch, &about("42", "token", "s")), Ok(Verdict::Ok));
    assert_eq!(fake.questions(), asked + 1);
}

#[test]
fn a_verdict_is_of_the_question_that_was_asked() {
    let fake = Fake::start();
    let watch = watching(&fake);
    let first = about("42", "token", "s");
    know(&watch, &first, Verdict::Ok);
    let asked = fake.questions();
    assert_eq!(check(&watch, &first), Ok(Verdict::Ok));
    assert_eq!(fake.questions(), asked, "that one is known");
    fake.world().word = "NO_SESSION";
    let others = [
        about("42", "token", "t"),
        about("43", "token", "s"),
        Question { session: None, ..first },
        Question { issued_ms: Some(1), ..first },
        Question { token: b"toke", ..first },
        Question { token: b"tokens", ..first },
    ];
    for other in others {
        assert_eq!(check(&watch, &other), Ok(Verdict::NoSession), "{other:?}");
    }
}

#[test]
fn whoever_asks_the_same_at_the_same_moment_shares_the_answer() {
    let fake = Fake::start();
    fake.world().is_held = true;
    let watch = Watch::connect(&fake.url(), patient()).unwrap();
    let question = about("42", "token", "s");
    let mut answers: Vec<_> = (0..8).map(|_| Box::pin(watch.check(&question))).collect();
    // None may be asked before the server has introduced itself, so all of them wait together.
    for answer in &mut answers {
        assert!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    wait_until("the server was greeted", || fake.beats() > 3);
    fake.release();
    for answer in answers {
        assert_eq!(block_on(answer), Ok(Verdict::Ok));
    }
    assert_eq!(fake.questions(), 1);
}
