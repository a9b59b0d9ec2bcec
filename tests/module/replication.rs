//! Primaries and replicas: that they agree, whatever happened to the link between them.

use portcullis_tests::{Redis, Server, wait_until};

use crate::ledgers::{KEYS, fill, state};
use crate::on_each_server;
use crate::talk::{self, Talk, digest};

fn start(server: &Server) -> Redis {
    Redis::options().server(server).tcp().start()
}

#[track_caller]
fn in_step(talk: &mut Talk) {
    assert_eq!(talk.say("WAIT 1 60000"), "1");
}

#[test]
fn a_replica_agrees_after_a_full_resync_and_after_every_change() {
    on_each_server(|server| {
        let (primary, replica) = (start(server), start(server));
        let mut talk = talk::to(&primary);
        fill(&mut talk);
        replica.replica_of(&primary);
        let mut follower = talk::to(&replica);
        assert_eq!(state(&mut follower), state(&mut talk));
        for line in [
            "AUTH.SESSION TOUCH user:full s1",
            "AUTH.SESSION CREATE user:full more EX 500 MAX 2 IDLE 5",
            "AUTH.SESSION REVOKE user:sessions s1",
            "AUTH.SESSION REVOKEALL user:sessions EXCEPT plain",
            "AUTH.SESSION REVOKEALL user:full",
            "AUTH.SESSION CREATE user:out new PX 700000",
            "AUTH.BLACKLIST user:out other EX 50",
            "PERSIST user:out",
            "AUTH.BLACKLIST user:out third EX 50",
        ] {
            talk.say(line);
            in_step(&mut talk);
            assert_eq!(state(&mut follower), state(&mut talk), "after {line}");
        }
    });
}

#[test]
fn a_replica_that_loads_while_it_serves_agrees() {
    on_each_server(|server| {
        let primary = start(server);
        let options = Redis::options().server(server).tcp();
        let replica = options.arguments(&["--repl-diskless-load", "swapdb"]).start();
        fill(&mut talk::to(&replica));
        let mut talk = talk::to(&primary);
        fill(&mut talk);
        talk.say("AUTH.SESSION REVOKEALL user:full");
        replica.replica_of(&primary);
        assert_eq!(state(&mut talk::to(&replica)), state(&mut talk));
        // Asynchronous loading is what the module says it can; without it the log tells otherwise.
        assert!(!replica.log().contains("not declared"), "{}", replica.log());
    });
}

#[test]
fn a_replica_agrees_after_a_partial_resync() {
    on_each_server(|server| {
        let (primary, replica) = (start(server), start(server));
        let mut talk = talk::to(&primary);
        fill(&mut talk);
        replica.replica_of(&primary);
        in_step(&mut talk);
        talk.say("CLIENT KILL TYPE replica");
        talk.say("AUTH.SESSION REVOKEALL user:full");
        talk.say("AUTH.BLACKLIST user:sessions t EX 900");
        wait_until("the replica has caught up", || {
            talk.info("stats", "sync_partial_ok") == "1" && talk.say("WAIT 1 100") == "1"
        });
        assert_eq!(talk.info("stats", "sync_full"), "1");
        assert_eq!(state(&mut talk::to(&replica)), state(&mut talk));
    });
}

#[test]
fn after_a_failover_nothing_that_was_acknowledged_is_accepted() {
    on_each_server(|server| {
        let (mut primary, replica) = (start(server), start(server));
        let mut talk = talk::to(&primary);
        fill(&mut talk);
        replica.replica_of(&primary);
        let now = talk.now_ms();
        talk.say("AUTH.SESSION REVOKE user:sessions s1");
        talk.say("AUTH.SESSION REVOKEALL user:full");
        talk.say("AUTH.BLACKLIST user:sessions t EX 900");
        in_step(&mut talk);
        let before = state(&mut talk);
        primary.kill();
        let mut promoted = talk::to(&replica);
        assert_eq!(promoted.say("REPLICAOF NO ONE"), "OK");
        assert_eq!(state(&mut promoted), before);
        for (question, verdict) in [
            ("user:sessions other SESSION s1".to_owned(), "NO_SESSION"),
            ("user:full other SESSION plain".into(), "NO_SESSION"),
            (format!("user:full other IATMS {now}"), "LOGGED_OUT"),
            ("user:sessions t SESSION plain".into(), "REVOKED"),
            ("user:sessions other SESSION plain".into(), "OK"),
        ] {
            assert_eq!(promoted.say(&format!("AUTH.CHECK {question}")), verdict, "{question}");
        }
        assert_eq!(promoted.say("AUTH.SESSION REVOKE user:sessions plain"), "1");
    });
}

#[test]
fn transactions_and_scripts_reach_the_replica_whole() {
    on_each_server(|server| {
        let (primary, replica) = (start(server), start(server));
        replica.replica_of(&primary);
        let mut talk = talk::to(&primary);
        for line in [
            "MULTI",
            "AUTH.SESSION CREATE user:full s1 EX 900",
            "AUTH.SESSION CREATE user:full s2 EX 900 MAX 1",
            "AUTH.BLACKLIST user:full token EX 900",
        ] {
            talk.say(line);
        }
        assert_eq!(talk.say("EXEC"), "[[] [s1] 1]");
        let script = "redis.call('AUTH.SESSION','CREATE',KEYS[1],ARGV[1],'EX',900,'MAX',2) \
                      redis.call('AUTH.BLACKLIST',KEYS[1],'other','EX',900) \
                      return redis.call('AUTH.CHECK',KEYS[1],'other','SESSION',ARGV[1])";
        let told = talk.send(&["EVAL", script, "1", "user:full", "s1"]);
        assert_eq!(told, "REVOKED");
        let refused = talk.send(&["EVAL", "return redis.call('AUTH.CHECK',KEYS[1])", "1", "k"]);
        assert!(refused.contains("rong number of arg"), "{refused}");
        in_step(&mut talk);
        let mut follower = talk::to(&replica);
        let digest = talk.say("DEBUG DIGEST-VALUE user:full");
        assert_eq!(follower.say("DEBUG DIGEST-VALUE user:full"), digest);
        assert_eq!(follower.say("AUTH.CHECK user:full t SESSION s1"), "OK");
    });
}

#[test]
fn a_large_ledger_leaves_in_the_background() {
    on_each_server(|server| {
        let redis = start(server);
        let mut talk = talk::to(&redis);
        for goodbye in ["FLUSHALL ASYNC", "UNLINK revoked", "FLUSHDB ASYNC"] {
            let freed = talk.info("memory", "lazyfreed_objects");
            crate::ledgers::revoke_many(&mut talk, "revoked", 20_000);
            talk.say(goodbye);
            wait_until("it has been freed", || {
                talk.info("memory", "lazyfree_pending_objects") == "0"
            });
            assert_ne!(talk.info("memory", "lazyfreed_objects"), freed, "{goodbye}");
            assert_eq!(talk.say(&format!("AUTH.CHECK revoked DIGEST {}", digest(1))), "OK");
        }
    });
}

#[test]
fn replicas_and_snapshots_name_what_is_alive_only() {
    on_each_server(|server| {
        let (primary, replica) = (start(server), start(server));
        replica.replica_of(&primary);
        let mut talk = talk::to(&primary);
        talk.say("AUTH.SESSION CREATE user:1 short PX 1");
        talk.say("AUTH.SESSION CREATE user:1 long EX 900");
        talk.say("AUTH.BLACKLIST user:1 t PX 1");
        in_step(&mut talk);
        wait_until("both have expired", || {
            talk.say("AUTH.CHECK user:1 t SESSION short") == "NO_SESSION"
                && talk.say("AUTH.CHECK user:1 t SESSION long") == "OK"
        });
        // The primary sweeps with its next write, the replica with the same one replayed.
        let mut follower = talk::to(&replica);
        let digest = |talk: &mut Talk| talk.say("DEBUG DIGEST-VALUE user:1");
        assert_eq!(digest(&mut follower), digest(&mut talk));
        talk.say("AUTH.SESSION TOUCH user:1 long");
        in_step(&mut talk);
        assert_eq!(digest(&mut follower), digest(&mut talk));
        assert_ne!(digest(&mut talk), format!("[{}]", "0".repeat(40)));
    });
}

#[test]
fn every_key_that_the_tests_compare_exists() {
    on_each_server(|server| {
        let redis = start(server);
        let mut talk = talk::to(&redis);
        fill(&mut talk);
        assert_eq!(talk.say(&format!("EXISTS {}", KEYS.join(" "))), KEYS.len().to_string());
    });
}
