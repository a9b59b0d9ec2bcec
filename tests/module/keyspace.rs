//! Redis's own commands that copy, move and carry keys: each keeps the whole ledger.

use portcullis_tests::Redis;
use redis::Value;

use crate::ledgers::{fill, state};
use crate::talk::{self, Talk};
use crate::{everywhere, on_each_server};

const GOOD: &str = "AUTH.CHECK user:full other SESSION s1";

fn digest_of(talk: &mut Talk, key: &str) -> String {
    let digest = talk.say(&format!("DEBUG DIGEST-VALUE {key}"));
    assert_ne!(digest, format!("[{}]", "0".repeat(40)), "{key} is there");
    digest
}

#[test]
fn a_copy_is_a_ledger_of_its_own() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        fill(&mut talk);
        for key in ["user:full", "revoked"] {
            let digest = digest_of(&mut talk, key);
            let expires = talk.say(&format!("PEXPIRETIME {key}"));
            assert_eq!(talk.say(&format!("COPY {key} copy")), "1");
            assert_eq!(digest_of(&mut talk, "copy"), digest);
            assert_eq!(talk.say("PEXPIRETIME copy"), expires);
            talk.say("AUTH.SESSION REVOKEALL copy");
            talk.say("DEL copy");
            assert_eq!(digest_of(&mut talk, key), digest);
        }
        let digest = digest_of(&mut talk, "user:full");
        assert_eq!(talk.say("COPY user:full user:full DB 3"), "1");
        talk.say("DEL user:full");
        talk.say("SELECT 3");
        assert_eq!(digest_of(&mut talk, "user:full"), digest);
    });
}

#[test]
fn a_renamed_moved_or_swapped_ledger_is_the_same() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        fill(&mut talk);
        let before = state(&mut talk);
        for line in ["RENAME user:full other", "RENAMENX other user:full", "MOVE user:full 1"] {
            talk.say(line);
        }
        assert_eq!(talk.say(GOOD), "NO_SESSION");
        for line in ["SELECT 1", "MOVE user:full 0", "SWAPDB 0 1"] {
            talk.say(line);
        }
        assert_eq!(state(&mut talk), before);
    });
}

#[test]
fn a_dump_is_restored_whole_and_a_write_gives_it_its_expiry_back() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        fill(&mut talk);
        let before = state(&mut talk);
        for key in crate::ledgers::KEYS {
            let expires = talk.say(&format!("PEXPIRETIME {key}"));
            let Value::BulkString(dump) = talk.answer(&format!("DUMP {key}")) else {
                panic!("{key} has a dump")
            };
            let told = talk.tell(&format!("RESTORE {key} {expires} % REPLACE ABSTTL"), &[&dump]);
            assert_eq!(told, "OK");
        }
        assert_eq!(state(&mut talk), before);
        let Value::BulkString(dump) = talk.answer("DUMP user:full") else { panic!("a dump") };
        assert_eq!(talk.tell("RESTORE restored 0 %", &[&dump]), "OK");
        assert_eq!(talk.say("PTTL restored"), "-1");
        assert_eq!(talk.say("AUTH.SESSION TOUCH restored s1"), "1");
        let expires = talk.say("PEXPIRETIME user:full");
        assert_eq!(talk.say("PEXPIRETIME restored"), expires);
    });
}

#[test]
fn a_migrated_ledger_is_the_same_on_the_other_server() {
    on_each_server(|server| {
        let start = || Redis::options().server(server).tcp().start();
        let (here, there) = (start(), start());
        let (mut talk, mut other) = (talk::to(&here), talk::to(&there));
        fill(&mut talk);
        let before = without_expiry(&state(&mut talk));
        let keys = crate::ledgers::KEYS.join(" ");
        let port = there.port();
        let migrate = format!("MIGRATE 127.0.0.1 {port} % 0 60000 KEYS {keys}");
        assert_eq!(talk.tell(&migrate, &[b""]), "OK");
        assert_eq!(talk.say("DBSIZE"), "0");
        assert_eq!(without_expiry(&state(&mut other)), before);
        // MIGRATE carries the time left, so the instant has moved; a write puts it right.
        assert_eq!(other.say("AUTH.SESSION TOUCH user:sessions plain"), "1");
        let repaired = other.say("PEXPIRETIME user:sessions");
        assert!(before.contains(&format!("expires_ms {repaired} ")), "{repaired}: {before}");
    });
}

fn without_expiry(state: &str) -> String {
    let kept: Vec<_> = state.lines().filter(|line| !line.starts_with("PEXPIRETIME")).collect();
    kept.join("\n")
}

#[test]
fn object_and_debug_commands_take_a_ledger() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        fill(&mut talk);
        for line in [
            "OBJECT ENCODING user:full",
            "OBJECT FREQ user:full",
            "OBJECT IDLETIME user:full",
            "OBJECT REFCOUNT user:full",
            "DEBUG OBJECT user:full",
            "MEMORY DOCTOR",
            "DEBUG DIGEST",
            "TOUCH user:full",
        ] {
            talk.say(line);
        }
        assert_eq!(talk.say(GOOD), "OK");
        assert!(talk.say("GET user:full").starts_with("WRONGTYPE"));
        assert_eq!(talk.say("SET user:full text"), "OK");
        assert_eq!(talk.say("GETDEL user:full"), "text");
    });
}

#[test]
fn defragmentation_keeps_every_ledger() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        if talk.say("CONFIG SET activedefrag yes") != "OK" {
            // Built with another allocator; then there is nothing to test.
            return;
        }
        for setting in [
            "active-defrag-ignore-bytes 1",
            "active-defrag-threshold-lower 0",
            "active-defrag-cycle-min 50",
            "active-defrag-cycle-max 70",
        ] {
            assert_eq!(talk.say(&format!("CONFIG SET {setting}")), "OK");
        }
        fill(&mut talk);
        for n in 0..500 {
            talk.say(&format!(
                "AUTH.SESSION CREATE user:many s{n} EX 900 DEVICE {}",
                "d".repeat(n)
            ));
        }
        let before = (state(&mut talk), digest_of(&mut talk, "user:many"));
        // Of ledgers that lie side by side three in four go: every page that held them is left with holes.
        let mut pipe = redis::pipe();
        for n in 0..8_000 {
            let (key, device) = (format!("side:{n}"), "d".repeat(n % 300));
            pipe.cmd("AUTH.SESSION").arg(&["CREATE", &key, "s", "EX", "900", "DEVICE", &device]);
            pipe.ignore().cmd("AUTH.BLACKLIST").arg(&[&key, "t", "EX", "900"]).ignore();
        }
        for n in (0..8_000).filter(|n| n % 4 != 0) {
            pipe.del(format!("side:{n}")).ignore();
        }
        let () = pipe.query(&mut talk.0).expect("every command is accepted");
        let left = |talk: &mut Talk| {
            let keys = (0..8_000).step_by(4).map(|n| format!("side:{n}"));
            keys.map(|key| digest_of(talk, &key)).collect::<Vec<_>>()
        };
        let left_before = left(&mut talk);
        portcullis_tests::wait_until("something has been moved", || {
            let hits: u64 = talk.info("stats", "active_defrag_hits").parse().expect("a count");
            hits > 500
        });
        assert_eq!((state(&mut talk), digest_of(&mut talk, "user:many")), before);
        assert_eq!(left(&mut talk), left_before);
    });
}
