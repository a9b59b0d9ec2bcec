//! `AUTH.CONFIRM … MARK mark IF known-mark`: a note beside the ledgers that goes where they go, and is
//! lost with them.

mod stored;

use portcullis_tests::Redis;

use crate::talk::{self, Talk};
use crate::{aof, everywhere, everywhere_with, on_each_server, strict, strict_on};

const CHANGED: &str =
    "CHANGED the mark is not the one after IF; read portcullis_mark in INFO portcullis again";

/// Confirms, with these options; `%` stands for a value.
#[track_caller]
fn confirm(talk: &mut Talk, options: &str, values: &[&str]) -> String {
    let run_id = talk.info("server", "run_id");
    let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
    talk.tell(&format!("AUTH.CONFIRM {run_id} {options}"), &values)
}

#[track_caller]
fn mark(talk: &mut Talk) -> String {
    talk.info("portcullis", "portcullis_mark")
}

#[test]
fn one_of_two_who_have_read_the_same_mark_succeeds() {
    everywhere_with(strict, |redis| {
        let mut talk = talk::to(redis);
        assert_eq!(mark(&mut talk), "");
        assert_eq!(confirm(&mut talk, "MARK % IF %", &["first", ""]), "OK");
        assert_eq!(confirm(&mut talk, "MARK % IF %", &["also first", ""]), CHANGED);
        assert_eq!(mark(&mut talk), "first");
        for other in ["", "firs", "first ", "FIRST", "second"] {
            assert_eq!(confirm(&mut talk, "MARK % IF %", &["second", other]), CHANGED, "{other:?}");
        }
        assert_eq!(confirm(&mut talk, "IF % MARK %", &["first", "second 7 9"]), "OK");
        assert_eq!(mark(&mut talk), "second 7 9");
        assert_eq!(confirm(&mut talk, "MARK %", &["third"]), "OK", "whatever stood there");
        assert_eq!(confirm(&mut talk, "", &[]), "OK");
        assert_eq!(mark(&mut talk), "third", "it stays where nothing is said of it");
    });
}

#[test]
fn where_the_mark_is_another_nothing_else_takes_effect() {
    everywhere_with(strict, |redis| {
        let mut talk = talk::to(redis);
        let at = talk.now_ms() - 10_000;
        let life = talk.info("portcullis", "portcullis_check_life");
        let options = format!("PX 60000 MARK % IF % BEFORE {at}");
        assert_eq!(confirm(&mut talk, &options, &["mine", "yours"]), CHANGED);
        assert!(talk.say("AUTH.CHECK user:1 t").starts_with("NOTREADY"));
        for (field, value) in [
            ("mark", ""),
            ("before", "0"),
            ("confirmed", "0"),
            ("lease_ms", "0"),
            ("check_life", &life),
        ] {
            assert_eq!(talk.info("portcullis", &format!("portcullis_{field}")), value, "{field}");
        }
        // Nor does a mark where the rest is refused.
        assert_eq!(confirm(&mut talk, "MARK mine PX 0", &[]).split(' ').next(), Some("ERR"));
        assert_eq!(confirm(&mut talk, "MARK mine LIFE 1", &[]).split(' ').next(), Some("STALE"));
        let told = talk.say("AUTH.CONFIRM 0123456789abcdef0123456789abcdef01234567 MARK mine");
        assert!(told.starts_with("ERR this is not the run id"), "{told}");
        assert_eq!(mark(&mut talk), "");
    });
}

#[test]
fn a_mark_can_be_shown_on_a_line_and_options_come_once() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let longest = "x".repeat(255);
        for text in [longest.as_str(), "~ !", "a:b"] {
            assert_eq!(confirm(&mut talk, "MARK %", &[text]), "OK");
            assert_eq!(mark(&mut talk), text);
        }
        for text in ["", "two\r\nportcullis_confirmed:1", "\0", "ä", &"x".repeat(256)] {
            let told = confirm(&mut talk, "MARK %", &[text]);
            assert_eq!(told, "ERR MARK must be 1 to 255 printable ASCII characters", "{text:?}");
        }
        for options in [
            "MARK",
            "IF a",
            "MARK a IF",
            "MARK a MARK b",
            "MARK a IF a:b IF a:b",
            "BEFORE",
            "BEFORE 5 BEFORE 5",
            "FORGET MARK a",
            "FORGET FORGET",
            "MARK a FORGET",
            "PX 5 FORGET",
            "NOTE PX 5 MARK a",
            "NOTE NOTE MARK a",
        ] {
            assert_eq!(confirm(&mut talk, options, &[]), "ERR syntax error", "{options}");
        }
        assert_eq!(confirm(&mut talk, "NOTE", &[]), "OK", "it notes nothing");
        let told = confirm(&mut talk, "BEFORE soon", &[]);
        assert_eq!(told, "ERR value is not an integer or out of range");
        assert_eq!(mark(&mut talk), "a:b");
        assert_eq!(confirm(&mut talk, "mark a if a:b", &[]), "OK", "in any case");
    });
}

#[test]
fn a_mark_is_lost_with_the_ledgers_it_speaks_of_here_and_on_replicas() {
    on_each_server(|server| {
        let start = || Redis::options().server(server).tcp().start();
        let (primary, replica) = (start(), start());
        replica.replica_of(&primary);
        let (mut talk, mut follower) = (talk::to(&primary), talk::to(&replica));
        for event in ["FLUSHALL", "FLUSHDB", "FLUSHALL ASYNC", "SWAPDB 0 1", "SWAPDB 7 8"] {
            assert_eq!(confirm(&mut talk, "MARK m", &[]), "OK");
            assert_eq!(talk.say("WAIT 1 60000"), "1");
            assert_eq!((mark(&mut talk), mark(&mut follower)), ("m".into(), "m".into()));
            assert_eq!(talk.say(event), "OK");
            assert_eq!(talk.say("WAIT 1 60000"), "1");
            assert_eq!(
                (mark(&mut talk), mark(&mut follower)),
                (String::new(), String::new()),
                "{event}"
            );
        }
    });
}

#[test]
fn a_mark_stays_with_its_ledgers_whatever_becomes_of_the_server() {
    on_each_server(|server| {
        let start = || Redis::options().server(server).tcp().start();
        let (mut primary, replica) = (start(), start());
        let mut talk = talk::to(&primary);
        confirm(&mut talk, "MARK m", &[]);
        assert_eq!(talk.say("DEBUG RELOAD"), "OK");
        assert_eq!(mark(&mut talk), "m");
        confirm(&mut talk::to(&replica), "MARK other", &[]);
        replica.replica_of(&primary);
        let mut follower = talk::to(&replica);
        assert_eq!(mark(&mut follower), "m", "a full synchronisation replaces it");
        primary.stop_and_save();
        primary.start_again();
        assert_eq!(mark(&mut talk::to(&primary)), "m");
        assert_eq!(follower.say("REPLICAOF NO ONE"), "OK");
        assert_eq!(mark(&mut follower), "m", "it holds what the mark says it holds");
        // A primary without one leaves none.
        let bare = start();
        replica.replica_of(&bare);
        assert_eq!(mark(&mut follower), "");
    });
}

#[test]
fn a_log_tells_it_with_the_rest_and_loses_it_where_the_ledgers_were_lost() {
    on_each_server(|server| {
        let mut redis = aof::server(server).start();
        let mut talk = talk::to(&redis);
        let (run_id, at) = (talk.info("server", "run_id"), talk.now_ms() - 10_000);
        confirm(&mut talk, &format!("MARK % BEFORE {at}"), &["a mark"]);
        confirm(&mut talk, "", &[]);
        let told = format!("AUTH.CONFIRM {run_id} MARK a mark BEFORE {at}");
        // An earlier version would refuse what it does not know, so it is not to go on.
        let first = format!("AUTH.CONFIRM {run_id} PXAT 0");
        let expected = ["MULTI".to_owned(), first, told.clone(), "EXEC".to_owned(), told];
        assert_eq!(aof::commands(&redis), expected);
        redis.kill();
        redis.start_again();
        let mut talk = talk::to(&redis);
        assert_eq!(mark(&mut talk), "a mark");
        talk.say("FLUSHALL");
        redis.kill();
        redis.start_again();
        let mut talk = talk::to(&redis);
        assert_eq!(mark(&mut talk), "");
        assert_eq!(talk.info("portcullis", "portcullis_before"), at.to_string());
    });
}

#[test]
fn a_log_that_is_rewritten_as_commands_keeps_it() {
    on_each_server(|server| {
        let options = aof::server(server).arguments(&["--aof-use-rdb-preamble", "no"]);
        let mut redis = options.start();
        let mut talk = talk::to(&redis);
        confirm(&mut talk, "MARK m", &[]);
        talk.say("BGREWRITEAOF");
        portcullis_tests::wait_until("the AOF is rewritten", || {
            let mut of = |field| talk.info("persistence", field);
            of("aof_rewrite_in_progress") == "0" && of("aof_rewrite_scheduled") == "0"
        });
        redis.kill();
        redis.start_again();
        assert_eq!(mark(&mut talk::to(&redis)), "m");
    });
}

#[test]
fn a_note_confirms_nothing_and_takes_no_confirmation_away() {
    on_each_server(|server| {
        let start = || strict_on(server).start();
        let (primary, replica) = (start(), start());
        replica.replica_of(&primary);
        let (mut talk, mut follower) = (talk::to(&primary), talk::to(&replica));
        let at = talk.now_ms() - 10_000;
        let states = |talk: &mut Talk| {
            ["mark", "before", "confirmed"]
                .map(|field| talk.info("portcullis", &format!("portcullis_{field}")))
        };
        let noted = |mark: &str, confirmed: &str| [mark.into(), at.to_string(), confirmed.into()];
        assert_eq!(confirm(&mut talk, &format!("NOTE MARK m IF % BEFORE {at}"), &[""]), "OK");
        assert_eq!(confirm(&mut talk, "NOTE MARK n IF %", &[""]), CHANGED);
        assert_eq!(talk.say("WAIT 1 60000"), "1");
        for talk in [&mut talk, &mut follower] {
            assert_eq!(states(talk), noted("m", "0"));
            assert!(talk.say("AUTH.CHECK user:1 t").starts_with("NOTREADY"));
        }
        assert_eq!(confirm(&mut talk, "PX 60000", &[]), "OK");
        assert_eq!(confirm(&mut talk, "note mark n", &[]), "OK");
        assert_eq!(talk.say("WAIT 1 60000"), "1");
        for talk in [&mut talk, &mut follower] {
            assert_eq!(states(talk), noted("n", "1"));
            let left = talk.info("portcullis", "portcullis_lease_ms");
            assert!((1..=60_000).contains(&left.parse().unwrap_or(0)), "{left}");
        }
    });
}

#[test]
fn forgetting_removes_both_and_confirms_nothing_here_and_on_replicas() {
    on_each_server(|server| {
        let start = || strict_on(server).start();
        let (primary, replica) = (start(), start());
        replica.replica_of(&primary);
        let (mut talk, mut follower) = (talk::to(&primary), talk::to(&replica));
        let at = talk.now_ms() - 10_000;
        confirm(&mut talk, &format!("MARK m BEFORE {at}"), &[]);
        let told = talk.say("AUTH.CONFIRM 0123456789abcdef0123456789abcdef01234567 FORGET");
        assert!(told.starts_with("ERR this is not the run id"), "{told}");
        let life = talk.info("portcullis", "portcullis_fence_life");
        assert_eq!(confirm(&mut talk, "FORGET", &[]), "OK");
        assert_eq!(talk.say("WAIT 1 60000"), "1");
        for talk in [&mut talk, &mut follower] {
            assert_eq!(mark(talk), "");
            assert_eq!(talk.info("portcullis", "portcullis_before"), "0");
            assert!(talk.say("AUTH.CHECK user:1 t").starts_with("NOTREADY"));
        }
        assert_ne!(
            talk.info("portcullis", "portcullis_fence_life"),
            life,
            "work under way is void"
        );
    });
}
