//! `AUTH.CHECK`: every verdict, every option, every refusal.

use portcullis_tests::Redis;
use redis::Value;

use crate::talk::{self, Talk, digest, jwt};
use crate::{everywhere, everywhere_with};

const SYNTAX: &str = "ERR syntax error";
const INTEGER: &str = "ERR value is not an integer or out of range";

fn with_session(redis: &Redis) -> Talk {
    let mut talk = talk::to(redis);
    assert_eq!(talk.say("AUTH.SESSION CREATE user:1 s1 EX 1000"), "[]");
    talk
}

#[test]
fn a_missing_ledger_knows_no_session_and_revokes_nothing() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        assert_eq!(talk.say("AUTH.CHECK user:1 token"), "OK");
        assert_eq!(talk.say("AUTH.CHECK user:1 token IAT 1"), "OK");
        assert_eq!(talk.say("AUTH.CHECK user:1 token SESSION s1"), "NO_SESSION");
        assert_eq!(talk.say("EXISTS user:1"), "0");
    });
}

#[test]
fn the_answer_is_a_simple_string_in_both_protocols() {
    everywhere(|redis| {
        for mut talk in [talk::to(redis), talk::resp3(redis)] {
            assert_eq!(talk.answer("AUTH.CHECK user:1 token"), Value::Okay);
            let answer = talk.answer("AUTH.CHECK user:1 token SESSION s1");
            assert_eq!(answer, Value::SimpleString("NO_SESSION".into()));
        }
    });
}

#[test]
fn every_verdict_is_given_and_the_session_is_asked_first() {
    everywhere(|redis| {
        let mut talk = with_session(redis);
        talk.say("AUTH.SESSION CREATE user:1 idle EX 1000 IDLE 1 SEEN 1");
        let now = talk.now_ms();
        assert_eq!(talk.say("AUTH.CHECK user:1 token SESSION s1"), "OK");
        assert_eq!(talk.say("AUTH.CHECK user:1 token SESSION other"), "NO_SESSION");
        assert_eq!(talk.say("AUTH.CHECK user:1 token SESSION idle"), "IDLE");
        assert_eq!(talk.say("AUTH.BLACKLIST user:1 token EX 1000"), "1");
        assert_eq!(talk.say("AUTH.CHECK user:1 token SESSION s1"), "REVOKED");
        assert_eq!(talk.say("AUTH.CHECK user:1 another SESSION s1"), "OK");
        // Sessions that began later than the logout stay.
        assert_eq!(talk.say(&format!("AUTH.SESSION REVOKEALL user:1 AT {}", now - 100_000)), "0");
        let old = format!("IATMS {}", now - 100_000);
        let new = format!("IATMS {}", now - 99_999);
        assert_eq!(talk.say(&format!("AUTH.CHECK user:1 token SESSION s1 {old}")), "LOGGED_OUT");
        assert_eq!(talk.say(&format!("AUTH.CHECK user:1 another SESSION s1 {new}")), "OK");
        assert_eq!(talk.say(&format!("AUTH.CHECK user:1 token SESSION idle {old}")), "IDLE");
        assert_eq!(talk.say(&format!("AUTH.CHECK user:1 token SESSION no {old}")), "NO_SESSION");
    });
}

#[test]
fn an_issue_time_in_whole_seconds_dies_within_the_second_of_the_logout() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let second = talk.now_ms() / 1000 - 100;
        talk.say(&format!("AUTH.SESSION REVOKEALL user:1 AT {second}500"));
        for (option, verdict) in [
            (format!("IAT {second}"), "LOGGED_OUT"),
            (format!("IAT {}", second + 1), "OK"),
            (format!("IATMS {second}500"), "LOGGED_OUT"),
            (format!("IATMS {second}501"), "OK"),
            ("IAT 0".into(), "LOGGED_OUT"),
            ("IAT -1".into(), "LOGGED_OUT"),
            ("IATMS -9223372036854775808".into(), "LOGGED_OUT"),
            ("IATMS 9223372036854775807".into(), "OK"),
        ] {
            assert_eq!(talk.say(&format!("AUTH.CHECK user:1 token {option}")), verdict, "{option}");
        }
    });
}

#[test]
fn keywords_are_read_in_any_case_and_any_order() {
    everywhere(|redis| {
        let mut talk = with_session(redis);
        for line in [
            "auth.check user:1 token session s1 iat 1",
            "Auth.Check user:1 token IatMs 1 SeSSion s1",
            "AUTH.CHECK user:1 token IAT 1 SESSION s1",
        ] {
            assert_eq!(talk.say(line), "OK", "{line}");
        }
    });
}

#[test]
fn a_value_may_look_like_a_keyword() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        talk.say("AUTH.SESSION CREATE user:1 SESSION EX 1000");
        assert_eq!(talk.say("AUTH.CHECK user:1 IAT SESSION SESSION"), "OK");
        assert_eq!(talk.say("AUTH.CHECK user:1 SESSION SESSION IAT"), "NO_SESSION");
    });
}

#[test]
fn wrong_options_are_syntax_errors_and_wrong_numbers_say_so() {
    everywhere(|redis| {
        let mut talk = with_session(redis);
        for (options, refusal) in [
            ("NONSENSE", SYNTAX),
            ("NONSENSE 1", SYNTAX),
            ("SESSION", SYNTAX),
            ("IAT", SYNTAX),
            ("SESSION s1 SESSION s1", SYNTAX),
            ("IAT 1 IAT 1", SYNTAX),
            ("IAT 1 IATMS 1", SYNTAX),
            ("SESSION s1 IAT", SYNTAX),
            ("SESSION s1 extra", SYNTAX),
            ("IAT soon", INTEGER),
            ("IAT 1.5", INTEGER),
            ("IATMS 1e3", INTEGER),
            ("IATMS 9223372036854775808", INTEGER),
            ("IAT 9223372036854775807", INTEGER),
            ("IAT -9223372036854775808", INTEGER),
        ] {
            assert_eq!(
                talk.say(&format!("AUTH.CHECK user:1 token {options}")),
                refusal,
                "{options}"
            );
        }
        assert_eq!(talk.tell("AUTH.CHECK user:1 t IAT %", &[b""]), INTEGER);
        assert_eq!(talk.tell("AUTH.CHECK user:1 t IAT %", &[b" 1"]), INTEGER);
        assert_eq!(talk.tell("AUTH.CHECK user:1 t IAT %", &[b"1\0"]), INTEGER);
    });
}

#[test]
fn a_wrong_number_of_arguments_is_refused_in_redis_own_words() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let refusal = "ERR wrong number of arguments for 'auth.check' command";
        for line in ["AUTH.CHECK", "AUTH.CHECK user:1"] {
            assert_eq!(talk.say(line), refusal, "{line}");
        }
    });
}

#[test]
fn a_key_of_another_type_is_refused() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        talk.say("SET user:1 text");
        let refusal = "WRONGTYPE Operation against a key holding the wrong kind of value";
        assert_eq!(talk.say("AUTH.CHECK user:1 token"), refusal);
        assert_eq!(talk.say("AUTH.CHECK user:1 token SESSION s1"), refusal);
    });
}

#[test]
fn any_bytes_are_a_key_a_token_and_an_id() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let long = vec![b'x'; 100_000];
        for bytes in [b"".as_slice(), b"\0", b"a\0b", b"\xff\xfe\0\r\n", &long] {
            let id =
                if bytes.is_empty() { b"some".as_slice() } else { &bytes[..bytes.len().min(128)] };
            assert_eq!(talk.tell("AUTH.SESSION CREATE % % EX 1000", &[bytes, id]), "[]");
            assert_eq!(talk.tell("AUTH.CHECK % % SESSION %", &[bytes, bytes, id]), "OK");
            assert_eq!(talk.tell("AUTH.CHECK % % SESSION %", &[bytes, bytes, b"-"]), "NO_SESSION");
            assert_eq!(talk.tell("AUTH.BLACKLIST % % EX 1000", &[bytes, bytes]), "1");
            assert_eq!(talk.tell("AUTH.CHECK % % SESSION %", &[bytes, bytes, id]), "REVOKED");
        }
        // NUL ends nothing: what follows it counts.
        assert_eq!(talk.tell("AUTH.CHECK % %", &[b"a\0b", b"a\0c"]), "OK");
    });
}

#[test]
fn a_digest_of_either_case_stands_for_its_token() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        // The SHA-256 of "abc", from FIPS 180-2.
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(talk.say(&format!("AUTH.CHECK user:1 DIGEST {hex}")), "OK");
        talk.say("AUTH.BLACKLIST user:1 abc EX 1000");
        for form in [hex.to_owned(), hex.to_uppercase()] {
            assert_eq!(talk.say(&format!("AUTH.CHECK user:1 DIGEST {form}")), "REVOKED");
            assert_eq!(talk.say(&format!("AUTH.CHECK user:1 digest {form} IAT 1")), "REVOKED");
        }
        assert_eq!(talk.say(&format!("AUTH.CHECK user:1 DIGEST {}", digest(1))), "OK");
    });
}

#[test]
fn a_token_that_is_literally_digest_is_a_token() {
    everywhere(|redis| {
        let mut talk = with_session(redis);
        assert_eq!(talk.say("AUTH.BLACKLIST user:1 DIGEST EX 1000"), "1");
        assert_eq!(talk.say("AUTH.CHECK user:1 DIGEST"), "REVOKED");
        assert_eq!(talk.say("AUTH.CHECK user:1 DIGEST SESSION s1"), "REVOKED");
        assert_eq!(talk.say(&format!("AUTH.CHECK user:1 DIGEST {}", digest(1))), "OK");
        for no_digest in [&digest(1)[1..], &format!("{}0", digest(1)), &"g".repeat(64)] {
            assert_eq!(talk.say(&format!("AUTH.CHECK user:1 DIGEST {no_digest}")), SYNTAX);
        }
    });
}

#[test]
fn a_respelled_signature_is_the_same_token_and_any_other_byte_is_not() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let token = jwt(r#"{"exp":1,"sub":"1"}"#);
        talk.say(&format!("AUTH.BLACKLIST user:1 {token} EX 1000"));
        let unsigned = token.strip_suffix("c2ln").expect("as jwt() signs");
        for signature in ["c2ln", "c2lo", "c2ln==", "c2ln\n", "x", "\0"] {
            let respelled = format!("{unsigned}{signature}");
            let told = talk.tell("AUTH.CHECK user:1 %", &[respelled.as_bytes()]);
            assert_eq!(told, "REVOKED", "{signature:?}");
        }
        for other in [jwt(r#"{"exp":2,"sub":"1"}"#), unsigned.to_owned(), format!("{token}.x")] {
            assert_eq!(talk.say(&format!("AUTH.CHECK user:1 {other}")), "OK", "{other}");
        }
        // PASETO has three parts as well, and counts to its last byte.
        talk.say("AUTH.BLACKLIST user:1 v4.public.eyJh EX 1000");
        assert_eq!(talk.say("AUTH.CHECK user:1 v4.public.eyJh"), "REVOKED");
        assert_eq!(talk.say("AUTH.CHECK user:1 v4.public.eyJi"), "OK");
    });
}

/// The check may use a clock that is quick and coarse; it must not show.
#[test]
fn a_session_is_good_until_the_millisecond_of_its_expiry_and_not_in_it() {
    everywhere(|redis| {
        let mut talk = with_session(redis);
        for _ in 0..20 {
            let expires = talk.now_ms() + 20;
            talk.say(&format!("AUTH.SESSION CREATE user:1 short PXAT {expires}"));
            watch_it_die(&mut talk, expires);
        }
    });
}

fn watch_it_die(talk: &mut Talk, expires: u64) {
    loop {
        let before = talk.now_ms();
        let verdict = talk.say("AUTH.CHECK user:1 t SESSION short");
        let after = talk.now_ms();
        if verdict == "NO_SESSION" {
            assert!(after >= expires, "dead at {after}, before {expires}");
            return;
        }
        assert_eq!(verdict, "OK");
        assert!(before < expires, "good at {before}, but it ended at {expires}");
    }
}

#[test]
fn what_has_expired_is_absent_and_a_check_deletes_nothing() {
    everywhere_with(
        |options| options.arguments(&["--hz", "1"]),
        |redis| {
            let mut talk = with_session(redis);
            talk.say("AUTH.SESSION CREATE user:1 short PX 1");
            talk.say("AUTH.BLACKLIST user:1 token PX 1");
            portcullis_tests::wait_until("both have expired", || {
                talk.say("AUTH.CHECK user:1 token SESSION short") == "NO_SESSION"
                    && talk.say("AUTH.CHECK user:1 token SESSION s1") == "OK"
            });
            assert_eq!(talk.say("EXISTS user:1"), "1");
        },
    );
}

#[test]
fn a_replica_answers_as_its_primary_does() {
    crate::on_each_server(|server| {
        let start = || Redis::options().server(server).tcp().start();
        let (primary, replica) = (start(), start());
        let mut talk = with_session(&primary);
        replica.replica_of(&primary);
        talk.say("AUTH.BLACKLIST user:1 token EX 1000");
        assert_eq!(talk.say("WAIT 1 60000"), "1");
        let mut replica = talk::to(&replica);
        assert_eq!(replica.say("AUTH.CHECK user:1 token SESSION s1"), "REVOKED");
        assert_eq!(replica.say("AUTH.CHECK user:1 other SESSION s1"), "OK");
        assert_eq!(replica.say("AUTH.CHECK user:1 other SESSION s2"), "NO_SESSION");
        let refusal = replica.say("AUTH.SESSION REVOKE user:1 s1");
        assert!(refusal.starts_with("READONLY"), "{refusal}");
    });
}
