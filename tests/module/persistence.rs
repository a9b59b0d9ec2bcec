//! Every way a ledger comes back after its server has gone.

use std::path::Path;

use portcullis_tests::{Redis, wait_until};

use crate::ledgers::{fill, state};
use crate::talk::{self, digest};
use crate::{aof, everywhere, on_each_server};

#[test]
fn a_snapshot_brings_every_ledger_back() {
    on_each_server(|server| {
        let mut redis = Redis::options().server(server).start();
        fill(&mut talk::to(&redis));
        let before = state(&mut talk::to(&redis));
        redis.stop_and_save();
        redis.start_again();
        assert_eq!(state(&mut talk::to(&redis)), before);
    });
}

#[test]
fn debug_reload_changes_nothing() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        fill(&mut talk);
        let before = state(&mut talk);
        assert_eq!(talk.say("DEBUG RELOAD"), "OK");
        assert_eq!(state(&mut talk), before);
    });
}

#[test]
fn equal_ledgers_are_written_alike() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let at = talk.now_ms() + 900_000;
        let first: Vec<u64> = (0..300).collect();
        let mut order = first.clone();
        order.reverse();
        for (key, numbers) in [("one", first), ("other", order)] {
            for n in numbers {
                talk.say(&format!("AUTH.BLACKLIST {key} DIGEST {} PXAT {at}", digest(n)));
            }
        }
        assert_eq!(talk.answer("DUMP one"), talk.answer("DUMP other"));
        let digests = ["one", "other"].map(|key| talk.say(&format!("DEBUG DIGEST-VALUE {key}")));
        assert_eq!(digests[0], digests[1]);
        talk.say("AUTH.SESSION CREATE one s EX 900");
        assert_ne!(talk.say("DEBUG DIGEST-VALUE one"), digests[0]);
    });
}

#[test]
fn an_append_only_file_brings_every_ledger_back() {
    on_each_server(|server| {
        let mut redis = aof::server(server).start();
        fill(&mut talk::to(&redis));
        let before = state(&mut talk::to(&redis));
        redis.kill();
        redis.start_again();
        assert_eq!(state(&mut talk::to(&redis)), before);
    });
}

#[test]
fn so_does_a_rewritten_one_with_and_without_snapshot_inside() {
    on_each_server(|server| {
        for preamble in ["yes", "no"] {
            let options = aof::server(server).arguments(&["--aof-use-rdb-preamble", preamble]);
            let mut redis = options.start();
            let mut talk = talk::to(&redis);
            fill(&mut talk);
            let before = state(&mut talk);
            talk.say("BGREWRITEAOF");
            wait_until("the AOF is rewritten", || {
                let mut of = |field| talk.info("persistence", field);
                of("aof_rewrite_in_progress") == "0" && of("aof_rewrite_scheduled") == "0"
            });
            assert_eq!(talk.info("persistence", "aof_last_bgrewrite_status"), "ok");
            assert_eq!(aof::commands(&redis), [""; 0], "all of it is in the base");
            let is_text = base_of(redis.data()).contains("REVOKEALL");
            assert_eq!(is_text, preamble == "no");
            redis.kill();
            redis.start_again();
            assert_eq!(state(&mut talk::to(&redis)), before, "preamble {preamble}");
        }
    });
}

fn base_of(data: &Path) -> String {
    let files = std::fs::read_dir(data.join("appendonlydir")).expect("an AOF folder").flatten();
    let mut bases =
        files.map(|file| file.path()).filter(|path| path.to_string_lossy().contains("base"));
    let base = std::fs::read(bases.next().expect("a base")).expect("it can be read");
    assert!(bases.next().is_none(), "the old base is gone");
    String::from_utf8_lossy(&base).into_owned()
}

#[test]
fn a_write_repairs_the_expiry_that_others_changed() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let at = talk.now_ms() + 900_000;
        talk.say(&format!("AUTH.BLACKLIST user:1 t PXAT {at}"));
        let mut n = 0;
        for change in ["PERSIST user:1", "EXPIRE user:1 5", "EXPIRE user:1 90000"] {
            assert_eq!(talk.say(change), "1");
            n += 1;
            let line = format!("AUTH.BLACKLIST user:1 DIGEST {} PXAT {at}", digest(n));
            assert_eq!(talk.say(&line), "1");
            assert_eq!(talk.say("PEXPIRETIME user:1"), at.to_string(), "after {change}");
        }
    });
}

#[test]
fn a_key_lives_as_long_as_the_last_thing_in_it() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let now = talk.now_ms();
        let after = |ms: u64| now + ms;
        let watermark = now - 10_000;
        for (line, expires) in [
            (format!("AUTH.SESSION CREATE k a PXAT {}", after(100_000)), after(100_000)),
            (format!("AUTH.BLACKLIST k t PXAT {}", after(200_000)), after(200_000)),
            (format!("AUTH.SESSION CREATE k b PXAT {}", after(300_000)), after(300_000)),
            (format!("AUTH.SESSION CREATE k b PXAT {}", after(150_000)), after(200_000)),
            ("AUTH.SESSION REVOKE k a b".into(), after(200_000)),
            (format!("AUTH.SESSION REVOKEALL k AT {watermark}"), watermark + 34_560_000_000),
        ] {
            talk.say(&line);
            assert_eq!(talk.say("PEXPIRETIME k"), expires.to_string(), "{line}");
        }
    });
}

#[test]
fn an_expired_ledger_is_no_key() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        talk.say("AUTH.SESSION CREATE user:1 s PX 1");
        wait_until("the key has expired", || talk.say("EXISTS user:1") == "0");
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION s"), "NO_SESSION");
        assert_eq!(talk.say("AUTH.SESSION REVOKE user:1 s"), "0");
        assert_eq!(talk.say("AUTH.SESSION LIST user:1"), "[]");
        talk.say("AUTH.SESSION CREATE user:1 new EX 900");
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION s"), "NO_SESSION");
    });
}
