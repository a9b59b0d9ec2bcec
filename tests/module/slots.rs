//! Confirmations while slots leave in one step, as Valkey 9 moves them.

use portcullis_tests::{Cluster, Redis, RedisOptions, Server, wait_until};

use crate::talk::{self, Talk};
use crate::{on_each_server, strict};

fn confirm(talk: &mut Talk) {
    let run_id = talk.info("server", "run_id");
    assert_eq!(talk.say(&format!("AUTH.CONFIRM {run_id}")), "OK");
}

fn is_confirmed(redis: &Redis) -> bool {
    talk::to(redis).info("portcullis", "portcullis_confirmed") == "1"
}

/// What the newest migration of this node is at.
fn migration(talk: &mut Talk) -> String {
    let told = talk.say("CLUSTER GETSLOTMIGRATIONS");
    let state = told.split(" state ").nth(1).and_then(|rest| rest.split(' ').next());
    state.unwrap_or_default().to_owned()
}

/// Nodes that want to be confirmed, where slots can leave in one step.
fn strict_cluster(server: &Server) -> Option<(Cluster, RedisOptions)> {
    if !server.is_valkey() || server.version() < (9, 0) {
        return None;
    }
    let options = strict(Redis::options().server(server));
    Some((Cluster::start(&options), options))
}

/// The node that has the user's ledger, and one that has not.
fn of_the_user_and_another(cluster: &Cluster) -> (&Redis, &Redis) {
    let from = cluster.node_of("{user}:1");
    let to = cluster.nodes.iter().find(|node| node.port() != from.port()).expect("another");
    (from, to)
}

/// What the source is told to have the user's slot leave in one step.
fn moving(source: &mut Talk, target: &mut Talk) -> String {
    let (slot, there) = (source.say("CLUSTER KEYSLOT {user}:1"), target.say("CLUSTER MYID"));
    format!("CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {there}")
}

#[test]
fn f_57_a_slot_leaves_while_confirmations_come_in() {
    on_each_server(|server| {
        let Some((cluster, options)) = strict_cluster(server) else { return };
        let (from, to) = of_the_user_and_another(&cluster);
        let replica = cluster.replica_of(from, &options);
        let (mut source, mut target) = (talk::to(from), talk::to(to));
        source.say("AUTH.SESSION CREATE {user}:1 s EX 900");
        confirm(&mut source);
        // Or it would not take a slot without being confirmed itself.
        assert_eq!(target.say("CONFIG SET portcullis.require-confirm no"), "OK");

        assert_eq!(source.say("DEBUG SLOTMIGRATION PREVENT-PAUSE 1"), "OK");
        let move_it = moving(&mut source, &mut target);
        assert_eq!(source.say(&move_it), "OK");
        confirm(&mut source);
        assert!(is_confirmed(from), "a confirmation counts at once where it was said");
        wait_until("the slot could leave", || migration(&mut source) == "waiting-to-pause");
        confirm(&mut source);
        // Its replica comes online again, which makes the primary tell it by itself.
        assert_eq!(source.say("CLIENT KILL TYPE replica"), "1");
        wait_until("the replica is back", || {
            source.say("INFO replication").contains("state=online")
        });
        assert_eq!(migration(&mut source), "waiting-to-pause");
        assert!(!is_confirmed(&replica), "it was told while a slot leaves");

        assert_eq!(source.say("DEBUG SLOTMIGRATION PREVENT-PAUSE 0"), "OK");
        wait_until("the slot has left", || migration(&mut source) == "success");
        assert!(!is_confirmed(to), "a confirmation left with the slot");
        wait_until("the replica is confirmed", || is_confirmed(&replica));
        assert_eq!(target.say("EXISTS {user}:1"), "1");
    });
}

/// Commands do not tell whether anybody vouches for the server that they come from.
#[test]
fn a_slot_moves_in_one_step_only_between_servers_that_are_confirmed() {
    on_each_server(|server| {
        let Some((cluster, _)) = strict_cluster(server) else { return };
        let (from, to) = of_the_user_and_another(&cluster);
        let (mut source, mut target) = (talk::to(from), talk::to(to));
        source.say("AUTH.SESSION CREATE {user}:1 s EX 900");
        let move_it = moving(&mut source, &mut target);

        let told = source.say(&move_it);
        assert_ne!(told, "OK", "nobody vouches for what would leave");
        confirm(&mut source);
        source.say("FLUSHALL");
        source.say("AUTH.SESSION CREATE {user}:1 s EX 900");
        assert_eq!(source.say(&move_it), told, "nobody does any more");
        let run_id = source.info("server", "run_id");
        assert_eq!(source.say(&format!("AUTH.CONFIRM {run_id} PX 1")), "OK");
        assert_eq!(source.say("DEBUG SLEEP 0.1"), "OK");
        assert_eq!(source.say(&move_it), told, "it has ended, though nobody asked");

        confirm(&mut source);
        confirm(&mut target);
        assert_eq!(source.say(&move_it), "OK");
        wait_until("the slot has left", || migration(&mut source) == "success");
        assert_eq!(target.say("AUTH.CHECK {user}:1 t SESSION s"), "OK");
        assert!(is_confirmed(to));

        // Where nobody has to confirm anything, nothing is lacking.
        target.say("CONFIG SET portcullis.require-confirm no");
        target.say("SWAPDB 0 0");
        let back = moving(&mut target, &mut source);
        assert_eq!(target.say(&back), "OK");
    });
}
