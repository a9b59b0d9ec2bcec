//! `AUTH.SESSION GET`, `LIST`, `TOUCH`, `REVOKE`, `REVOKEALL`, `HELP`.

use portcullis_tests::Redis;
use redis::Value;

use crate::everywhere;
use crate::talk::{self, Talk};

const SYNTAX: &str = "ERR syntax error";
const INTEGER: &str = "ERR value is not an integer or out of range";
const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

/// A subject with three live sessions (a, b, c: the later the more recently seen) and an idle one.
fn with_sessions(redis: &Redis) -> Talk {
    let mut talk = talk::to(redis);
    let now = talk.now_ms();
    for (id, ago) in [("a", 3_000), ("b", 2_000), ("c", 1_000)] {
        let at = now - ago;
        talk.say(&format!("AUTH.SESSION CREATE user:1 {id} EX 900 CREATED {at} SEEN {at}"));
    }
    talk.say("AUTH.SESSION CREATE user:1 idle EX 900 IDLE 1 SEEN 1 CREATED 1");
    talk
}

fn seen_ms(talk: &mut Talk, id: &str) -> u64 {
    let told = talk.say(&format!("AUTH.SESSION GET user:1 {id}"));
    let mut words = told.split(' ').skip_while(|word| *word != "seen_ms");
    words.nth(1).and_then(|at| at.parse().ok()).unwrap_or_else(|| panic!("{told}"))
}

#[test]
fn get_and_list_answer_maps_in_resp3_and_flat_arrays_in_resp2() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let now = talk.now_ms();
        let expires = now + 900_000;
        talk.say(&format!("AUTH.SESSION CREATE user:1 s1 PXAT {expires} CREATED 5 SEEN 6"));
        let flat = format!("[id s1 created_ms 5 seen_ms 6 expires_ms {expires} idle_s 0 device ]");
        let map = format!("{{id=s1 created_ms=5 seen_ms=6 expires_ms={expires} idle_s=0 device=}}");
        assert_eq!(talk.say("AUTH.SESSION GET user:1 s1"), flat);
        assert_eq!(talk.say("AUTH.SESSION LIST user:1"), format!("[{flat}]"));
        let mut talk = talk::resp3(redis);
        assert_eq!(talk.say("AUTH.SESSION GET user:1 s1"), map);
        assert_eq!(talk.say("AUTH.SESSION LIST user:1"), format!("[{map}]"));
        let Value::Map(pairs) = talk.answer("AUTH.SESSION GET user:1 s1") else { panic!("a map") };
        assert!(matches!(pairs[1].1, Value::Int(5)), "times are integers: {pairs:?}");
    });
}

#[test]
fn what_is_not_live_is_nil_and_not_listed() {
    everywhere(|redis| {
        let with = with_sessions(redis);
        for mut talk in [with, talk::resp3(redis)] {
            assert_eq!(talk.answer("AUTH.SESSION GET user:1 other"), Value::Nil);
            assert_eq!(talk.answer("AUTH.SESSION GET user:1 idle"), Value::Nil);
            assert_eq!(talk.answer("AUTH.SESSION GET missing a"), Value::Nil);
            assert_eq!(talk.answer("AUTH.SESSION LIST missing"), Value::Array(vec![]));
            let list = talk.say("AUTH.SESSION LIST user:1");
            let places = ["c", "b", "a"].map(|id| {
                let resp2 = list.find(&format!("id {id} "));
                resp2.or_else(|| list.find(&format!("id={id} "))).expect("it is listed")
            });
            assert!(places.is_sorted(), "{list}");
            assert!(!list.contains("idle "), "{list}");
        }
    });
}

#[test]
fn a_touch_moves_forward_and_never_back() {
    everywhere(|redis| {
        let mut talk = with_sessions(redis);
        let before = seen_ms(&mut talk, "a");
        for (option, answer) in [
            (format!("AT {}", before + 500), "1"),
            (format!("AT {}", before + 100), "1"),
            ("at 0".into(), "1"),
        ] {
            assert_eq!(talk.say(&format!("AUTH.SESSION TOUCH user:1 a {option}")), answer);
            assert_eq!(seen_ms(&mut talk, "a"), before + 500);
        }
        let now = talk.now_ms();
        assert_eq!(talk.say("AUTH.SESSION TOUCH user:1 a"), "1");
        assert!(seen_ms(&mut talk, "a") >= now);
        // The future is taken as now.
        let later = now + 500_000;
        assert_eq!(talk.say(&format!("AUTH.SESSION TOUCH user:1 b AT {later}")), "1");
        assert!(seen_ms(&mut talk, "b") < later);
    });
}

#[test]
fn a_touch_revives_nobody() {
    everywhere(|redis| {
        let mut talk = with_sessions(redis);
        for line in ["user:1 idle", "user:1 idle AT 2", "user:1 other", "missing a"] {
            assert_eq!(talk.say(&format!("AUTH.SESSION TOUCH {line}")), "0", "{line}");
        }
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION idle"), "IDLE");
        assert_eq!(talk.say("EXISTS missing"), "0");
    });
}

#[test]
fn revoke_counts_the_live_ones_and_each_once() {
    everywhere(|redis| {
        let mut talk = with_sessions(redis);
        assert_eq!(talk.say("AUTH.SESSION REVOKE user:1 a a idle other c"), "2");
        assert_eq!(talk.say("AUTH.SESSION REVOKE user:1 a"), "0");
        assert_eq!(talk.say("AUTH.SESSION REVOKE missing a"), "0");
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION idle"), "NO_SESSION");
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION b"), "OK");
        assert_eq!(talk.say("AUTH.SESSION REVOKE user:1 b"), "1");
        assert_eq!(talk.say("EXISTS user:1 missing"), "0", "a ledger with nothing left is no key");
    });
}

#[test]
fn revokeall_ends_all_and_is_remembered() {
    everywhere(|redis| {
        let mut talk = with_sessions(redis);
        let issued = talk.now_ms();
        assert_eq!(talk.say("AUTH.SESSION REVOKEALL user:1"), "3");
        assert_eq!(talk.say("AUTH.SESSION LIST user:1"), "[]");
        assert_eq!(talk.say(&format!("AUTH.CHECK user:1 t IATMS {issued}")), "LOGGED_OUT");
        assert_eq!(talk.say("AUTH.SESSION REVOKEALL user:1"), "0");
        // Also where nothing was known.
        assert_eq!(talk.say("AUTH.SESSION REVOKEALL user:2"), "0");
        assert_eq!(talk.say(&format!("AUTH.CHECK user:2 t IATMS {issued}")), "LOGGED_OUT");
    });
}

#[test]
fn a_late_logout_spares_later_logins_and_never_moves_back() {
    everywhere(|redis| {
        let mut talk = with_sessions(redis);
        let until = seen_ms(&mut talk, "b");
        assert_eq!(talk.say(&format!("AUTH.SESSION REVOKEALL user:1 at {until}")), "2");
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION c"), "OK");
        assert_eq!(talk.say(&format!("AUTH.SESSION REVOKEALL user:1 AT {}", until - 500)), "0");
        assert_eq!(talk.say(&format!("AUTH.CHECK user:1 t IATMS {until}")), "LOGGED_OUT");
        assert_eq!(talk.say(&format!("AUTH.CHECK user:1 t IATMS {}", until + 1)), "OK");
    });
}

#[test]
fn except_keeps_one_and_leaves_no_watermark() {
    everywhere(|redis| {
        let mut talk = with_sessions(redis);
        let until = seen_ms(&mut talk, "b");
        let line = format!("AUTH.SESSION REVOKEALL user:1 AT {until} except a");
        assert_eq!(talk.say(&line), "1");
        for (id, verdict) in [("a", "OK"), ("b", "NO_SESSION"), ("c", "OK")] {
            assert_eq!(talk.say(&format!("AUTH.CHECK user:1 t SESSION {id} IAT 1")), verdict);
        }
        assert_eq!(talk.say("AUTH.SESSION REVOKEALL user:1 EXCEPT other"), "2");
        assert_eq!(talk.say("EXISTS user:1"), "0");
    });
}

#[test]
fn wrong_options_are_refused_and_change_nothing() {
    everywhere(|redis| {
        let mut talk = with_sessions(redis);
        let later = talk.now_ms() + 500_000;
        let past = "ERR AT must be a past instant in milliseconds";
        for (line, refusal) in [
            ("TOUCH user:1 a AT", SYNTAX),
            ("TOUCH user:1 a NONSENSE 1", SYNTAX),
            ("TOUCH user:1 a AT 1 AT 1", SYNTAX),
            ("TOUCH user:1 a AT x", INTEGER),
            ("TOUCH user:1 a AT -1", INTEGER),
            ("REVOKEALL user:1 a", SYNTAX),
            ("REVOKEALL user:1 EXCEPT", SYNTAX),
            ("REVOKEALL user:1 AT", SYNTAX),
            ("REVOKEALL user:1 EXCEPT a EXCEPT a", SYNTAX),
            ("REVOKEALL user:1 AT 1 AT 1", SYNTAX),
            ("REVOKEALL user:1 NONSENSE 1", SYNTAX),
            ("REVOKEALL user:1 AT x", INTEGER),
            ("REVOKEALL user:1 AT 0", past),
            ("REVOKEALL user:1 AT -1", past),
            ("REVOKEALL user:1 AT 9223372036854775807", past),
        ] {
            assert_eq!(talk.say(&format!("AUTH.SESSION {line}")), refusal, "{line}");
        }
        assert_eq!(talk.say(&format!("AUTH.SESSION REVOKEALL user:1 AT {later}")), past);
        assert_eq!(talk.say("AUTH.SESSION REVOKE user:1 a b c"), "3");
    });
}

#[test]
fn arity_is_refused_in_redis_own_words() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        for (subcommand, lines) in [
            ("create", ["CREATE", "CREATE k", "CREATE k s EX"].as_slice()),
            ("get", &["GET k", "GET k s more"]),
            ("list", &["LIST", "LIST k more"]),
            ("touch", &["TOUCH k"]),
            ("revoke", &["REVOKE k"]),
            ("revokeall", &["REVOKEALL"]),
            ("help", &["HELP more"]),
        ] {
            for line in lines {
                let told = talk.say(&format!("AUTH.SESSION {line}"));
                let command = format!("'auth.session|{subcommand}' command");
                assert_eq!(told, format!("ERR wrong number of arguments for {command}"), "{line}");
            }
        }
        let told = talk.say("AUTH.SESSION");
        assert_eq!(told, "ERR wrong number of arguments for 'auth.session' command");
        let told = talk.say("AUTH.SESSION NONSENSE k");
        assert!(told.starts_with("ERR unknown subcommand 'NONSENSE'"), "{told}");
    });
}

#[test]
fn a_key_of_another_type_is_refused_and_kept() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        talk.say("SET user:1 text");
        for line in [
            "CREATE user:1 s EX 9",
            "GET user:1 s",
            "LIST user:1",
            "TOUCH user:1 s",
            "REVOKE user:1 s",
            "REVOKEALL user:1",
            "REVOKEALL user:1 EXCEPT s",
        ] {
            assert_eq!(talk.say(&format!("AUTH.SESSION {line}")), WRONG_TYPE, "{line}");
        }
        assert_eq!(talk.say("GET user:1"), "text");
    });
}

#[test]
fn help_names_every_subcommand() {
    everywhere(|redis| {
        let help = talk::to(redis).say("AUTH.SESSION HELP");
        for subcommand in ["CREATE", "GET", "LIST", "TOUCH", "REVOKE", "REVOKEALL", "HELP"] {
            assert!(help.contains(subcommand), "{help}");
        }
    });
}

#[test]
fn of_many_concurrent_creations_no_more_than_max_live() {
    everywhere(|redis| {
        std::thread::scope(|scope| {
            for n in 0..8 {
                scope.spawn(move || create_fifty(redis, n));
            }
        });
        let list = talk::to(redis).answer("AUTH.SESSION LIST user:1");
        assert!(matches!(&list, Value::Array(live) if live.len() == 5), "{list:?}");
    });
}

fn create_fifty(redis: &Redis, n: usize) {
    let mut talk = talk::to(redis);
    for m in 0..50 {
        let told = talk.say(&format!("AUTH.SESSION CREATE user:1 s{n}-{m} EX 900 MAX 5"));
        assert!(told.starts_with('['), "{told}");
    }
}
