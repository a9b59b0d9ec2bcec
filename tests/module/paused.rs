//! A confirmed primary whose writes are paused when a replica comes online. Nothing may be sent to
//! replicas meanwhile: the server ends itself if a module does. The replica is told afterwards.

use portcullis_tests::{Cluster, Redis, RedisOptions, Server, wait_until};

use crate::talk::{self, Talk};
use crate::{aof, on_each_server, strict, strict_on};

fn confirm(talk: &mut Talk) {
    let run_id = talk.info("server", "run_id");
    assert_eq!(talk.say(&format!("AUTH.CONFIRM {run_id}")), "OK");
}

fn is_confirmed(redis: &Redis) -> bool {
    talk::to(redis).info("portcullis", "portcullis_confirmed") == "1"
}

/// A confirmed primary.
fn primary(options: RedisOptions) -> (Redis, Talk) {
    let primary = options.start();
    let mut talk = talk::to(&primary);
    confirm(&mut talk);
    (primary, talk)
}

/// Waits until the primary counts as many replicas as online: it has heard of each by then.
fn wait_for_online(talk: &mut Talk, replicas: usize) {
    wait_until("the replicas are online", || {
        talk.say("INFO replication").matches("state=online").count() == replicas
    });
}

/// A replica that is stopped where it stands before it has taken the newest write.
fn lagging_replica(server: &Server, primary: &Redis, talk: &mut Talk) -> Redis {
    let replica = strict_on(server).start();
    replica.replica_of(primary);
    wait_until("it is confirmed", || is_confirmed(&replica));
    replica.freeze();
    assert_eq!(talk.say("AUTH.BLACKLIST user:1 token EX 900"), "1");
    replica
}

#[test]
fn f_56_a_replica_comes_online_while_clients_are_paused() {
    on_each_server(|server| {
        let (primary, mut talk) = primary(strict_on(server));
        assert_eq!(talk.say("CLIENT PAUSE 600000 WRITE"), "OK");
        let replica = strict_on(server).start();
        replica.replica_of(&primary);
        wait_for_online(&mut talk, 1);
        assert!(!is_confirmed(&replica), "it was told while writes are paused");
        assert_eq!(talk.say("CLIENT UNPAUSE"), "OK");
        wait_until("it is confirmed", || is_confirmed(&replica));
    });
}

#[test]
fn f_56_a_replica_comes_online_during_a_failover() {
    on_each_server(|server| {
        let (primary, mut talk) = primary(strict_on(server));
        let target = lagging_replica(server, &primary, &mut talk);
        // Whoever asks for data during a failover is sent away, so it has asked before.
        assert_eq!(talk.say("CONFIG SET repl-diskless-sync-delay 600"), "OK");
        let replica = strict_on(server).start();
        talk::to(&replica).say(&format!("REPLICAOF 127.0.0.1 {}", primary.port()));
        wait_until("it has asked for data", || {
            talk.say("INFO replication").contains("state=wait_bgsave")
        });
        let failover = format!("FAILOVER TO 127.0.0.1 {} TIMEOUT 600000", target.port());
        assert_eq!(talk.say(&failover), "OK");
        let state = talk.info("replication", "master_failover_state");
        assert_eq!(state, "waiting-for-sync");
        assert_eq!(talk.say("CONFIG SET repl-diskless-sync-delay 0"), "OK");
        wait_for_online(&mut talk, 2);
        assert!(!is_confirmed(&replica), "it was told while writes are paused");
        assert_eq!(talk.say("FAILOVER ABORT"), "OK");
        wait_until("it is confirmed", || is_confirmed(&replica));
    });
}

#[test]
fn f_56_a_replica_comes_online_during_a_failover_of_a_cluster() {
    on_each_server(|server| {
        let options = strict_on(server).arguments(&["--cluster-node-timeout", "60000"]);
        let cluster = Cluster::start(&options);
        let [primary, others @ ..] = cluster.nodes.as_slice() else { panic!("three nodes") };
        let mut talk = talk::to(primary);
        confirm(&mut talk);
        let candidate = cluster.replica_of(primary, &options);
        wait_until("it is confirmed", || is_confirmed(&candidate));
        // Nobody votes, so that the primary stays paused until the attempt times out.
        others.iter().for_each(Redis::freeze);

        assert_eq!(talk::to(&candidate).say("CLUSTER FAILOVER"), "OK");
        wait_until("the primary is paused", || {
            primary.log().contains("anual failover requested by replica")
        });
        // A known replica that comes online again, since a new one would have to be introduced.
        assert_eq!(talk.say("CLIENT KILL TYPE replica"), "1");
        wait_for_online(&mut talk, 1);
        wait_until("it is confirmed", || is_confirmed(&candidate));
        others.iter().for_each(Redis::thaw);
    });
}

#[test]
fn f_56_a_replica_comes_online_while_the_primary_waits_to_end() {
    on_each_server(|server| {
        let saved = ["--save", "3600 1", "--shutdown-timeout", "600"];
        let (mut primary, mut talk) = primary(strict_on(server).arguments(&saved));
        let late = lagging_replica(server, &primary, &mut talk);
        primary.terminate();
        wait_until("the primary waits for its replica", || {
            primary.log().contains("replicas before shutting down")
        });
        let replica = strict_on(server).start();
        replica.replica_of(&primary);
        wait_for_online(&mut talk, 2);
        late.thaw();
        assert!(primary.has_ended_well(), "{}", primary.log());
        primary.start_again();
        let mut talk = talk::to(&primary);
        confirm(&mut talk);
        assert_eq!(talk.say("AUTH.CHECK user:1 token"), "REVOKED");
    });
}

#[test]
fn f_56_many_replicas_are_told_at_once() {
    on_each_server(|server| {
        let (primary, mut talk) = primary(strict(aof::server(server).tcp()));
        assert_eq!(talk.say("CLIENT PAUSE 600000 WRITE"), "OK");
        let replicas: Vec<Redis> = (0..3).map(|_| strict_on(server).start()).collect();
        for replica in &replicas {
            replica.replica_of(&primary);
        }
        wait_for_online(&mut talk, replicas.len());
        assert_eq!(talk.say("CLIENT UNPAUSE"), "OK");
        for replica in &replicas {
            wait_until("it is confirmed", || is_confirmed(replica));
        }
        let told = aof::commands(&primary);
        let told = told.iter().filter(|line| line.starts_with("AUTH.CONFIRM")).count();
        assert_eq!(told, 2, "once by the client, once for all replicas");
    });
}
