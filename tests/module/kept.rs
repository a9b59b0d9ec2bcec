//! `AUTH.CHECK … UNTIL`, for whoever keeps the answer: its shape, how long each word stands, and who
//! may ask. What is told of an answer that is kept is in `kept/`.

mod events;
pub(crate) mod keeper;
mod replicas;

use portcullis_tests::wait_until;
use redis::Value;

use crate::kept::keeper::{Answer, EVER, Keeper};
use crate::talk::{self, Talk};
use crate::{everywhere, everywhere_with};

const SYNTAX: &str = "ERR syntax error";

#[test]
fn the_answer_is_a_word_and_three_integers_in_both_protocols() {
    everywhere(|redis| {
        for mut talk in [talk::to(redis), talk::resp3(redis)] {
            let before = talk.now_ms().cast_signed();
            let told = talk.answer("AUTH.CHECK user:1 token UNTIL");
            let after = talk.now_ms().cast_signed();
            let Value::Array(told) = told else { panic!("no array: {told:?}") };
            let [Value::Okay, Value::Int(EVER), Value::Int(now), Value::Int(life)] = told[..]
            else {
                panic!("{told:?}")
            };
            assert!((before..=after).contains(&now), "{before} <= {now} <= {after}");
            assert!(life > 0 && life < 1 << 53, "{life} is exact in every language");
            let told = talk.answer("AUTH.CHECK user:1 token SESSION s UNTIL");
            let Value::Array(told) = told else { panic!("no array: {told:?}") };
            assert_eq!(told[0], Value::SimpleString("NO_SESSION".into()));
        }
    });
}

#[test]
fn the_word_stands_anywhere_among_the_options_and_once() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        talk.say("AUTH.SESSION CREATE user:1 UNTIL EX 900");
        let digest = talk::digest(1);
        for line in [
            "user:1 token UNTIL",
            "user:1 token until SESSION UNTIL",
            "user:1 token SESSION UNTIL Until",
            "user:1 token SESSION UNTIL UNTIL IAT 1",
            "user:1 token IATMS 1 UNTIL SESSION UNTIL",
            "user:1 UNTIL UNTIL",
            "user:1 DIGEST UNTIL",
            &format!("user:1 DIGEST {digest} UNTIL SESSION UNTIL"),
        ] {
            let told = talk.say(&format!("AUTH.CHECK {line}"));
            assert!(told.starts_with("[OK ") && told.split(' ').count() == 4, "{line}: {told}");
        }
        for line in [
            "token UNTIL UNTIL",
            "token UNTIL 1",
            "token UNTIL SESSION",
            "token UNTIL SESSION UNTIL UNTIL UNTIL",
            "token SESSION UNTIL IAT UNTIL",
            "token UNTILL",
        ] {
            let told = talk.say(&format!("AUTH.CHECK user:1 {line}"));
            let is_refused = told == SYNTAX || told.ends_with("not an integer or out of range");
            assert!(is_refused, "{line}: {told}");
        }
        assert_eq!(talk.say("AUTH.CHECK user:1 UNTIL"), "OK", "a token may be that word");
        talk.say("SET text 1");
        assert!(talk.say("AUTH.CHECK text token UNTIL").starts_with("WRONGTYPE"));
    });
}

#[test]
fn each_word_stands_until_time_alone_changes_it() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let now = talk.now_ms().cast_signed();
        let (soon, later, last) = (now + 300_000, now + 600_000, now + 900_000);
        for line in [
            format!("AUTH.SESSION REVOKEALL user:1 AT {}", now - 50_000),
            format!("AUTH.SESSION CREATE user:1 s PXAT {later}"),
            format!("AUTH.SESSION CREATE user:1 idle PXAT {later} IDLE 300 SEEN {now}"),
            format!("AUTH.SESSION CREATE user:1 dead PXAT {later} IDLE 1 SEEN 1"),
            format!("AUTH.BLACKLIST user:1 brief PXAT {soon}"),
            format!("AUTH.BLACKLIST user:1 long PXAT {last}"),
        ] {
            talk.say(&line);
        }
        let key: i64 = talk.say("PEXPIRETIME user:1").parse().expect("a number");
        let old = "IATMS 1";
        for (question, word, until) in [
            ("t SESSION s", "OK", later),
            ("t SESSION idle", "OK", soon),
            ("t SESSION dead", "IDLE", EVER),
            ("t SESSION none", "NO_SESSION", EVER),
            ("t", "OK", key),
            (&format!("t {old}"), "LOGGED_OUT", key),
            (&format!("t SESSION s {old}"), "LOGGED_OUT", later),
            ("brief", "REVOKED", soon),
            ("long", "REVOKED", last),
            ("brief SESSION s", "REVOKED", soon),
            ("long SESSION s", "REVOKED", later),
            ("long SESSION idle", "REVOKED", soon),
        ] {
            let told = Answer::of(&mut talk, &format!("user:1 {question}"));
            assert_eq!((told.word.as_str(), told.until), (word, until), "{question}");
        }
        // An end that somebody gave the key counts where the key's end is told by the answer.
        let early = now + 200_000;
        talk.say(&format!("PEXPIREAT user:1 {early}"));
        for question in ["t SESSION s", "t", "t IATMS 1", "long", "long SESSION s"] {
            let told = Answer::of(&mut talk, &format!("user:1 {question}"));
            assert_eq!(told.until, early, "{question}");
        }
        for question in ["t SESSION dead", "t SESSION none"] {
            assert_eq!(Answer::of(&mut talk, &format!("user:1 {question}")).until, EVER);
        }
        talk.say("PERSIST user:1");
        assert_eq!(Answer::of(&mut talk, "user:1 t").until, EVER);
        assert_eq!(Answer::of(&mut talk, "user:1 t SESSION s").until, later);
        assert_eq!(Answer::of(&mut talk, "user:2 t").until, EVER);
    });
}

/// The answer's own clock tells which side of the end it is on, so this needs no luck.
#[test]
fn a_word_stands_strictly_before_that_instant() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        talk.say("AUTH.SESSION CREATE user:1 other EX 900");
        for _ in 0..10 {
            let expires = talk.now_ms().cast_signed() + 20;
            talk.say(&format!("AUTH.SESSION CREATE user:1 s PXAT {expires}"));
            wait_until("it has ended", || is_rightly_over(&mut talk, expires));
        }
    });
}

/// Whether the session has ended by the answer's own clock; its word must be the one of that side.
fn is_rightly_over(talk: &mut Talk, expires: i64) -> bool {
    let told = Answer::of(talk, "user:1 t SESSION s");
    let is_over = told.now >= expires;
    let expected = if is_over { ("NO_SESSION", EVER) } else { ("OK", expires) };
    assert_eq!((told.word.as_str(), told.until), expected, "at {}", told.now);
    is_over
}

#[test]
fn the_clock_is_exact_within_a_script() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        // More calls than a millisecond has room for.
        let script = "local function now() \
                        return redis.call('AUTH.CHECK', KEYS[1], 't', 'UNTIL')[3] end \
                      local first = now() \
                      for _ = 1, 500000 do if now() > first then return 'moves' end end \
                      return 'stands still'";
        assert_eq!(talk.send(&["EVAL", script, "1", "user:1"]), "moves");
    });
}

#[test]
fn scripts_functions_and_transactions_may_ask_and_are_told_of_changes() {
    everywhere(|redis| {
        let mut other = talk::to(redis);
        let library = "#!lua name=asks\n redis.register_function{function_name='asks', \
                       callback=function(keys) \
                         return redis.call('AUTH.CHECK', keys[1], 't', 'UNTIL') end, \
                       flags={'no-writes'}}";
        assert_eq!(other.send(&["FUNCTION", "LOAD", library]), "asks");
        let script = "return redis.call('AUTH.CHECK', KEYS[1], 't', 'UNTIL')";
        for ask in [
            ["EVAL", script, "1", "user:1"],
            ["EVAL_RO", script, "1", "user:1"],
            ["FCALL", "asks", "1", "user:1"],
            ["FCALL_RO", "asks", "1", "user:1"],
        ] {
            let mut keeper = Keeper::of(redis);
            let told = keeper.talk.send(&ask);
            assert!(told.starts_with("[OK ") && told.split(' ').count() == 4, "{ask:?}: {told}");
            assert_eq!(keeper.heard(), keeper::Heard::Nothing);
            other.say("AUTH.BLACKLIST user:1 other EX 900");
            assert_eq!(keeper.heard(), keeper::Heard::Key, "{ask:?}");
            other.say("DEL user:1");
        }
        let mut keeper = Keeper::of(redis);
        keeper.talk.say("MULTI");
        assert_eq!(keeper.talk.say("AUTH.CHECK user:1 t UNTIL"), "QUEUED");
        assert_eq!(keeper.talk.say("AUTH.CHECK user:1 t SESSION s UNTIL"), "QUEUED");
        let told = keeper.talk.say("EXEC");
        assert!(told.starts_with("[[OK ") && told.contains("[NO_SESSION "), "{told}");
        other.say("AUTH.SESSION CREATE user:1 s EX 900");
        assert_eq!(keeper.heard(), keeper::Heard::Key);
    });
}

#[test]
fn who_may_check_may_ask_until_when_and_keep_the_answer() {
    everywhere(|redis| {
        let mut root = talk::to(redis);
        let rules = "%R~user:* +auth.check +client|tracking";
        assert_eq!(root.say(&format!("ACL SETUSER keeper on nopass {rules}")), "OK");
        let mut keeper = Keeper::as_user(redis, "keeper");
        assert_eq!(keeper.ask("user:1 t").word, "OK");
        assert!(keeper.talk.say("AUTH.CHECK admin:1 t UNTIL").starts_with("NOPERM"));
        root.say("AUTH.BLACKLIST user:1 t EX 900");
        // It may not even say PING, so it asks again to hear what came before.
        assert_eq!(keeper.ask("user:1 t").word, "REVOKED");
        assert_eq!(keeper.heard_so_far(), keeper::Heard::Key);
        assert_eq!(root.say("ACL SETUSER keeper -auth.check"), "OK");
        assert!(keeper.talk.say("AUTH.CHECK user:1 t UNTIL").starts_with("NOPERM"));
    });
}

#[test]
fn it_counts_as_a_check_and_changes_nothing() {
    everywhere_with(
        |options| options.module_arguments(&["require-confirm", "yes"]),
        |redis| {
            let mut talk = talk::to(redis);
            let refused = talk.say("AUTH.CHECK user:1 t UNTIL");
            assert!(refused.starts_with("NOTREADY"), "{refused}");
            talk.say("CONFIG SET portcullis.require-confirm no");
            talk.say("AUTH.BLACKLIST user:1 t EX 900");
            for question in ["user:1 t", "user:1 other", "user:1 t SESSION s", "user:2 t"] {
                talk.say(&format!("AUTH.CHECK {question} UNTIL"));
            }
            let mut count = |field: &str| talk.info("portcullis", &format!("portcullis_{field}"));
            for (field, value) in [
                ("checks_ok", "2"),
                ("checks_revoked", "1"),
                ("checks_no_session", "1"),
                ("checks_not_ready", "1"),
                // One by the revocation, two by checks that got that far.
                ("digests_computed", "3"),
            ] {
                assert_eq!(count(field), value, "{field}");
            }
            assert_eq!(talk.say("DBSIZE"), "1");
        },
    );
}

#[test]
fn info_shows_the_life_that_an_answer_tells() {
    everywhere(|redis| {
        let mut talk: Talk = talk::to(redis);
        let told = Answer::of(&mut talk, "user:1 t").life.to_string();
        assert_eq!(talk.info("portcullis", "portcullis_check_life"), told);
    });
}
