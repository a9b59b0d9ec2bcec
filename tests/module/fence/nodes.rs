//! The fence in a cluster: each node has one of its own, and a slot leaves it behind when it moves.

use portcullis_tests::{Cluster, Redis, wait_until};

use super::{STALE, begin};
use crate::talk::{self, Talk};
use crate::{cluster, on_each_server};

#[test]
fn every_node_of_a_cluster_has_a_fence_of_its_own() {
    on_each_server(|server| {
        let cluster = Cluster::start(&Redis::options().server(server));
        let owner = cluster.node_of("user:1");
        for node in &cluster.nodes {
            let token = talk::to(node).say("AUTH.FENCE");
            let told = begin(&mut talk::to(owner), "s", &token);
            assert_eq!(told == "[]", node.port() == owner.port(), "{told}");
        }
    });
}

/// By `MIGRATE`, and on Valkey 9 in one step as well.
#[test]
fn f_01_a_slot_that_has_been_elsewhere_takes_no_token_of_before() {
    on_each_server(|server| {
        let cluster = Cluster::start(&Redis::options().server(server));
        let here = cluster.node_of("{user}:1");
        let there = cluster.nodes.iter().find(|node| node.port() != here.port()).expect("another");
        let (mut near, mut far) = (talk::to(here), talk::to(there));
        let create = "AUTH.SESSION CREATE {user}:1 s EX 900";
        assert_eq!(near.say(create), "[]");
        let token = near.say("AUTH.FENCE");
        cluster::move_slot(&mut near, &mut far, there.port());
        assert_eq!(far.say("AUTH.SESSION REVOKE {user}:1 s"), "1");
        cluster::move_slot(&mut far, &mut near, here.port());
        assert_eq!(near.say(&format!("{create} FENCE {token}")), STALE);
        let token = near.say("AUTH.FENCE");
        assert_eq!(
            near.say(&format!("AUTH.SESSION CREATE {{user}}:1 new EX 900 FENCE {token}")),
            "[]"
        );
        if !server.is_valkey() || server.version() < (9, 0) {
            return;
        }
        let token = near.say("AUTH.FENCE");
        migrate_in_one_step(&mut near, &mut far);
        assert_eq!(far.say("AUTH.SESSION REVOKE {user}:1 new"), "1");
        migrate_in_one_step(&mut far, &mut near);
        assert_eq!(
            near.say(&format!("AUTH.SESSION CREATE {{user}}:1 new EX 900 FENCE {token}")),
            STALE
        );
    });
}

fn migrate_in_one_step(source: &mut Talk, target: &mut Talk) {
    let slot = source.say("CLUSTER KEYSLOT {user}:1");
    let there = target.say("CLUSTER MYID");
    let told = source.say(&format!("CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {there}"));
    assert_eq!(told, "OK");
    wait_until("the slot has moved", || target.say("AUTH.CHECK {user}:1 t") == "OK");
}
