//! A cluster of three primaries: ledgers stay whole while their slot moves under traffic.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use portcullis_tests::{Cluster, Redis, wait_until};

use crate::on_each_server;
use crate::talk::{self, Talk};

const CHECK: &str = "AUTH.CHECK {user}:1 t SESSION s";

/// Asks as a cluster client does: at the place it is told of, until it gets a verdict.
struct Follower<'a> {
    nodes: Vec<(&'a Redis, Talk)>,
}

impl<'a> Follower<'a> {
    fn of(cluster: &'a Cluster) -> Self {
        Self { nodes: cluster.nodes.iter().map(|node| (node, talk::to(node))).collect() }
    }

    fn ask(&mut self, line: &str) -> String {
        let mut at = 0;
        let mut asking = false;
        loop {
            let (_, talk) = &mut self.nodes[at];
            if asking {
                talk.say("ASKING");
            }
            let told = talk.say(line);
            asking = told.starts_with("ASK ");
            if !asking && !told.starts_with("MOVED ") {
                return told;
            }
            let port = told.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0);
            let known = self.nodes.iter().position(|(node, _)| node.port() == port);
            at = known.expect("a node of this cluster");
        }
    }
}

#[test]
fn ledgers_stay_whole_while_their_slot_moves_under_traffic() {
    on_each_server(|server| {
        let cluster = Cluster::start(&Redis::options().server(server));
        let from = cluster.node_of("{user}:1");
        let to = cluster.nodes.iter().find(|node| node.port() != from.port()).expect("another");
        let (mut source, mut target) = (talk::to(from), talk::to(to));
        for n in 0..200 {
            source.say(&format!("AUTH.SESSION CREATE {{user}}:{n} s EX 900"));
            source.say(&format!("AUTH.BLACKLIST {{user}}:{n} revoked EX 900"));
        }
        let (done, asked) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| traffic(&cluster, &done, &asked));
            wait_until("there is traffic", || asked.load(Ordering::Relaxed) > 10);
            move_slot(&mut source, &mut target, to.port());
            let before = asked.load(Ordering::Relaxed);
            wait_until("there is traffic at the new place", || {
                asked.load(Ordering::Relaxed) > before + 10
            });
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(source.say("DBSIZE"), "0");
        for n in 0..200 {
            assert_eq!(target.say(&format!("AUTH.CHECK {{user}}:{n} t SESSION s")), "OK");
            let told = target.say(&format!("AUTH.CHECK {{user}}:{n} revoked SESSION s"));
            assert_eq!(told, "REVOKED");
        }
    });
}

/// Asks and writes until told to stop; no answer may be wrong.
fn traffic(cluster: &Cluster, done: &AtomicBool, asked: &AtomicU64) {
    let mut follower = Follower::of(cluster);
    while !done.load(Ordering::Relaxed) {
        assert_eq!(follower.ask(CHECK), "OK");
        assert_eq!(follower.ask("AUTH.CHECK {user}:2 revoked SESSION s"), "REVOKED");
        assert_eq!(follower.ask("AUTH.SESSION TOUCH {user}:3 s"), "1");
        asked.fetch_add(1, Ordering::Relaxed);
    }
}

/// Moves the slot of `{user}` with all its keys, a few at a time.
pub(crate) fn move_slot(source: &mut Talk, target: &mut Talk, port: u16) {
    let slot = source.say("CLUSTER KEYSLOT {user}:1");
    let (here, there) = (source.say("CLUSTER MYID"), target.say("CLUSTER MYID"));
    assert_eq!(target.say(&format!("CLUSTER SETSLOT {slot} IMPORTING {here}")), "OK");
    assert_eq!(source.say(&format!("CLUSTER SETSLOT {slot} MIGRATING {there}")), "OK");
    loop {
        let keys = source.say(&format!("CLUSTER GETKEYSINSLOT {slot} 10"));
        let keys = keys.trim_matches(['[', ']']);
        if keys.is_empty() {
            break;
        }
        let migrate = format!("MIGRATE 127.0.0.1 {port} % 0 60000 KEYS {keys}");
        assert_eq!(source.tell(&migrate, &[b""]), "OK");
    }
    for talk in [target, source] {
        assert_eq!(talk.say(&format!("CLUSTER SETSLOT {slot} NODE {there}")), "OK");
    }
}

/// Valkey 9 moves a slot in one step, if every module says that it can bear it.
#[test]
fn ledgers_stay_whole_when_their_slot_moves_in_one_step_to_a_stricter_node() {
    on_each_server(|server| {
        if !server.is_valkey() || server.version() < (9, 0) {
            return;
        }
        let cluster = Cluster::start(&Redis::options().server(server));
        let from = cluster.node_of("{user}:1");
        let to = cluster.nodes.iter().find(|node| node.port() != from.port()).expect("another");
        let (mut source, mut target) = (talk::to(from), talk::to(to));
        for setting in ["max-sessions 1", "max-ttl 1", "max-id-bytes 1", "max-device-bytes 0"] {
            target.say(&format!("CONFIG SET portcullis.{setting}"));
        }
        let now = source.now_ms();
        source.say("AUTH.BLACKLIST {user}:1 revoked EX 900");
        for line in [
            &format!("CREATE {{user}}:1 idle EX 900 IDLE 1 SEEN {} DEVICE phone", now - 9_000),
            "CREATE {user}:1 live EX 900 IDLE 60 DEVICE phone",
            "REVOKEALL {user}:1 AT 5",
            "CREATE {user}:1 expired PX 1",
        ] {
            source.say(&format!("AUTH.SESSION {line}"));
        }
        wait_until("one has expired", || {
            source.say("AUTH.CHECK {user}:1 t SESSION expired") == "NO_SESSION"
        });
        let digest = source.say("DEBUG DIGEST-VALUE {user}:1");

        let slot = source.say("CLUSTER KEYSLOT {user}:1");
        let there = target.say("CLUSTER MYID");
        let told =
            source.say(&format!("CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {there}"));
        assert_eq!(told, "OK");
        wait_until("the slot has moved", || target.say("EXISTS {user}:1") == "1");
        assert_eq!(target.say("DEBUG DIGEST-VALUE {user}:1"), digest);
        for (question, verdict) in [
            ("t SESSION live", "OK"),
            ("t SESSION idle", "IDLE"),
            ("t SESSION expired", "NO_SESSION"),
            ("t IATMS 5", "LOGGED_OUT"),
            ("revoked", "REVOKED"),
        ] {
            assert_eq!(target.say(&format!("AUTH.CHECK {{user}}:1 {question}")), verdict);
        }
    });
}
