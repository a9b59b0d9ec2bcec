//! With `require-confirm` nobody hears `OK` from ledgers that may be older than the truth: the
//! states of `module/src/commands/confirm.rs`, one test a line.

use portcullis_tests::{Redis, wait_until};

use crate::talk::{self, Talk};
use crate::{aof, on_each_server, strict, strict_on};

const REFUSAL: &str =
    "NOTREADY nobody vouches for the ledgers of this server now; refuse the token";
const WRONG_RUN: &str = "ERR this is not the run id of this server; read run_id from INFO server";

fn verdict(redis: &Redis) -> String {
    talk::to(redis).say("AUTH.CHECK user:1 token")
}

fn confirm(redis: &Redis) -> String {
    let mut talk = talk::to(redis);
    let run_id = talk.info("server", "run_id");
    talk.say(&format!("AUTH.CONFIRM {run_id}"))
}

/// A confirmed primary and a replica that has heard of it.
fn confirmed_pair(server: &portcullis_tests::Server) -> (Redis, Redis) {
    let start = || strict_on(server).start();
    let (primary, replica) = (start(), start());
    assert_eq!(confirm(&primary), "OK");
    replica.replica_of(&primary);
    wait_until("the replica is confirmed", || verdict(&replica) == "OK");
    (primary, replica)
}

#[test]
fn a_server_that_has_started_vouches_for_nothing_until_it_is_confirmed() {
    on_each_server(|server| {
        let redis = strict(Redis::options().server(server)).start();
        let mut talk = talk::to(&redis);
        assert_eq!(talk.say("AUTH.CHECK user:1 token"), REFUSAL);
        assert_eq!(talk.say("AUTH.SESSION CREATE user:1 s EX 60"), "[]");
        assert_eq!(talk.say("AUTH.CHECK user:1 token SESSION s"), REFUSAL);
        assert_eq!(talk.info("portcullis", "portcullis_confirmed"), "0");
        assert_eq!(talk.info("portcullis", "portcullis_checks_not_ready"), "2");
        assert_eq!(confirm(&redis), "OK");
        assert_eq!(talk.say("AUTH.CHECK user:1 token SESSION s"), "OK");
        assert_eq!(talk.info("portcullis", "portcullis_confirmed"), "1");
    });
}

#[test]
fn without_the_setting_nobody_needs_to_confirm() {
    on_each_server(|server| {
        let redis = Redis::options().server(server).start();
        assert_eq!(verdict(&redis), "OK");
        assert_eq!(talk::to(&redis).say("CONFIG SET portcullis.require-confirm yes"), "OK");
        assert_eq!(verdict(&redis), REFUSAL);
    });
}

#[test]
fn a_confirmation_meant_for_another_life_is_refused() {
    on_each_server(|server| {
        let mut redis = strict(aof::server(server)).start();
        let earlier = talk::to(&redis).info("server", "run_id");
        assert_eq!(confirm(&redis), "OK");
        redis.kill();
        redis.start_again();
        let mut talk = talk::to(&redis);
        assert_eq!(talk.say("AUTH.CHECK user:1 token"), REFUSAL, "its own log confirmed it");
        assert_eq!(talk.say(&format!("AUTH.CONFIRM {earlier}")), WRONG_RUN);
        assert_eq!(talk.say("AUTH.CHECK user:1 token"), REFUSAL);
        assert_eq!(confirm(&redis), "OK");
        assert_eq!(talk.say("AUTH.CHECK user:1 token"), "OK");
    });
}

#[test]
fn a_snapshot_from_before_a_revocation_is_not_believed() {
    on_each_server(|server| {
        let mut redis = strict(Redis::options().server(server)).start();
        confirm(&redis);
        let mut talk = talk::to(&redis);
        talk.say("AUTH.SESSION CREATE user:1 s EX 600");
        assert_eq!(talk.say("SAVE"), "OK");
        talk.say("AUTH.BLACKLIST user:1 token EX 600");
        redis.kill();
        redis.start_again();
        assert_eq!(verdict(&redis), REFUSAL);
    });
}

#[test]
fn a_replica_is_confirmed_by_its_primary_and_by_nobody_else() {
    on_each_server(|server| {
        let start = || strict_on(server).start();
        let (primary, replica) = (start(), start());
        replica.replica_of(&primary);
        assert_eq!(verdict(&replica), REFUSAL);
        assert!(confirm(&replica).starts_with("READONLY"), "a replica was confirmed by a client");
        assert_eq!(confirm(&primary), "OK");
        wait_until("the replica is confirmed", || verdict(&replica) == "OK");
    });
}

#[test]
fn a_replica_that_comes_online_later_is_told() {
    on_each_server(|server| {
        let (_primary, replica) = confirmed_pair(server);
        assert_eq!(verdict(&replica), "OK");
    });
}

#[test]
fn a_replica_that_has_lost_its_primary_vouches_for_nothing() {
    on_each_server(|server| {
        let (mut primary, replica) = confirmed_pair(server);
        primary.kill();
        wait_until("the replica has noticed", || verdict(&replica) == REFUSAL);
    });
}

#[test]
fn a_replica_that_finds_its_primary_again_is_told_again() {
    on_each_server(|server| {
        let (primary, replica) = confirmed_pair(server);
        let mut told: Talk = talk::to(&primary);
        assert_ne!(told.say("CLIENT KILL TYPE replica"), "0");
        wait_until("the link is back and confirmed", || {
            let link = talk::to(&replica).info("replication", "master_link_status");
            link == "up" && verdict(&replica) == "OK"
        });
    });
}

#[test]
fn a_promoted_replica_vouches_for_nothing_until_it_is_confirmed() {
    on_each_server(|server| {
        let (_primary, replica) = confirmed_pair(server);
        assert_eq!(talk::to(&replica).say("REPLICAOF NO ONE"), "OK");
        assert_eq!(verdict(&replica), REFUSAL);
        assert_eq!(confirm(&replica), "OK");
        assert_eq!(verdict(&replica), "OK");
    });
}

#[test]
fn a_server_that_was_emptied_vouches_for_nothing() {
    on_each_server(|server| {
        let (primary, replica) = confirmed_pair(server);
        for goodbye in ["FLUSHALL", "FLUSHDB", "SWAPDB 0 1"] {
            assert_eq!(talk::to(&primary).say(goodbye), "OK");
            assert_eq!(verdict(&primary), REFUSAL, "{goodbye}");
            wait_until("the replica is emptied", || verdict(&replica) == REFUSAL);
            assert_eq!(confirm(&primary), "OK");
            wait_until("the replica is confirmed again", || verdict(&replica) == "OK");
        }
    });
}
