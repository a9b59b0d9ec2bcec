//! `AUTH.CONFIRM … BEFORE`: the watermark of everybody, in every ledger and in none.

mod copies;

use crate::kept::keeper::{Answer, EVER};
use crate::talk::{self, Talk};
use crate::{everywhere, everywhere_with, on_each_server};

/// Logs everybody out who began until then.
#[track_caller]
fn end_all_before(talk: &mut Talk, before: u64) -> String {
    let run_id = talk.info("server", "run_id");
    talk.say(&format!("AUTH.CONFIRM {run_id} BEFORE {before}"))
}

fn before(talk: &mut Talk) -> String {
    talk.info("portcullis", "portcullis_before")
}

#[track_caller]
fn create(talk: &mut Talk, key: &str, id: &str, created: u64) -> String {
    talk.say(&format!("AUTH.SESSION CREATE {key} {id} EX 900 CREATED {created}"))
}

#[test]
fn what_began_until_then_is_dead_wherever_it_is_and_what_began_later_is_not() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let at = talk.now_ms() - 10_000;
        for key in ["user:1", "user:2"] {
            create(&mut talk, key, "old", at - 5_000);
            create(&mut talk, key, "last", at);
            create(&mut talk, key, "new", at + 1);
        }
        create(&mut talk, "user:3", "old", at);
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION old"), "OK");
        assert_eq!(end_all_before(&mut talk, at), "OK");
        for (question, verdict) in [
            ("user:1 t SESSION old".to_owned(), "LOGGED_OUT"),
            ("user:2 t SESSION last".into(), "LOGGED_OUT"),
            ("user:2 t SESSION new".into(), "OK"),
            ("user:2 t SESSION none".into(), "NO_SESSION"),
            (format!("user:1 t IATMS {at}"), "LOGGED_OUT"),
            (format!("user:1 t IATMS {}", at + 1), "OK"),
            (format!("user:1 t IAT {}", at / 1000), "LOGGED_OUT"),
            (format!("user:1 t SESSION new IATMS {at}"), "LOGGED_OUT"),
            // Where there is no ledger either.
            (format!("user:9 t IATMS {at}"), "LOGGED_OUT"),
            ("user:9 t IATMS -1".into(), "LOGGED_OUT"),
            (format!("user:9 t IATMS {}", at + 1), "OK"),
            (format!("user:9 t SESSION s IATMS {at}"), "NO_SESSION"),
            // The question about the token alone is about no instant.
            ("user:1 t".into(), "OK"),
            ("user:9 t".into(), "OK"),
        ] {
            assert_eq!(talk.say(&format!("AUTH.CHECK {question}")), verdict, "{question}");
        }
        assert!(
            talk.say("AUTH.SESSION LIST user:1").starts_with("[[id new "),
            "the one that lives"
        );
        assert_eq!(talk.say("AUTH.SESSION LIST user:3"), "[]");
        assert_eq!(talk.say("AUTH.SESSION GET user:1 old"), "nil");
        assert_eq!(talk.say("AUTH.SESSION TOUCH user:1 old"), "0");
        assert_eq!(talk.say("AUTH.SESSION TOUCH user:1 new"), "1");
        assert_eq!(talk.say("AUTH.SESSION REVOKE user:1 last new"), "1", "only one was live");
        assert_eq!(talk.say("AUTH.SESSION REVOKEALL user:2"), "1");
        assert_eq!(before(&mut talk), at.to_string());
    });
}

#[test]
fn nothing_that_it_has_ended_begins_again() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let at = talk.now_ms() - 10_000;
        create(&mut talk, "user:1", "s", at);
        end_all_before(&mut talk, at);
        let fence = talk.say("AUTH.FENCE");
        for key in ["user:1", "user:9"] {
            for line in [format!("CREATED {at}"), format!("CREATED {at} FENCE {fence}")] {
                let told = talk.say(&format!("AUTH.SESSION CREATE {key} s EX 900 {line}"));
                assert!(told.starts_with("ENDED "), "{key} {line}: {told}");
            }
        }
        // The same id is another session, which keeps nothing of the dead one.
        talk.say("AUTH.SESSION CREATE user:1 s EX 900");
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION s"), "OK");
        assert_eq!(create(&mut talk, "user:9", "s", at + 1), "[]");
        assert_eq!(talk.say("AUTH.CHECK user:9 t SESSION s"), "OK");
    });
}

#[test]
fn the_dead_take_no_place_of_the_living() {
    everywhere_with(
        |options| options.module_arguments(&["max-sessions", "2"]),
        |redis| {
            let mut talk = talk::to(redis);
            let at = talk.now_ms() - 10_000;
            for id in ["a", "b"] {
                create(&mut talk, "user:1", id, at);
            }
            assert_eq!(create(&mut talk, "user:1", "c", at), "ERR too many sessions");
            end_all_before(&mut talk, at);
            assert_eq!(talk.say("AUTH.SESSION CREATE user:1 c EX 900"), "[]");
            assert_eq!(talk.say("AUTH.SESSION CREATE user:1 d EX 900 MAX 2"), "[]");
            assert_eq!(talk.say("AUTH.SESSION CREATE user:1 e EX 900 MAX 2"), "[c]");
        },
    );
}

#[test]
fn it_only_moves_forward_and_lies_within_reach() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let at = talk.now_ms() - 10_000;
        for value in ["0", "-1", "253402300799999"] {
            let refused = "ERR BEFORE must be an instant in milliseconds, at most \
                           portcullis.max-ttl ahead";
            let run_id = talk.info("server", "run_id");
            let told = talk.say(&format!("AUTH.CONFIRM {run_id} BEFORE {value} MARK m"));
            assert_eq!(told, refused, "{value}");
        }
        assert_eq!(before(&mut talk), "0");
        assert_eq!(talk.info("portcullis", "portcullis_mark"), "");
        assert_eq!(talk.info("portcullis", "portcullis_confirmed"), "0");
        for (value, kept) in [(at, at), (at - 1, at), (1, at), (at + 1, at + 1)] {
            assert_eq!(end_all_before(&mut talk, value), "OK");
            assert_eq!(before(&mut talk), kept.to_string());
        }
    });
}

/// The clock of whoever began the sessions may be ahead of the server's.
#[test]
fn it_may_lie_ahead_and_whatever_begins_then_begins_after_it() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        create(&mut talk, "user:1", "old", 1);
        let ahead = talk.now_ms() + 3_600_000;
        assert_eq!(end_all_before(&mut talk, ahead), "OK");
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION old"), "LOGGED_OUT");
        let now = talk.now_ms();
        for created in [now - 1, ahead - 5, ahead] {
            assert!(create(&mut talk, "user:1", "s", created).starts_with("ENDED "));
        }
        for (id, created) in [("s", String::new()), ("future", format!("CREATED {}", ahead + 5))] {
            let line = format!("AUTH.SESSION CREATE user:2 {id} EX 900 {created}");
            assert_eq!(talk.say(&line), "[]", "{line}");
            assert_eq!(talk.say(&format!("AUTH.CHECK user:2 t SESSION {id}")), "OK");
            let told = talk.say(&format!("AUTH.SESSION GET user:2 {id}"));
            assert!(told.contains(&format!("created_ms {} ", ahead + 1)), "{told}");
        }
        assert_eq!(talk.say("AUTH.SESSION TOUCH user:2 s"), "1");
        assert_eq!(talk.say("AUTH.SESSION REVOKEALL user:2"), "2");
    });
}

#[test]
fn whoever_keeps_answers_hears_of_it_as_another_life() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let at = talk.now_ms() - 10_000;
        create(&mut talk, "user:1", "s", at);
        let kept = Answer::of(&mut talk, "user:1 t SESSION s");
        end_all_before(&mut talk, at);
        let dead = Answer::of(&mut talk, "user:1 t SESSION s");
        assert_eq!((dead.word.as_str(), dead.until), ("LOGGED_OUT", kept.until));
        assert!(dead.life > kept.life);
        for again in [at, at - 1] {
            end_all_before(&mut talk, again);
            let again = Answer::of(&mut talk, &format!("user:9 t IATMS {at}"));
            assert_eq!((again.word.as_str(), again.until), ("LOGGED_OUT", EVER));
            assert_eq!(again.life, dead.life, "nothing has changed");
        }
    });
}

#[test]
fn writes_sweep_the_dead_away_and_replicas_are_told() {
    on_each_server(|server| {
        let start = || portcullis_tests::Redis::options().server(server).tcp().start();
        let (primary, replica) = (start(), start());
        replica.replica_of(&primary);
        let mut talk = talk::to(&primary);
        let at = talk.now_ms() - 10_000;
        for id in ["a", "b", "c"] {
            create(&mut talk, "user:1", id, at);
        }
        end_all_before(&mut talk, at);
        let dead = |talk: &mut Talk| {
            let told =
                ["a", "b", "c"].map(|id| talk.say(&format!("AUTH.CHECK user:1 t SESSION {id}")));
            told.iter().filter(|word| *word == "LOGGED_OUT").count()
        };
        let mut follower = talk::to(&replica);
        for (write, left) in [
            ("PING", 3),
            ("AUTH.SESSION CREATE user:1 s EX 900", 1),
            ("AUTH.BLACKLIST user:1 t EX 900", 0),
        ] {
            talk.say(write);
            assert_eq!(talk.say("WAIT 1 60000"), "1");
            assert_eq!((dead(&mut talk), dead(&mut follower)), (left, left), "after {write}");
            let digest = "DEBUG DIGEST-VALUE user:1";
            assert_eq!(follower.say(digest), talk.say(digest), "after {write}");
        }
        assert_eq!(talk.info("portcullis", "portcullis_sessions_expired_seen"), "3");
    });
}
