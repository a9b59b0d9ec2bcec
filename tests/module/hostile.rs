//! Whatever anybody may send: random and absurd arguments, enormous ones, many clients at once.

use std::cell::RefCell;

use portcullis_tests::Redis;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::talk::{self, Talk, digest, jwt};
use crate::{everywhere, on_each_server};

/// First words that are commands of the module, with and without a subcommand.
const COMMANDS: [&str; 12] = [
    "AUTH.CHECK",
    "AUTH.BLACKLIST",
    "AUTH.CONFIRM",
    "AUTH.SESSION",
    "AUTH.SESSION CREATE",
    "AUTH.SESSION GET",
    "AUTH.SESSION LIST",
    "AUTH.SESSION TOUCH",
    "AUTH.SESSION REVOKE",
    "AUTH.SESSION REVOKEALL",
    "AUTH.SESSION HELP",
    "auth.session cReAtE",
];

const WORDS: [&str; 32] = [
    "user:1",
    "user:2",
    "text",
    "s1",
    "s2",
    "EX",
    "px",
    "ExAt",
    "PXAT",
    "IDLE",
    "MAX",
    "DEVICE",
    "CREATED",
    "SEEN",
    "AT",
    "EXCEPT",
    "SESSION",
    "IAT",
    "IATMS",
    "DIGEST",
    "0",
    "1",
    "-1",
    "900",
    "1e3",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "1700000000",
    "1700000000000",
    "99999999999999999999",
    " 1",
];

fn argument() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => prop::sample::select(WORDS.as_slice()).prop_map(|word| word.as_bytes().to_vec()),
        1 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        1 => (0..3_u64).prop_map(|n| digest(n).into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => "\\PC{0,60}".prop_map(|payload| jwt(&payload).into_bytes()),
        1 => "\\{\"exp\":-?[0-9eE.]{1,12}\\}".prop_map(|payload| jwt(&payload).into_bytes()),
    ]
}

fn command() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let name = prop::sample::select(COMMANDS.as_slice());
    let key = prop::sample::select(["user:1", "user:2", "text"].as_slice());
    let arguments = prop::collection::vec(argument(), 0..10);
    (name, key, arguments).prop_map(|(name, key, arguments)| {
        let words = name.split(' ').chain([key]).map(|word| word.as_bytes().to_vec());
        words.chain(arguments).collect()
    })
}

fn hammer_with_nonsense(redis: &Redis, cases: u32) {
    let mut talk = talk::to(redis);
    talk.say("SET text 1");
    let talk = RefCell::new(talk);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { failure_persistence: None, ..Config::with_cases(cases) };
    TestRunner::new_with_rng(config, rng)
        .run(&command(), |arguments| {
            // Panics if the server goes away.
            let told = talk.borrow_mut().send(&arguments);
            prop_assert!(!told.contains("internal error"), "{told}");
            Ok(())
        })
        .expect("every command is answered");
    let mut talk = talk.into_inner();
    assert_eq!(talk.say("GET text"), "1", "another type is left alone");
    for key in ["user:1", "user:2"] {
        let before = talk.say(&format!("DEBUG DIGEST-VALUE {key}"));
        assert_eq!(talk.say("DEBUG RELOAD"), "OK");
        assert_eq!(talk.say(&format!("DEBUG DIGEST-VALUE {key}")), before);
    }
    assert!(!redis.log().contains("panicked"), "{}", redis.log());
}

#[test]
fn random_arguments_get_an_answer_and_do_no_harm() {
    everywhere(|redis| hammer_with_nonsense(redis, 3_000));
}

#[test]
#[ignore = "a minute and more; `make test-long`"]
fn so_do_very_many_of_them() {
    everywhere(|redis| hammer_with_nonsense(redis, 200_000));
}

#[test]
fn a_truncated_or_overlong_command_line_is_an_error_at_every_length() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let line =
            "AUTH.SESSION CREATE user:1 s EX 900 IDLE 5 MAX 3 DEVICE d CREATED 5 SEEN 6 X Y Z";
        let words: Vec<&str> = line.split(' ').collect();
        for length in 2..=words.len() {
            let told = talk.send(&words[..length]);
            let is_whole = (6..=16).contains(&length) && length % 2 == 0;
            assert_eq!(told == "[]", is_whole, "{length} words: {told}");
        }
    });
}

fn long_arguments(redis: &Redis, length: usize) {
    let mut talk = talk::to(redis);
    let long = vec![b'x'; length];
    let jws = [b"eyJ".as_slice(), &long, b".eyJ", &long, b".", &long].concat();
    let dots = vec![b'.'; length];
    for token in [&long, &jws, &dots] {
        assert_eq!(talk.tell("AUTH.CHECK user:1 %", &[token]), "OK");
        assert!(talk.tell("AUTH.BLACKLIST user:1 %", &[token]).starts_with("ERR token carries"));
        assert_eq!(talk.tell("AUTH.BLACKLIST user:1 % EX 900", &[token]), "1");
        assert_eq!(talk.tell("AUTH.CHECK user:1 %", &[token]), "REVOKED");
    }
    assert_eq!(talk.tell("AUTH.CHECK user:1 t SESSION %", &[&long]), "NO_SESSION");
    assert_eq!(talk.tell("AUTH.SESSION REVOKE user:1 %", &[&long]), "0");
    assert!(talk.tell("AUTH.SESSION CREATE user:1 % EX 9", &[&long]).starts_with("ERR session id"));
    let told = talk.tell("AUTH.SESSION CREATE user:1 s EX 9 DEVICE %", &[&long]);
    assert!(told.starts_with("ERR DEVICE"), "{told}");
    assert_eq!(talk.tell("AUTH.CHECK user:1 t %", &[&long]), "ERR syntax error");
    assert!(talk.tell("AUTH.CHECK user:1 t IAT %", &[&long]).starts_with("ERR value"));
}

#[test]
fn enormous_arguments_are_answered() {
    everywhere(|redis| long_arguments(redis, 1 << 20));
}

#[test]
#[ignore = "takes gigabytes; `make test-long`"]
fn so_are_the_largest_that_redis_takes() {
    everywhere(|redis| long_arguments(redis, 170 << 20));
}

#[test]
fn very_many_arguments_are_answered() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        talk.say("AUTH.SESSION CREATE user:1 s EX 900");
        let many = vec!["s".to_owned(); 100_000];
        let with = |words: &[&str]| {
            let words = words.iter().copied().map(String::from);
            words.chain(many.iter().cloned()).collect::<Vec<_>>()
        };
        assert_eq!(talk.send(&with(&["AUTH.SESSION", "REVOKE", "user:1"])), "1");
        assert_eq!(talk.send(&with(&["AUTH.CHECK", "user:1", "t"])), "ERR syntax error");
        let told = talk.send(&with(&["AUTH.SESSION", "CREATE", "user:1", "s", "EX", "9"]));
        assert_eq!(told, "ERR syntax error");
    });
}

#[test]
fn many_clients_at_once_leave_primary_and_replica_agreed() {
    on_each_server(|server| {
        let start = || Redis::options().server(server).tcp().start();
        let (primary, replica) = (start(), start());
        replica.replica_of(&primary);
        std::thread::scope(|scope| {
            let primary = &primary;
            for thread in 0..12 {
                scope.spawn(move || mixed_work(primary, thread));
            }
        });
        let mut talk = talk::to(&primary);
        assert_eq!(talk.say("AUTH.BLACKLIST done t EX 900"), "1");
        assert_eq!(talk.say("WAIT 1 60000"), "1");
        let mut follower = talk::to(&replica);
        for n in 0..5 {
            let line = format!("DEBUG DIGEST-VALUE user:{n}");
            assert_eq!(follower.say(&line), talk.say(&line));
        }
    });
}

fn mixed_work(redis: &Redis, thread: usize) {
    let mut talk: Talk = talk::to(redis);
    for n in 0..200 {
        let key = format!("user:{}", (n + thread) % 5);
        for line in [
            format!("AUTH.SESSION CREATE {key} s{} EX 900 MAX 4", n % 7),
            format!("AUTH.CHECK {key} t{n} SESSION s{}", n % 7),
            format!("AUTH.SESSION TOUCH {key} s{}", n % 3),
            format!("AUTH.BLACKLIST {key} t{n} EX 900"),
            format!("AUTH.SESSION REVOKE {key} s{}", n % 5),
            format!("AUTH.SESSION LIST {key}"),
        ] {
            let told = talk.say(&line);
            assert!(!told.starts_with("ERR"), "{line}: {told}");
        }
    }
    talk.say(&format!("AUTH.SESSION REVOKEALL user:{}", thread % 5));
}
