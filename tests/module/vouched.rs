//! A ledger carries with it whether its server was confirmed. One that comes from a server for which
//! nobody vouched makes the server it comes to doubtful, however it comes.

use portcullis_tests::{Server, wait_until};
use redis::Value;

use crate::kept::keeper::Answer;
use crate::payload::{opened, sealed};
use crate::talk::{self, Talk};
use crate::{everywhere, on_each_server, strict_on};

#[track_caller]
fn confirm(talk: &mut Talk) {
    let run_id = talk.info("server", "run_id");
    assert_eq!(talk.say(&format!("AUTH.CONFIRM {run_id}")), "OK");
}

fn field(talk: &mut Talk, name: &str) -> String {
    talk.info("portcullis", &format!("portcullis_{name}"))
}

/// A ledger as it leaves a server, confirmed or not.
#[track_caller]
fn payload(server: &Server, confirmed: bool) -> Vec<u8> {
    let redis = strict_on(server).start();
    let mut talk = talk::to(&redis);
    talk.say("AUTH.SESSION CREATE user:1 s EX 900");
    if confirmed {
        confirm(&mut talk);
    }
    let Value::BulkString(payload) = talk.answer("DUMP user:1") else { panic!("no ledger") };
    payload
}

/// The same ledger as version 1 of the encoding wrote it.
fn of_version_1(payload: &[u8]) -> Vec<u8> {
    let (value, version) = opened(payload);
    let mut value = value.to_vec();
    // The encoding version is in the low ten bits of the module's id; behind it stand the opcode of a
    // string, its length, and the flags.
    assert_eq!((value[9] & 3, value[10]), (2, 5));
    value[9] -= 1;
    value[11] -= 1;
    value.remove(12);
    sealed(&value, version)
}

#[test]
fn a_ledger_from_a_confirmed_server_changes_nothing() {
    on_each_server(|server| {
        let payload = payload(server, true);
        let redis = strict_on(server).start();
        let mut talk = talk::to(&redis);
        confirm(&mut talk);
        let lives = (field(&mut talk, "check_life"), field(&mut talk, "fence_life"));
        assert_eq!(talk.tell("RESTORE user:1 0 %", &[&payload]), "OK");
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION s"), "OK");
        assert_eq!((field(&mut talk, "check_life"), field(&mut talk, "fence_life")), lives);
        assert_eq!(field(&mut talk, "ledgers_unconfirmed"), "0");
    });
}

#[test]
fn a_ledger_that_nobody_vouched_for_makes_a_confirmed_server_doubtful() {
    on_each_server(|server| {
        let unconfirmed = payload(server, false);
        let old = of_version_1(&payload(server, true));
        let redis = strict_on(server).start();
        let mut talk = talk::to(&redis);
        for (count, payload) in [("1", &unconfirmed), ("2", &old)] {
            confirm(&mut talk);
            let kept = Answer::of(&mut talk, "user:2 t");
            let life = field(&mut talk, "fence_life");
            assert_eq!(talk.tell("RESTORE user:1 0 % REPLACE", &[payload]), "OK");
            assert!(talk.say("AUTH.CHECK user:2 t").starts_with("NOTREADY"));
            assert_eq!(field(&mut talk, "ledgers_unconfirmed"), count);
            assert_ne!(field(&mut talk, "fence_life"), life);
            confirm(&mut talk);
            assert!(Answer::of(&mut talk, "user:2 t").life > kept.life);
            assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION s"), "OK", "it was read");
        }
        assert_eq!(redis.log().matches("that nobody had confirmed").count(), 2, "{}", redis.log());
    });
}

/// Whoever has begun to bring it up to date has not seen this ledger.
#[test]
fn such_a_ledger_voids_a_confirmation_that_is_on_its_way() {
    on_each_server(|server| {
        let payload = payload(server, false);
        let redis = strict_on(server).start();
        let mut talk = talk::to(&redis);
        let (run_id, life) = (talk.info("server", "run_id"), field(&mut talk, "fence_life"));
        assert_eq!(talk.say(&format!("AUTH.CONFIRM {run_id} NOTE MARK recent")), "OK");
        assert_eq!(field(&mut talk, "mark"), "recent");
        assert_eq!(talk.tell("RESTORE user:1 0 %", &[&payload]), "OK");
        assert_eq!(field(&mut talk, "mark"), "", "it says nothing of this ledger");
        let told = talk.say(&format!("AUTH.CONFIRM {run_id} LIFE {life}"));
        assert!(told.starts_with("STALE"), "{told}");
    });
}

#[test]
fn where_nobody_confirms_nothing_is_doubted() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let payload = payload(redis.server(), false);
        let lives = (field(&mut talk, "check_life"), field(&mut talk, "fence_life"));
        for payload in [&payload, &of_version_1(&payload)] {
            assert_eq!(talk.tell("RESTORE user:1 0 % REPLACE", &[payload]), "OK");
        }
        assert_eq!((field(&mut talk, "check_life"), field(&mut talk, "fence_life")), lives);
        assert_eq!(field(&mut talk, "ledgers_unconfirmed"), "0");
        // But a confirmation that somebody gave all the same is not worth what it was.
        confirm(&mut talk);
        assert_eq!(talk.tell("RESTORE user:1 0 % REPLACE", &[&payload]), "OK");
        assert_eq!(field(&mut talk, "confirmed"), "0");
    });
}

#[test]
fn a_ledger_migrates_from_confirmed_to_confirmed_only() {
    on_each_server(|server| {
        let (source, target) = (strict_on(server).start(), strict_on(server).start());
        let (mut from, mut to) = (talk::to(&source), talk::to(&target));
        confirm(&mut to);
        let migrate = format!("MIGRATE 127.0.0.1 {} user:1 0 60000 REPLACE", target.port());
        for (is_confirmed, expected) in [(true, "1"), (false, "0")] {
            from.say("AUTH.SESSION CREATE user:1 s EX 900");
            if is_confirmed {
                confirm(&mut from);
            } else {
                from.say("SWAPDB 1 2");
            }
            assert_eq!(from.say(&migrate), "OK");
            assert_eq!(field(&mut to, "confirmed"), expected);
        }
    });
}

/// What a replica is sent is as good as its primary, which tells it so itself.
#[test]
fn a_replica_of_a_confirmed_primary_is_confirmed_whatever_it_held_before() {
    on_each_server(|server| {
        let (primary, replica) = (strict_on(server).start(), strict_on(server).start());
        let mut talk = talk::to(&primary);
        talk.tell("RESTORE user:1 0 %", &[&payload(server, false)]);
        confirm(&mut talk);
        replica.replica_of(&primary);
        let mut follower = talk::to(&replica);
        wait_until("the replica is confirmed", || {
            follower.say("AUTH.CHECK user:1 t SESSION s") == "OK"
        });
        assert_eq!(field(&mut follower, "ledgers_unconfirmed"), "0");
    });
}
