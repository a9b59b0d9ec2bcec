//! The ledgers are spread over a cluster: slots move, primaries die, hang and lose all, while people
//! log in and out.

mod life;
mod moves;
mod stage;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use portcullis_tests::{Cluster, Database, Redis, Server, Service, servers, wait_until};
use reqwest::Method;

use crate::proxy::Wound;
use crate::talk::confirming;
use stage::{Spread, role};

/// A first look is one at each primary: who starts beside a cluster that is well asks it from the beginning.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_begins_once_every_primary_has_been_looked_at() {
    let cluster = Cluster::start(&confirming());
    // One that takes its time over whatever it is told.
    let mut pause = redis::cmd("CLIENT");
    pause.arg("PAUSE").arg(2_000).arg("WRITE").exec(&mut cluster.nodes[2].connection()).unwrap();
    let auth =
        Service::on(Redis::start(), &Database::shared().fresh_database("looked"), |settings| {
            settings.stores.redis_url = Some(cluster.url().into());
            // Many servers share this machine.
            settings.stores.redis_deadline = Duration::from_secs(10);
            settings.stores.db_deadline = Duration::from_secs(20);
        })
        .await;
    // Whoever asks is answered once it serves.
    let answer = auth.raw(Method::GET, "/health").send().await.unwrap();
    assert_eq!(answer.status(), 200, "it began with answers from MySQL");
}

/// One cluster of each server goes through all of it, beside the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_a_cluster_nobody_comes_back_and_nobody_is_lost() {
    let stories = servers().iter().map(|server| tokio::spawn(story(server.clone())));
    for story in join_all(stories).await {
        story.unwrap();
    }
}

async fn story(server: Server) {
    let begun = Instant::now();
    let mut spread = Spread::start(&server).await;
    spread.join(12).await;
    moves::key_by_key(&mut spread).await;
    moves::in_one_step(&mut spread).await;
    wipe(&mut spread).await;
    hang(&mut spread).await;
    kill(&mut spread).await;
    empty(&mut spread).await;
    println!("{}: a cluster, {}, in {:?}", server.name, spread.counts(), begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: long random lives of clusters"]
#[expect(clippy::disallowed_methods, reason = "this is a test's setting, not the service's")]
async fn whatever_happens_to_a_cluster_in_any_order_nobody_comes_back_and_nobody_is_lost() {
    let given = std::env::var("CLUSTER_SEED").ok().map(|seed| seed.parse().unwrap());
    for seed in given.map_or(1..=3, |seed: u64| seed..=seed) {
        for server in servers() {
            let mut spread = Spread::start(server).await;
            life::live(&mut spread, seed, 25).await;
            println!("{}: seed {seed}, {}", server.name, spread.counts());
        }
    }
}

/// Everybody leaves, and everybody once more while a primary hangs: it, or whoever takes its place, hears
/// of that before anybody believes it.
async fn empty(spread: &mut Spread) {
    let root = spread.auth.admin("root").await;
    assert_eq!(spread.log_everybody_out(&root).await, "confirmed");
    spread.look().await;
    spread.join(12).await;
    spread.settle().await;
    let root = spread.auth.logged_in("root").await;
    let at = spread.node_of_somebody();
    let replica = spread.find_replica_of(at);
    spread.nodes[at].freeze();
    let told = spread.log_everybody_out(&root).await;
    spread.cannot_have_heard(&told, replica);
    spread.look().await;
    spread.nodes[at].thaw();
    spread.settle().await;
    spread.join(6).await;
    spread.settle().await;
}

/// One primary loses all it has.
async fn wipe(spread: &mut Spread) {
    let at = spread.node_of_somebody();
    let leaver = spread.somebody_of(at);
    assert_eq!(spread.log_out(leaver).await, "confirmed");
    redis::cmd("FLUSHALL").exec(&mut spread.nodes[at].connection()).unwrap();
    spread.look().await;
    spread.settle().await;
}

/// One primary stops where it stands; a replica takes its place, and when it goes on it takes
/// itself for the primary until it hears of that.
async fn hang(spread: &mut Spread) {
    let at = spread.node_of_somebody();
    let (leaver, replica) = (spread.somebody_of(at), spread.replica_of(at));
    spread.nodes[at].freeze();
    let told = spread.log_out(leaver).await;
    spread.cannot_have_heard(&told, Some(replica));
    spread.look().await;
    wait_until("a replica is promoted", || role(&spread.nodes[replica]) == "master");
    spread.nothing_waits();
    spread.nodes[at].thaw();
    for _ in 0..5 {
        if let Some(leaver) = spread.anybody_of(replica) {
            spread.log_out(leaver).await;
        }
        spread.look().await;
        spread.join(1).await;
    }
    wait_until("the old primary knows", || role(&spread.nodes[at]) == "slave");
    spread.settle().await;
}

/// One primary dies. Those of the others are answered by Redis: MySQL is not there to do it.
async fn kill(spread: &mut Spread) {
    let at = spread.node_of_somebody();
    let (leaver, replica) = (spread.somebody_of(at), spread.replica_of(at));
    let others: Vec<usize> = spread.people_elsewhere(at);
    spread.mysql.inflict(Wound::Refuse);
    spread.nodes[at].kill();
    for _ in 0..10 {
        assert_eq!(spread.accepted(&others).await, 2 * others.len(), "{}", spread.name);
    }
    spread.mysql.heal();
    spread.eventually_reaches_mysql();
    let told = spread.log_out(leaver).await;
    spread.cannot_have_heard(&told, Some(replica));
    spread.look().await;
    wait_until("a replica is promoted", || role(&spread.nodes[replica]) == "master");
    spread.settle().await;
}
