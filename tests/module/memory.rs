//! `MEMORY USAGE` against what the server's memory really grew by.

use portcullis_tests::{Redis, wait_until};

use crate::ledgers::revoke_many;
use crate::talk::{self, Talk};
use crate::{everywhere, on_each_server};

/// Asked twice, because the first answer is given before the connection has its buffers.
fn used(talk: &mut Talk) -> i64 {
    talk.info("memory", "used_memory");
    talk.info("memory", "used_memory").parse().expect("bytes")
}

fn told(talk: &mut Talk, key: &str) -> i64 {
    talk.say(&format!("MEMORY USAGE {key}")).parse().expect("bytes")
}

#[track_caller]
fn agree(told: i64, grown: i64) {
    let differ = (told - grown).abs();
    assert!(differ * 100 <= grown * 15, "MEMORY USAGE says {told}, memory grew by {grown}");
}

#[test]
fn a_ledger_with_one_entry_takes_what_it_says() {
    let device = "d".repeat(150);
    for command in [
        "AUTH.BLACKLIST KEY token EX 900",
        "AUTH.SESSION CREATE KEY 0123456789abcdef EX 900",
        &format!("AUTH.SESSION CREATE KEY 0123456789abcdef EX 900 DEVICE {device}"),
    ] {
        everywhere(|redis| one_entry_each(redis, command));
    }
}

/// Of many ledgers, so that buffers of the connection and steps of the server's tables, which
/// come and go, weigh nothing.
fn one_entry_each(redis: &Redis, command: &str) {
    let mut talk = talk::to(redis);
    let before = used(&mut talk);
    each_of_many(&mut talk, command);
    let grown = used(&mut talk) - before;
    agree(each_of_many(&mut talk, "MEMORY USAGE KEY").iter().sum(), grown);
}

fn each_of_many(talk: &mut Talk, command: &str) -> Vec<i64> {
    (0..8).flat_map(|thousand| each_of_a_thousand(talk, thousand, command)).collect()
}

fn each_of_a_thousand(talk: &mut Talk, thousand: usize, command: &str) -> Vec<i64> {
    let mut pipe = redis::pipe();
    for n in 0..1000 {
        let line = command.replace("KEY", &format!("user:{thousand}{n:03}"));
        let mut words = line.split(' ');
        pipe.cmd(words.next().unwrap_or_default()).arg(words.collect::<Vec<_>>());
    }
    let answers: Vec<redis::Value> = pipe.query(&mut talk.0).expect("every one is accepted");
    let numbers = answers.iter().map(|answer| match answer {
        redis::Value::Int(number) => *number,
        _ => 0,
    });
    numbers.collect()
}

#[test]
fn a_ledger_with_many_sessions_takes_what_it_says() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let before = used(&mut talk);
        for n in 0..1000 {
            let device = "d".repeat(n % 300);
            talk.say(&format!("AUTH.SESSION CREATE user:1 session-{n} EX 900 DEVICE {device}"));
        }
        let grown = used(&mut talk) - before;
        agree(told(&mut talk, "user:1"), grown);
    });
}

fn many_digests(redis: &Redis, count: u64) {
    let mut talk = talk::to(redis);
    let before = used(&mut talk);
    revoke_many(&mut talk, "revoked", count);
    let grown = used(&mut talk) - before;
    agree(told(&mut talk, "revoked"), grown);
    let each = grown / i64::try_from(count).expect("a count");
    assert!(each <= 64, "{each} bytes for each revoked token");
    talk.say("DEL revoked");
    wait_until("it is given back", || used(&mut talk) - before < 1_000_000);
}

#[test]
fn a_ledger_with_many_digests_takes_what_it_says_and_gives_it_back() {
    everywhere(|redis| many_digests(redis, 60_000));
}

#[test]
#[ignore = "a minute in the debug profile; `make test-long`"]
fn so_does_one_with_a_million() {
    everywhere(|redis| many_digests(redis, 1_000_000));
}

#[test]
fn what_ended_gives_its_memory_back() {
    on_each_server(|server| {
        let redis = Redis::options().server(server).start();
        let mut talk = talk::to(&redis);
        talk.say("AUTH.SESSION CREATE user:1 kept EX 900");
        let before = told(&mut talk, "user:1");
        for n in 0..500 {
            talk.say(&format!("AUTH.SESSION CREATE user:1 s{n} EX 900 DEVICE {}", "d".repeat(500)));
        }
        assert_eq!(talk.say("AUTH.SESSION REVOKEALL user:1 EXCEPT kept"), "500");
        assert_eq!(told(&mut talk, "user:1"), before);
    });
}
