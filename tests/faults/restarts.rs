//! Redis is killed, wiped, restored from old data, replaced.

use std::time::Duration;

use portcullis_tests::{Database, Login, Redis, Service};
use serde_json::json;

use crate::talk::{
    accepted, ask, confirming, eventually, forget_commits, mark, ready, ready_again, set_mark,
};

async fn on(redis: Redis) -> Service {
    let auth = Service::on(redis, &Database::shared().fresh_database("faults"), |_| {}).await;
    ready(&auth);
    auth
}

async fn log_out(auth: &Service, login: &Login) -> bool {
    let answer = auth.post_as(&login.access, "/logout", json!({})).await.must_be(200);
    answer.json["propagation"] != "pending"
}

/// A user each, so that no cap ends a session.
async fn logins(auth: &Service, count: usize) -> Vec<Login> {
    let mut logins = Vec::new();
    for number in 0..count {
        logins.push(auth.logged_in(&format!("user{number}")).await);
    }
    logins
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_wipe_every_ledger_is_there_again_and_nothing_dead_lives() {
    let auth = on(confirming().start()).await;
    let people = logins(&auth, 6).await;
    let (dead, alive) = people.split_at(3);
    for login in dead {
        log_out(&auth, login).await;
    }
    redis::cmd("FLUSHALL").exec(&mut auth.redis.connection()).unwrap();
    // Whatever answers at this instant, it answers right.
    assert_eq!(accepted(&auth, dead).await, 0);
    assert_eq!(accepted(&auth, alive).await, 3);
    eventually("the ledgers are there again", async || {
        alive.iter().all(|login| ask(&auth, login) == "OK")
    });
    ready(&auth);
    assert!(dead.iter().all(|login| ask(&auth, login) == "NO_SESSION"));
    println!("wipe: sessions {}, revoked accepted 0, sessions lost 0", people.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_older_than_a_logout_brings_no_one_back() {
    let mut auth = on(confirming().tcp().start()).await;
    let people = logins(&auth, 6).await;
    redis::cmd("SAVE").exec(&mut auth.redis.connection()).unwrap();
    let (dead, alive) = people.split_at(3);
    for login in dead {
        assert!(log_out(&auth, login).await);
    }
    let newcomer = auth.logged_in("newcomer").await;
    auth.redis.kill();
    auth.redis.start_again();
    assert_eq!(accepted(&auth, dead).await, 0);
    assert!(dead.iter().all(|login| ask(&auth, login) != "OK"), "direct callers are told to wait");
    ready(&auth);
    assert!(dead.iter().all(|login| ask(&auth, login) == "NO_SESSION"));
    assert!(alive.iter().chain([&newcomer]).all(|login| ask(&auth, login) == "OK"));
    assert_eq!(accepted(&auth, dead).await, 0);
    assert_eq!(accepted(&auth, alive).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ledgers_of_unknown_age_are_swept() {
    let mut auth = on(confirming().start()).await;
    let people = logins(&auth, 2).await;
    set_mark(&auth.redis, "nobody knows");
    forget_commits(&auth.redis);
    redis::cmd("SAVE").exec(&mut auth.redis.connection()).unwrap();
    log_out(&auth, &people[0]).await;
    sqlx::query("delete from revocation_outbox").execute(auth.db()).await.unwrap();
    auth.redis.kill();
    auth.redis.start_again();
    auth.restart().await;
    ready(&auth);
    assert_eq!(ask(&auth, &people[0]), "NO_SESSION");
    assert_eq!(ask(&auth, &people[1]), "OK");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_instance_delivered_meanwhile_costs_no_belief() {
    let auth = on(confirming().start()).await;
    auth.user("alice").await;
    auth.redis.freeze();
    let login = auth.log_in("alice").await.must_be(200);
    assert_eq!(login.json["propagation"], "pending");
    // As another instance would leave it.
    let delivered = "update revocation_outbox set delivered_at = now(3)";
    sqlx::query(delivered).execute(auth.db()).await.unwrap();
    auth.redis.thaw();
    eventually("nothing is left to tell", async || auth.settle().await == 0);
    ready(&auth);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_logs_in_again_by_a_fast_clock_is_there_again_after_a_wipe() {
    let auth = on(confirming().start()).await;
    auth.clock.advance(Duration::from_mins(10));
    let before = auth.logged_in("alice").await;
    auth.post_as(&before.access, "/logout-all-devices", json!({})).await.must_be(200);
    let after = auth.logged_in("alice").await;
    redis::cmd("FLUSHALL").exec(&mut auth.redis.connection()).unwrap();
    eventually("the ledger has the session", async || ask(&auth, &after) == "OK");
    assert_eq!(ask(&auth, &before), "NO_SESSION");
}

/// As in a group of servers, where nobody sees which numbers are taken at another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_behind_the_mark_is_told_again_as_well() {
    let mut auth = on(confirming().tcp().start()).await;
    let people = logins(&auth, 2).await;
    let newest = "select cast(max(id) as signed) from revocation_outbox where id > ?";
    let newest = auth.count(newest, 0).await;
    let mark = mark(&auth.redis);
    let mut words: Vec<&str> = mark.split(' ').collect();
    let ahead = (newest + 1).to_string();
    words[1] = &ahead;
    set_mark(&auth.redis, &words.join(" "));
    redis::cmd("SAVE").exec(&mut auth.redis.connection()).unwrap();
    assert!(log_out(&auth, &people[0]).await);
    auth.redis.kill();
    auth.redis.start_again();
    ready_again(&auth);
    assert_eq!(ask(&auth, &people[0]), "NO_SESSION");
    assert_eq!(ask(&auth, &people[1]), "OK");
}
