//! Connections: how they begin, break, and come back.

use std::net::TcpListener;
use std::time::Duration;

use portcullis_client::{Options, State, Unavailable, Verdict, Watch, Why};
use portcullis_tests::{free_port, wait_until};

use super::fake::Fake;
use super::patient;
use crate::about;
use crate::waiting::{check, know};

#[test]
fn the_server_need_not_be_there_yet() {
    let watch = Watch::connect(&format!("redis://127.0.0.1:{}", free_port()), patient()).unwrap();
    wait_until("it was tried", || check(&watch, &about("42", "t", "s")) == Err(Unavailable::Away));
    assert_eq!(watch.state(), State::Away);
    assert_eq!(watch.cached(b"t"), None);
}

#[test]
fn a_lost_connection_ends_what_was_known_and_is_made_again() {
    let fake = Fake::start();
    let watch = Watch::connect(&fake.url(), patient()).unwrap();
    for round in 1..=20 {
        know(&watch, &about("42", "token", "s"), Verdict::Ok);
        let eras = watch.stats().eras;
        fake.hang_up();
        wait_until("it is noticed", || watch.stats().eras > eras);
        wait_until("it watches", || matches!(watch.state(), State::Watching { .. }));
        assert_eq!(watch.cached(b"token"), None, "round {round}");
    }
}

#[test]
fn whoever_waits_on_a_connection_that_is_lost_is_answered_on_the_next() {
    let fake = Fake::start();
    let watch = Watch::connect(&fake.url(), patient()).unwrap();
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
    fake.world().is_held = true;
    let asked = fake.questions();
    let asking = watch.clone();
    let caller = std::thread::spawn(move || check(&asking, &about("7", "another", "s")));
    wait_until("the question has arrived", || fake.questions() > asked);
    fake.hang_up();
    fake.release();
    assert_eq!(caller.join().unwrap(), Ok(Verdict::Ok));
    assert_eq!(fake.questions(), asked + 2);
}

#[test]
fn what_is_no_resp3_ends_the_connection() {
    let fake = Fake::start();
    let watch = Watch::connect(&fake.url(), patient()).unwrap();
    let endless = [b"+".as_slice(), &vec![b'x'; 100_000]].concat();
    let deep = "*1\r\n".repeat(1000);
    let attributes = "|0\r\n".repeat(1000);
    let rubbish: [&[u8]; 9] = [
        b"HTTP/1.1 200 OK\r\n",
        b"+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n",
        b"$99999999999\r\n",
        b"*-2\r\n",
        b">2\r\n$10\r\ninvalidate\r\n*99999999\r\n",
        b"$3\r\nabcdef\r\n",
        deep.as_bytes(),
        attributes.as_bytes(),
        &endless,
    ];
    for rubbish in rubbish {
        know(&watch, &about("42", "token", "s"), Verdict::Ok);
        let connections = watch.stats().connections;
        fake.say(rubbish);
        let text = String::from_utf8_lossy(&rubbish[..rubbish.len().min(20)]).into_owned();
        wait_until(&format!("{text:?} ends the connection"), || {
            watch.stats().connections > connections
        });
    }
}

#[test]
fn silence_ends_the_connection() {
    let fake = Fake::start();
    let options = Options { lease: Duration::from_millis(20), ..patient() };
    let watch = Watch::connect(&fake.url(), options).unwrap();
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
    let connections = watch.stats().connections;
    fake.world().is_held = true;
    wait_until("another is made", || watch.stats().connections > connections);
    // In order: the greeting of the new one may have been held back as well.
    fake.release();
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let options = Options {
        lease: Duration::from_millis(20),
        deadline: Duration::from_millis(20),
        ..patient()
    };
    let watch = Watch::connect(&url, options).unwrap();
    assert!(check(&watch, &about("42", "token", "s")).is_err());
    wait_until("it is tried again", || watch.stats().connections > 1);
}

#[test]
fn who_we_are_stands_in_the_address() {
    let fake = Fake::start();
    let url = format!("redis://us%40er:p%2Fa%3As%25@127.0.0.1:{}/3", fake.port());
    let watch = Watch::connect(&url, patient()).unwrap();
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
    let heard = fake.world().heard.clone();
    let name = ["SETNAME", "portcullis-client"];
    assert_eq!(heard[0], ["HELLO", "3", "AUTH", "us@er", "p/a:s%", name[0], name[1]]);
    assert_eq!(heard[1], ["SELECT", "3"]);
}

#[test]
fn a_wrong_password_is_said_to_be_one() {
    let fake = Fake::start();
    fake.world().hello_error = Some("WRONGPASS invalid username-password pair");
    let url = format!("redis://user:wrong@127.0.0.1:{}", fake.port());
    let watch = Watch::connect(&url, patient()).unwrap();
    let why = Why::Credentials;
    wait_until("it doubts", || watch.state() == State::Doubtful(why.clone()));
    wait_until("callers hear of it", || {
        check(&watch, &about("42", "t", "s")) == Err(Unavailable::Doubtful(why.clone()))
    });
    fake.world().hello_error = None;
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
}

#[test]
fn the_last_watch_takes_its_connection_along() {
    let fake = Fake::start();
    let watch = Watch::connect(&fake.url(), patient()).unwrap();
    let other = watch.clone();
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
    drop(watch);
    let beats = fake.beats();
    wait_until("the other goes on", || fake.beats() > beats + 2);
    drop(other);
    wait_until("the beats end", || {
        let beats = fake.beats();
        std::thread::sleep(Duration::from_millis(50));
        fake.beats() == beats
    });
}
