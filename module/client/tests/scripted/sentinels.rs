//! Sentinels that name whom the test wants them to name.

use portcullis_client::{State, Unavailable, Verdict, Watch, Why};
use portcullis_tests::wait_until;

use super::{Fake, patient};
use crate::about;
use crate::waiting::{check, know};

/// Three sentinels, of whom each names the server on a port.
fn three(primary: &Fake) -> [Fake; 3] {
    let sentinels = [Fake::start(), Fake::start(), Fake::start()];
    for sentinel in &sentinels {
        sentinel.world().named = Some(primary.port());
    }
    sentinels
}

fn watch(sentinels: &[Fake]) -> Watch {
    let hosts: Vec<_> = sentinels.iter().map(|it| format!("127.0.0.1:{}", it.port())).collect();
    let url = format!("redis+sentinel://u:p@{}/ledgers/2?sentinel_pass=x", hosts.join(","));
    Watch::connect(&url, patient()).unwrap()
}

#[test]
fn the_server_that_most_sentinels_name_is_asked() {
    let (old, new) = (Fake::start(), Fake::start());
    let sentinels = three(&new);
    sentinels[0].world().named = Some(old.port());
    let watch = watch(&sentinels);
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
    assert_eq!((old.questions(), old.beats()), (0, 0));
    let said = |fake: &Fake| fake.world().heard.clone();
    let to_sentinel = said(&sentinels[0]);
    let name = ["SETNAME", "portcullis-client"];
    assert_eq!(to_sentinel[0], ["HELLO", "3", "AUTH", "default", "x", name[0], name[1]]);
    assert_eq!(to_sentinel[1], ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "ledgers"]);
    let to_primary = said(&new);
    assert_eq!(to_primary[0][..5], ["HELLO", "3", "AUTH", "u", "p"]);
    assert_eq!(to_primary[1], ["SELECT", "2"]);
}

#[test]
fn when_most_name_another_nothing_of_the_old_one_counts() {
    let (old, new) = (Fake::start(), Fake::start());
    let sentinels = three(&old);
    let watch = watch(&sentinels);
    let question = about("42", "token", "s");
    know(&watch, &question, Verdict::Ok);
    new.world().word = "REVOKED";
    sentinels[1].world().named = Some(new.port());
    sentinels[2].world().named = Some(new.port());
    wait_until("the new one is asked", || check(&watch, &question) == Ok(Verdict::Revoked));
}

#[test]
fn a_primary_that_most_do_not_name_is_believed_for_five_seconds_and_no_longer() {
    let (old, new) = (Fake::start(), Fake::start());
    let sentinels = three(&old);
    let watch = watch(&sentinels);
    let question = about("42", "token", "s");
    know(&watch, &question, Verdict::Ok);
    // Cut off together with the old one: the lease is for a minute, and all is answered.
    sentinels[1].world().is_held = true;
    sentinels[2].world().named = Some(new.port());
    wait_until("it is doubted", || watch.cached(b"token").is_none());
    let why = Why::NoMajority;
    assert_eq!(check(&watch, &question), Err(Unavailable::Doubtful(why.clone())));
    wait_until("it says so", || watch.state() == State::Doubtful(why.clone()));
    sentinels[2].world().named = Some(old.port());
    know(&watch, &question, Verdict::Ok);
    assert_eq!(watch.stats().connections, 1);
}

#[test]
fn whom_sentinels_name_must_be_a_primary() {
    let named = Fake::start();
    {
        let mut world = named.world();
        (world.role, world.info) = ("replica", "portcullis_require_confirm:1\r\n");
    }
    let watch = watch(&three(&named));
    wait_until("it is doubted", || watch.state() == State::Doubtful(Why::Replica));
    assert!(check(&watch, &about("42", "token", "s")).is_err());
}

#[test]
fn sentinels_that_know_no_such_primary_or_do_not_answer_are_told_of() {
    let sentinels = [Fake::start(), Fake::start(), Fake::start()];
    let watch = watch(&sentinels);
    wait_until("it is told", || watch.state() == State::Doubtful(Why::NoMajority));
    let refused = check(&watch, &about("42", "token", "s"));
    assert_eq!(refused, Err(Unavailable::Doubtful(Why::NoMajority)));
}
