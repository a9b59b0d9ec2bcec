//! Where the watermark of everybody goes: to replicas, into files, and out of them.

use portcullis_tests::{Redis, Server, wait_until};

use super::{before, create, end_all_before};
use crate::kept::keeper::Answer;
use crate::talk::{self, Talk};
use crate::{aof, everywhere, on_each_server};

#[test]
fn transactions_and_scripts_may_say_it() {
    on_each_server(|server| {
        let start = || Redis::options().server(server).tcp().start();
        let (primary, replica) = (start(), start());
        replica.replica_of(&primary);
        let mut talk = talk::to(&primary);
        let (at, run_id) = (talk.now_ms() - 10_000, talk.info("server", "run_id"));
        for line in ["MULTI", &format!("AUTH.CONFIRM {run_id} BEFORE {at}")] {
            talk.say(line);
        }
        assert_eq!(talk.say(&format!("AUTH.CHECK user:1 t IATMS {at}")), "QUEUED");
        assert_eq!(talk.say("EXEC"), "[OK LOGGED_OUT]");
        let script = "redis.call('AUTH.CONFIRM', ARGV[1], 'BEFORE', ARGV[2]) \
                      return redis.call('AUTH.CHECK', KEYS[1], 't', 'IATMS', ARGV[2])";
        let later = (at + 5).to_string();
        let told = talk.send(&["EVAL", script, "1", "user:1", &run_id, &later]);
        assert_eq!(told, "LOGGED_OUT");
        assert_eq!(talk.say("WAIT 1 60000"), "1");
        assert_eq!(before(&mut talk::to(&replica)), later);
    });
}

#[test]
fn replicas_hear_of_it_by_every_way() {
    on_each_server(|server| {
        let start = || Redis::options().server(server).tcp().start();
        let (mut primary, replica) = (start(), start());
        let mut talk = talk::to(&primary);
        let at = talk.now_ms() - 10_000;
        create(&mut talk, "user:1", "s", at);
        end_all_before(&mut talk, at - 2);
        replica.replica_of(&primary);
        let mut follower = talk::to(&replica);
        assert_eq!(before(&mut follower), (at - 2).to_string(), "a full synchronisation");
        assert_eq!(follower.say("AUTH.CHECK user:1 t SESSION s"), "OK");
        end_all_before(&mut talk, at - 1);
        assert_eq!(talk.say("WAIT 1 60000"), "1");
        assert_eq!(before(&mut follower), (at - 1).to_string(), "a command");
        let life = Answer::of(&mut follower, "user:1 t").life;
        talk.say("CLIENT KILL TYPE replica");
        end_all_before(&mut talk, at);
        wait_until("the replica has caught up", || {
            talk.info("stats", "sync_partial_ok") == "1" && talk.say("WAIT 1 100") == "1"
        });
        assert_eq!(follower.say("AUTH.CHECK user:1 t SESSION s"), "LOGGED_OUT", "the backlog");
        assert!(Answer::of(&mut follower, "user:1 t").life > life);
        primary.kill();
        assert_eq!(follower.say("REPLICAOF NO ONE"), "OK");
        assert_eq!(follower.say("AUTH.CHECK user:1 t SESSION s"), "LOGGED_OUT", "it is promoted");
        assert!(create(&mut follower, "user:1", "s", at).starts_with("ENDED "));
    });
}

/// A replica is its primary, whatever it was before; and until it has all of its primary's data it is
/// what it was.
#[test]
fn a_full_synchronisation_replaces_it_in_one_step() {
    on_each_server(|server| {
        for way in ["disabled", "swapdb"] {
            let start =
                |options: &[&str]| Redis::options().server(server).tcp().arguments(options).start();
            let primary = start(&[]);
            let replica = start(&["--repl-diskless-load", way]);
            let mut follower = talk::to(&replica);
            let at = follower.now_ms() - 10_000;
            end_all_before(&mut follower, at);
            replica.replica_of(&primary);
            assert_eq!(before(&mut follower), "0", "its primary has none ({way})");
            let mut talk = talk::to(&primary);
            end_all_before(&mut talk, at - 5);
            assert_eq!(talk.say("WAIT 1 60000"), "1");
            assert_eq!(before(&mut follower), (at - 5).to_string(), "{way}");
        }
    });
}

/// Emptying a database must not bring back what has ended in another.
#[test]
fn it_outlives_every_ledger() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let at = talk.now_ms() - 10_000;
        create(&mut talk, "user:1", "s", at);
        end_all_before(&mut talk, at);
        for event in ["FLUSHDB", "FLUSHALL", "SWAPDB 0 1", "DEBUG RELOAD", "FLUSHALL ASYNC"] {
            assert_eq!(talk.say(event), "OK");
            assert_eq!(before(&mut talk), at.to_string(), "{event}");
            assert!(create(&mut talk, "user:1", "s", at).starts_with("ENDED "), "{event}");
        }
    });
}

/// A server with this data, after it has gone and come again.
fn come_again(mut redis: Redis) -> Redis {
    redis.kill();
    redis.start_again();
    redis
}

#[test]
fn a_snapshot_brings_it_back() {
    on_each_server(|server| {
        for with_ledgers in [true, false] {
            let redis = Redis::options().server(server).start();
            let mut talk = talk::to(&redis);
            let at = talk.now_ms() - 10_000;
            if with_ledgers {
                create(&mut talk, "user:1", "s", at);
            }
            end_all_before(&mut talk, at);
            assert_eq!(talk.say("SAVE"), "OK");
            end_all_before(&mut talk, at + 1);
            let redis = come_again(redis);
            let mut talk = talk::to(&redis);
            assert_eq!(before(&mut talk), at.to_string());
            let expected = if with_ledgers { "LOGGED_OUT" } else { "NO_SESSION" };
            assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION s"), expected);
            assert_eq!(talk.info("portcullis", "portcullis_confirmed"), "0");
        }
    });
}

#[test]
fn an_append_only_file_brings_it_back_rewritten_or_not() {
    on_each_server(|server| {
        for (preamble, with_ledgers) in [("yes", true), ("yes", false), ("no", true), ("no", false)]
        {
            let redis = log(server, preamble);
            let mut talk = talk::to(&redis);
            let at = talk.now_ms() - 10_000;
            if with_ledgers {
                create(&mut talk, "user:1", "s", at);
            }
            end_all_before(&mut talk, at);
            let redis = come_again(redis);
            let mut talk = talk::to(&redis);
            assert_eq!(before(&mut talk), at.to_string(), "preamble {preamble}");
            rewrite(&mut talk);
            let redis = come_again(redis);
            let mut talk = talk::to(&redis);
            assert_eq!(before(&mut talk), at.to_string(), "rewritten, preamble {preamble}");
            let expected = if with_ledgers { "LOGGED_OUT" } else { "NO_SESSION" };
            assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION s"), expected);
            assert_eq!(
                talk.info("portcullis", "portcullis_confirmed"),
                "0",
                "a log confirms nobody"
            );
        }
    });
}

#[test]
fn a_replica_keeps_it_in_a_log_of_its_own() {
    on_each_server(|server| {
        let primary = Redis::options().server(server).tcp().start();
        let mut talk = talk::to(&primary);
        let at = talk.now_ms() - 10_000;
        end_all_before(&mut talk, at);
        let replica = log(server, "no");
        replica.replica_of(&primary);
        let mut follower = talk::to(&replica);
        rewrite(&mut follower);
        drop(talk);
        drop(primary);
        let replica = come_again(replica);
        assert_eq!(before(&mut talk::to(&replica)), at.to_string());
    });
}

fn log(server: &Server, preamble: &str) -> Redis {
    let options = aof::server(server).tcp();
    options.arguments(&["--aof-use-rdb-preamble", preamble]).start()
}

#[track_caller]
fn rewrite(talk: &mut Talk) {
    let idle = |talk: &mut Talk| {
        let mut of = |field| talk.info("persistence", field);
        of("aof_rewrite_in_progress") == "0" && of("aof_rewrite_scheduled") == "0"
    };
    wait_until("no rewrite is on", || idle(talk));
    let told = talk.say("BGREWRITEAOF");
    assert!(told.starts_with("Background append only file rewriting"), "{told}");
    wait_until("the AOF is rewritten", || idle(talk));
    assert_eq!(talk.info("persistence", "aof_last_bgrewrite_status"), "ok");
}
