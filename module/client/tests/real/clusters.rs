//! A whole cluster: what is revoked is dead for the watch, whatever happens to slots and primaries, and
//! what other primaries have said goes on counting.

use std::time::Instant;

use portcullis_client::{State, Verdict, Watch};
use portcullis_tests::{
    Cluster, Directory, Redis, RedisOptions, Server, certificate, servers, tls_arguments,
    wait_until,
};

use super::{ends, everywhere_at_once, options, say};
use crate::about;
use crate::waiting::{check, know};

/// Nodes that soon miss each other.
fn hasty(server: &Server) -> RedisOptions {
    let hasty = ["--cluster-node-timeout", "1500", "--cluster-replica-validity-factor", "0"];
    Redis::options().server(server).arguments(&hasty)
}

fn slot(key: &str) -> u16 {
    portcullis_core::slot_of(key.as_bytes())
}

fn id(node: &Redis) -> String {
    redis::cmd("CLUSTER").arg("MYID").query(&mut node.connection()).unwrap()
}

/// Somebody with a session at each node, whose token the watch knows as good.
fn everywhere(cluster: &Cluster, watch: &Watch) -> Vec<String> {
    let at = |port: u16| {
        let mut names = (0..).map(|number| format!("s{number}"));
        names.find(|name| cluster.node_of(&format!("user:{name}")).port() == port).unwrap()
    };
    let names: Vec<String> = cluster.nodes.iter().map(|node| at(node.port())).collect();
    for (name, node) in names.iter().zip(&cluster.nodes) {
        say(&mut node.connection(), &format!("AUTH.SESSION CREATE user:{name} s EX 3600"));
        know(watch, &about(name, name, "s"), Verdict::Ok);
    }
    names
}

/// Takes the slot of a key elsewhere, key by key, or as a whole where the server can.
fn take(key: &str, source: &Redis, target: &Redis) {
    let (slot, there) = (slot(key), id(target));
    let mut source_says = source.connection();
    if source.server().is_valkey() {
        say(
            &mut source_says,
            &format!("CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {there}"),
        );
        wait_until("the slot has gone", || {
            let mut get = redis::cmd("AUTH.CHECK");
            get.arg(key).arg("x").query::<String>(&mut target.connection()).is_ok()
        });
        return;
    }
    let here = id(source);
    say(&mut target.connection(), &format!("CLUSTER SETSLOT {slot} IMPORTING {here}"));
    say(&mut source_says, &format!("CLUSTER SETSLOT {slot} MIGRATING {there}"));
    let mut migrate = redis::cmd("MIGRATE");
    migrate.arg("127.0.0.1").arg(target.port()).arg(key).arg(0).arg(60_000);
    migrate.exec(&mut source_says).unwrap();
    say(&mut target.connection(), &format!("CLUSTER SETSLOT {slot} NODE {there}"));
    say(&mut source_says, &format!("CLUSTER SETSLOT {slot} NODE {there}"));
}

#[test]
fn what_is_revoked_where_its_slot_has_gone_is_dead_and_the_rest_goes_on() {
    for server in servers() {
        eprintln!("on {}", server.name);
        let cluster = Cluster::start(&hasty(server));
        let watch = Watch::connect(&cluster.url(), options()).unwrap();
        let names = everywhere(&cluster, &watch);
        let (source, target) = (&cluster.nodes[0], &cluster.nodes[1]);
        take(&format!("user:{}", names[0]), source, target);
        let asked = watch.stats().asked;
        say(&mut target.connection(), &format!("AUTH.SESSION REVOKE user:{} s", names[0]));
        ends(&watch, names[0].as_bytes(), Instant::now(), "revoked at the slot's new owner");
        // Nobody has asked since, so these are kept ones.
        for name in &names[1..] {
            wait_until("others go on", || watch.cached(name.as_bytes()) == Some(Verdict::Ok));
        }
        assert_eq!(watch.stats().asked, asked);
        know(&watch, &about(&names[0], &names[0], "s"), Verdict::NoSession);
    }
}

/// The primary of the first is gone, or hangs; a replica takes its place and hears of an end.
fn fails_over(server: &Server, is_thawed: bool) {
    let mut cluster = Cluster::start(&hasty(server));
    let replicas: Vec<Redis> =
        cluster.nodes.iter().map(|node| cluster.replica_of(node, &hasty(server))).collect();
    let watch = Watch::connect(&cluster.url(), options()).unwrap();
    let names = everywhere(&cluster, &watch);
    say(&mut cluster.nodes[0].connection(), "WAIT 1 60000");
    if is_thawed {
        cluster.nodes[0].freeze();
    } else {
        cluster.nodes[0].kill();
    }
    let mut new = replicas[0].connection();
    wait_until("the replica is promoted", || {
        let text: String = redis::cmd("INFO").arg("replication").query(&mut new).unwrap();
        text.contains("role:master")
    });
    wait_until("it takes changes", || {
        let mut revoke = redis::cmd("AUTH.SESSION");
        revoke.arg("REVOKE").arg(format!("user:{}", names[0])).arg("s");
        revoke.exec(&mut new).is_ok()
    });
    let since = Instant::now();
    if is_thawed {
        cluster.nodes[0].thaw();
    }
    ends(&watch, names[0].as_bytes(), since, "revoked at the new primary");
    let question = about(&names[0], &names[0], "s");
    wait_until("the new one is asked", || {
        let said = check(&watch, &question);
        assert_ne!(said, Ok(Verdict::Ok), "the old one is believed");
        said == Ok(Verdict::NoSession)
    });
    for name in &names[1..] {
        know(&watch, &about(name, name, "s"), Verdict::Ok);
    }
}

#[test]
fn what_is_revoked_after_a_failover_is_dead() {
    everywhere_at_once(|server| fails_over(server, false));
}

#[test]
fn a_primary_that_hung_while_another_took_its_place_is_not_believed() {
    everywhere_at_once(|server| fails_over(server, true));
}

#[test]
fn a_cluster_is_watched_over_tls() {
    let directory = Directory::new();
    let files = certificate(&directory).map(|path| path.display().to_string());
    let [certificate, key] = &files;
    let cluster = Cluster::behind_tls(&Redis::options(), &tls_arguments(certificate, key));
    let url = cluster.url().replacen("redis+", "rediss+", 1);
    let watch = Watch::connect(&format!("{url}?ca={certificate}"), options()).unwrap();
    wait_until("it watches all", || matches!(watch.state(), State::Watching { .. }));
    let unknown = Watch::connect(&url, options()).unwrap();
    let question = about("42", "token", "s");
    wait_until("it is asked", || check(&watch, &question).is_ok());
    assert!(check(&unknown, &question).is_err());
}
