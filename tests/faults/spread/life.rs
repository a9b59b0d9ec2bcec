//! A long random life of a cluster.

use portcullis_api::base::random::Random;
use portcullis_tests::wait_until;

use super::moves;
use super::stage::{Spread, is_in_step, role};

/// What happened, for whoever has to read of a failure.
pub(super) async fn live(spread: &mut Spread, seed: u64, rounds: usize) {
    let random = Random::seeded(seed);
    spread.join(15).await;
    for round in 0..rounds {
        let what = below(&random, 8);
        println!("{} seed {seed} round {round}: event {what}", spread.name);
        match what {
            0 | 1 => come_and_go(spread, &random).await,
            2 | 3 => move_a_slot(spread, &random).await,
            4 => moves::in_one_step(spread).await,
            5 => {
                let at = spread.node_of_somebody();
                redis::cmd("FLUSHALL").exec(&mut spread.nodes[at].connection()).unwrap();
            }
            6 => stand_still(spread, &random).await,
            _ => die(spread, &random).await,
        }
        come_and_go(spread, &random).await;
        spread.look().await;
        if below(&random, 2) == 0 {
            spread.settle().await;
        }
    }
    spread.settle().await;
}

fn below(random: &Random, limit: usize) -> usize {
    usize::from(random.bytes::<1>()[0]) % limit
}

async fn come_and_go(spread: &mut Spread, random: &Random) {
    spread.join(1).await;
    if spread.people.len() > 10 {
        let leaver = below(random, spread.people.len());
        spread.log_out(leaver).await;
    }
}

/// With somebody leaving at some point of it, and not always to its end.
async fn move_a_slot(spread: &mut Spread, random: &Random) {
    spread.settle().await;
    let from = spread.node_of_somebody();
    let to = spread.another_primary(from);
    let slot = spread.slot(&spread.people[spread.somebody_of(from)]);
    let leaves_at = below(random, 4);
    for step in 0..3 {
        match step {
            0 => moves::begin(spread, slot, from, to),
            1 => moves::move_keys(spread, slot, from, to),
            _ => moves::end(spread, slot, to),
        }
        if step == leaves_at {
            let leaver = moves::in_slot(spread, slot);
            spread.log_out(leaver).await;
        }
        spread.look().await;
    }
}

/// For a while, or until a replica takes its place.
async fn stand_still(spread: &mut Spread, random: &Random) {
    spread.settle().await;
    let at = spread.node_of_somebody();
    let (replica, leaver) = (spread.replica_of(at), spread.somebody_of(at));
    spread.nodes[at].freeze();
    spread.log_out(leaver).await;
    spread.look().await;
    let is_replaced = below(random, 2) == 0;
    if is_replaced {
        wait_until("a replica is promoted", || role(&spread.nodes[replica]) == "master");
    }
    spread.nodes[at].thaw();
    for _ in 0..3 {
        spread.look().await;
    }
    if is_replaced {
        wait_until("the old primary knows", || role(&spread.nodes[at]) == "slave");
    }
}

/// And comes back with nothing, as a replica of whoever took its place.
async fn die(spread: &mut Spread, random: &Random) {
    spread.settle().await;
    let at = spread.node_of_somebody();
    let replica = spread.replica_of(at);
    let leaver = spread.somebody_of(at);
    if below(random, 2) == 0 {
        spread.log_out(leaver).await;
    }
    spread.nodes[at].kill();
    spread.look().await;
    wait_until("a replica is promoted", || role(&spread.nodes[replica]) == "master");
    spread.look().await;
    spread.nodes[at].start_again();
    wait_until("it is a replica", || role(&spread.nodes[at]) == "slave");
    spread.settle().await;
    wait_until("it is in step", || is_in_step(&spread.nodes[at]));
}
