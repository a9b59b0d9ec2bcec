//! Slots that move, key by key or in one step.

use portcullis_tests::{Redis, wait_until};
use redis::RedisResult;

use super::stage::Spread;

/// As `redis-cli --cluster reshard` does it, with somebody leaving at each point of it.
pub(super) async fn key_by_key(spread: &mut Spread) {
    let from = spread.node_of_somebody();
    let to = spread.another_primary(from);
    let slot = spread.slot(&spread.people[spread.somebody_of(from)]);
    begin(spread, slot, from, to);
    spread.look().await;
    move_keys(spread, slot, from, to);
    // Its ledger is at the target, which has not got the slot yet.
    let leaver = in_slot(spread, slot);
    spread.log_out(leaver).await;
    spread.look().await;
    end(spread, slot, to);
    spread.look().await;
    spread.settle().await;
    back_and_forth(spread).await;
}

/// What was known of a slot when it left counts for nothing when it comes back.
async fn back_and_forth(spread: &mut Spread) {
    let from = spread.node_of_somebody();
    let to = spread.another_primary(from);
    let slot = spread.slot(&spread.people[spread.somebody_of(from)]);
    for (from, to) in [(from, to), (to, from)] {
        begin(spread, slot, from, to);
        move_keys(spread, slot, from, to);
        end(spread, slot, to);
        if let Some(leaver) = spread.people.iter().position(|login| spread.slot(login) == slot) {
            spread.log_out(leaver).await;
        }
        spread.look().await;
    }
    spread.settle().await;
}

/// As Valkey 9 does it by itself; others do not know how.
pub(super) async fn in_one_step(spread: &mut Spread) {
    let from = spread.node_of_somebody();
    if !spread.nodes[from].server().is_valkey() || spread.nodes[from].server().version() < (9, 0) {
        return;
    }
    let to = spread.another_primary(from);
    let slot = spread.slot(&spread.people[spread.somebody_of(from)]);
    let id = ask(&spread.nodes[to], &["MYID"]).unwrap();
    let number = slot.to_string();
    let move_it = ["MIGRATESLOTS", "SLOTSRANGE", &number, &number, "NODE", &id];
    ask(&spread.nodes[from], &move_it).unwrap();
    let leaver = in_slot(spread, slot);
    spread.log_out(leaver).await;
    spread.look().await;
    wait_until("the slot has moved", || spread.owner(slot) == Some(to));
    spread.look().await;
    spread.settle().await;
}

pub(super) fn in_slot(spread: &Spread, slot: u16) -> usize {
    let found = spread.people.iter().position(|login| spread.slot(login) == slot);
    found.expect("somebody is in this slot")
}

pub(super) fn begin(spread: &Spread, slot: u16, from: usize, to: usize) {
    let slot = slot.to_string();
    let [source, target] = [from, to].map(|at| ask(&spread.nodes[at], &["MYID"]).unwrap());
    ask(&spread.nodes[to], &["SETSLOT", &slot, "IMPORTING", &source]).unwrap();
    ask(&spread.nodes[from], &["SETSLOT", &slot, "MIGRATING", &target]).unwrap();
}

pub(super) fn move_keys(spread: &Spread, slot: u16, from: usize, to: usize) {
    let mut source = spread.nodes[from].connection();
    loop {
        let mut which = redis::cmd("CLUSTER");
        which.arg("GETKEYSINSLOT").arg(slot).arg(100);
        let keys: Vec<String> = which.query(&mut source).expect("it answers");
        if keys.is_empty() {
            return;
        }
        let mut migrate = redis::cmd("MIGRATE");
        migrate.arg("127.0.0.1").arg(spread.nodes[to].port()).arg("").arg(0).arg(5000);
        migrate.arg("KEYS").arg(&keys).exec(&mut source).expect("the keys are moved");
    }
}

pub(super) fn end(spread: &Spread, slot: u16, to: usize) {
    let id = ask(&spread.nodes[to], &["MYID"]).unwrap();
    let slot = slot.to_string();
    // The new one first: otherwise nobody would have it for a moment. Replicas hear of it.
    ask(&spread.nodes[to], &["SETSLOT", &slot, "NODE", &id]).unwrap();
    for node in spread.nodes.iter().filter(|node| node.is_running()) {
        drop(ask(node, &["SETSLOT", &slot, "NODE", &id]));
    }
}

fn ask(node: &Redis, words: &[&str]) -> RedisResult<String> {
    redis::cmd("CLUSTER").arg(words).query(&mut node.connection())
}
