//! What is replayed late: nothing is forgotten or refused because its time has passed meanwhile, as
//! Redis itself never expires anything while it replays.

use portcullis_tests::{Redis, RedisOptions, wait_until};

use crate::talk::{self, Talk};
use crate::{aof, on_each_server};

/// In one step: ledgers with something that is over at once take the place of others that hold the
/// sessions x, and get a session y, so that their keys live on.
const REPLACED: [&str; 9] = [
    "MULTI",
    "AUTH.SESSION CREATE user:1 short PX 1",
    "RENAME user:1 user:renamed",
    "AUTH.SESSION CREATE user:renamed y EX 900",
    "AUTH.SESSION CREATE user:1 short PX 1",
    "COPY user:1 user:copied REPLACE",
    "AUTH.SESSION CREATE user:copied y EX 900",
    "AUTH.BLACKLIST user:2 short PX 1",
    "COPY user:2 user:blacklist REPLACE",
];
const KEYS: [&str; 3] = ["user:renamed", "user:copied", "user:blacklist"];

fn replace(talk: &mut Talk) {
    for key in KEYS {
        assert_eq!(talk.say(&format!("AUTH.SESSION CREATE {key} x EX 900")), "[]");
    }
    for line in REPLACED {
        talk.say(line);
    }
    talk.say("AUTH.SESSION CREATE user:blacklist y EX 900");
    assert_eq!(talk.say("EXEC"), "[[] OK [] [] 1 [] 1 1 []]");
}

/// Everything that may be asked of the ledgers.
#[track_caller]
fn verdicts(talk: &mut Talk) -> String {
    let mut told = Vec::new();
    for key in KEYS {
        for question in ["t SESSION x", "t SESSION y", "t SESSION short", "short"] {
            told.push(talk.say(&format!("AUTH.CHECK {key} {question}")));
        }
        told.push(talk.say(&format!("DEBUG DIGEST-VALUE {key}")));
        told.push(talk.say(&format!("PEXPIRETIME {key}")));
    }
    assert_eq!(told[0], "NO_SESSION", "a session lives on whose ledger was replaced");
    told.join(" ")
}

fn wait_for_expiry(talk: &mut Talk) {
    wait_until("the short ones are over", || {
        KEYS.iter().all(|key| {
            talk.say(&format!("AUTH.CHECK {key} short SESSION y")) == "OK"
                && talk.say(&format!("AUTH.CHECK {key} t SESSION short")) == "NO_SESSION"
        })
    });
}

#[test]
fn f_58_a_log_is_replayed_when_what_it_tells_of_is_over() {
    on_each_server(|server| {
        let mut redis = aof::server(server).start();
        let mut talk = talk::to(&redis);
        replace(&mut talk);
        wait_for_expiry(&mut talk);
        let before = verdicts(&mut talk);
        redis.kill();
        redis.start_again();
        assert_eq!(verdicts(&mut talk::to(&redis)), before);
    });
}

/// A primary and a replica that has taken `before` and takes `late` when all of it is over.
fn slow_replica(options: RedisOptions, late: impl FnOnce(&mut Talk)) -> (Redis, Redis) {
    let strict = ["--propagation-error-behavior", "panic-on-replicas"];
    let options = options.tcp().arguments(&strict);
    let (primary, replica) = (options.clone().start(), options.start());
    replica.replica_of(&primary);
    let mut talk = talk::to(&primary);
    replica.freeze();
    late(&mut talk);
    replica.thaw();
    assert_eq!(talk.say("WAIT 1 60000"), "1");
    (primary, replica)
}

#[test]
fn f_58_a_replica_hears_of_it_when_it_is_over() {
    on_each_server(|server| {
        let (primary, replica) = slow_replica(Redis::options().server(server), |talk| {
            replace(talk);
            wait_for_expiry(talk);
        });
        let told = verdicts(&mut talk::to(&primary));
        assert_eq!(verdicts(&mut talk::to(&replica)), told);
    });
}

#[test]
fn f_58_what_a_primary_sweeps_away_goes_on_its_replicas_too() {
    on_each_server(|server| {
        let (primary, replica) = slow_replica(Redis::options().server(server), |talk| {
            for line in [
                "AUTH.SESSION CREATE user:1 short PX 1",
                "AUTH.SESSION CREATE user:1 last EX 900",
                "AUTH.BLACKLIST user:2 short PX 1",
                "AUTH.SESSION CREATE user:2 last EX 900",
            ] {
                talk.say(line);
            }
            wait_until("the short ones are over", || {
                talk.say("AUTH.CHECK user:1 t SESSION short") == "NO_SESSION"
                    && talk.say("AUTH.CHECK user:2 short") == "OK"
            });
            // What is over is swept by the first of these, and the key goes with the second.
            for key in ["user:1", "user:2"] {
                assert_eq!(talk.say(&format!("AUTH.SESSION CREATE {key} more EX 900")), "[]");
                assert_eq!(talk.say(&format!("AUTH.SESSION REVOKE {key} more last")), "2");
            }
            assert_eq!(talk.say("DBSIZE"), "0");
        });
        assert_eq!(talk::to(&replica).say("DBSIZE"), "0");
        assert_eq!(talk::to(&primary).say("DBSIZE"), "0");
    });
}

#[test]
fn f_58_a_snapshot_of_what_is_over_can_be_read() {
    on_each_server(|server| {
        let (_primary, mut replica) = slow_replica(Redis::options().server(server), |talk| {
            for line in [
                "MULTI",
                "AUTH.SESSION CREATE user:1 short PX 1",
                "PERSIST user:1",
                "AUTH.BLACKLIST user:2 short PX 1",
                "PERSIST user:2",
                "EXEC",
            ] {
                talk.say(line);
            }
        });
        wait_until("it is over", || {
            talk::to(&replica).say("AUTH.CHECK user:1 t SESSION short") == "NO_SESSION"
                && talk::to(&replica).say("AUTH.CHECK user:2 short") == "OK"
        });
        assert_eq!(talk::to(&replica).say("DBSIZE"), "2");
        replica.stop_and_save();
        replica.start_again();
        let mut talk = talk::to(&replica);
        assert_eq!(talk.say("DBSIZE"), "2");
        assert_eq!(talk.say("AUTH.SESSION REVOKE user:1 short"), "0");
        assert_eq!(talk.say("DBSIZE"), "1");
    });
}
