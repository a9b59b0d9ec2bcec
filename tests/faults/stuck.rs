//! Something in the outbox is stuck or late: nobody else waits for it, and nothing is forgotten.

use std::time::{Duration, Instant};

use portcullis_tests::{Client, Database, Instance, Login, Service, tell};
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection as _, MySql, MySqlConnection, QueryBuilder};

use crate::endpoints::INTROSPECTOR;
use crate::talk::{accepted, ask, confirming, eventually, ready, ready_again, waiting};

/// Beyond any user that signs up here.
const STUCK: u64 = 1_000_000;

async fn started() -> Service {
    started_on(&Database::shared().fresh_database("stuck")).await
}

async fn started_on(database: &str) -> Service {
    let auth = Service::on(confirming().start(), database, |_| {}).await;
    ready(&auth);
    auth
}

fn redis(auth: &Service, words: &[&str]) {
    redis::cmd(words[0]).arg(&words[1..]).exec(&mut auth.redis.connection()).unwrap();
}

/// This many users whose ledgers cannot be told what has long been waiting for them.
async fn stuck_users(auth: &Service, count: u64) {
    let script = "for n = 1, ARGV[1] do redis.call('SET', KEYS[1] .. (ARGV[2] + n), 'x') end";
    redis(auth, &["EVAL", script, "1", "user:", &count.to_string(), &STUCK.to_string()]);
    write_rows(auth, STUCK, count, false).await;
}

/// Rows that end somebody's session, for users after `first`; delivered or not.
async fn write_rows(auth: &Service, first: u64, count: u64, delivered: bool) {
    let users: Vec<u64> = (first + 1..=first + count).collect();
    let now = auth.clock.now();
    for some in users.chunks(1_000) {
        let mut insert = QueryBuilder::<MySql>::new(
            "insert into revocation_outbox (user_id, change_set, created_at, delivered_at) ",
        );
        insert.push_values(some, |mut row, user_id| {
            let session = format!("session_{user_id:0>43}");
            let change = json!([{ "change": "revoke", "sessions": [session] }]);
            row.push_bind(*user_id).push_bind(change).push_bind(now);
            row.push_bind(delivered.then_some(now));
        });
        insert.build().execute(auth.db()).await.unwrap();
    }
}

async fn waits_for(auth: &Service, user_id: u64) -> i64 {
    let waiting =
        "select count(*) from revocation_outbox where user_id = ? and delivered_at is null";
    auth.count(waiting, user_id).await
}

/// Nothing is delivered while this is so: the commands that tell it are refused.
fn refuse(auth: &Service, commands: &str) {
    let rule = ["ACL", "SETUSER", "default"].into_iter().chain(commands.split(' '));
    redis(auth, &rule.collect::<Vec<_>>());
}

async fn log_out(client: &Client, login: &Login) -> String {
    let answer = client.post_as(&login.access, "/logout", json!({})).await.must_be(200);
    answer.json["propagation"].to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_08_many_whom_redis_cannot_take_hold_up_nobody_else() {
    let auth = started().await;
    let lost = beside(&auth).await;
    stuck_users(&auth, 730).await;
    let people = [auth.logged_in("alice").await, auth.logged_in("bob").await];
    refuse(&auth, "-auth.session|revoke");
    for login in &people {
        assert_eq!(log_out(&lost, login).await, "\"pending\"");
    }
    // Only the outbox knows who has logged out.
    drop(lost);
    refuse(&auth, "+auth.session|revoke");
    eventually("the others have been told", async || {
        people.iter().all(|login| ask(&auth, login) == "NO_SESSION")
    });
    eventually("only those who are stuck wait", async || waiting(&auth).await == 730);
    // What is in their way goes, and they are told as well.
    let script = "for n = 1, 730 do redis.call('DEL', KEYS[1] .. (ARGV[1] + n)) end";
    redis(&auth, &["EVAL", script, "1", "user:", &STUCK.to_string()]);
    assert_eq!(auth.settle().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_08_an_ending_does_not_wait_for_a_beginning_that_redis_cannot_take() {
    let auth = started().await;
    let old = auth.logged_in("alice").await;
    refuse(&auth, "-auth.session|revoke");
    redis(&auth, &["CONFIG", "SET", "maxmemory", "1"]);
    let new = auth.logged_in("alice").await;
    assert_eq!(log_out(&auth, &old).await, "\"pending\"");
    refuse(&auth, "+auth.session|revoke");
    eventually("the ending has been told", async || ask(&auth, &old) == "NO_SESSION");
    eventually("only the beginning waits", async || waits_for(&auth, new.user_id).await == 1);
    assert!(auth.is_good(&new.access).await, "MySQL knows the new session");
    redis(&auth, &["CONFIG", "SET", "maxmemory", "0"]);
    eventually("the beginning has been told", async || ask(&auth, &new) == "OK");
}

/// A token revoked by itself, whose ledger is lost before its session is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_08_a_session_that_has_waited_comes_with_the_tokens_that_were_revoked_meanwhile() {
    let database = Database::shared().fresh_database("revoked");
    let auth = Service::on(confirming().start(), &database, |settings| {
        settings.tokens.introspection_clients = Some(INTROSPECTOR.into());
    })
    .await;
    ready(&auth);
    redis(&auth, &["CONFIG", "SET", "maxmemory", "1"]);
    let alice = auth.logged_in("alice").await;
    let (name, secret) = INTROSPECTOR.split_once(':').unwrap();
    let revoke = auth.request(Method::POST, "/revoke").basic_auth(name, Some(secret));
    let form = [("token", &alice.access)];
    assert_eq!(revoke.form(&form).send().await.unwrap().status(), 200);
    eventually("only the session waits", async || waits_for(&auth, alice.user_id).await == 1);
    redis(&auth, &["DEL", &format!("user:{}", alice.user_id)]);
    redis(&auth, &["CONFIG", "SET", "maxmemory", "0"]);
    eventually("the session has been told", async || waiting(&auth).await == 0);
    assert_eq!(ask(&auth, &alice), "REVOKED");
}

/// An instance that has only seen in the outbox that something waits.
async fn beside(auth: &Service) -> Instance {
    let beside = auth.another(2, |_| {}).await;
    ready(&beside);
    beside
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_08_every_instance_doubts_redis_about_everybody_for_whom_something_waits() {
    let auth = started().await;
    let beside = beside(&auth).await;
    stuck_users(&auth, 730).await;
    let alice = auth.logged_in("alice").await;
    assert!(beside.is_good(&alice.access).await);
    refuse(&auth, "-auth.session|revoke -auth.blacklist");
    assert_eq!(log_out(&auth, &alice).await, "\"pending\"");
    assert_eq!(ask(&auth, &alice), "OK", "Redis has not heard it");
    eventually("the other instance has seen it", async || !beside.is_good(&alice.access).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_08_an_ending_that_redis_refuses_for_long_makes_the_service_not_ready() {
    let auth = started().await;
    let alice = auth.logged_in("alice").await;
    refuse(&auth, "-auth.session|revoke");
    log_out(&auth, &alice).await;
    let status = async || auth.raw(Method::GET, "/readyz").send().await.unwrap().status().as_u16();
    eventually("it has been tried again", async || {
        auth.settle().await;
        waits_for(&auth, alice.user_id).await > 0
    });
    assert_eq!(status().await, 200, "it may be told any moment");
    auth.clock.advance(Duration::from_secs(30));
    assert_eq!(status().await, 503);
    refuse(&auth, "+auth.session|revoke");
    eventually("all is told", async || auth.settle().await == 0 && status().await == 200);
}

/// A number that a transaction has taken early becomes a row late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_02_what_a_slow_transaction_ends_is_told_to_a_redis_that_comes_back_from_a_snapshot() {
    let database = Database::shared().fresh_database("slow");
    let mut auth = started_on(&database).await;
    let people = [auth.logged_in("alice").await, auth.logged_in("bob").await];
    let mut slow = MySqlConnection::connect(&database).await.unwrap();
    let ended = json!([{ "change": "revoke", "sessions": [people[0].session] }]);
    run(&mut slow, "begin").await;
    let row = "insert into revocation_outbox (user_id, change_set, created_at) values (?, ?, ?)";
    let row = sqlx::query(row).bind(people[0].user_id).bind(ended).bind(auth.clock.now());
    row.execute(&mut slow).await.unwrap();
    write_rows(&auth, STUCK, 10_100, true).await;
    redis(&auth, &["FLUSHALL"]);
    ready_again(&auth);
    redis(&auth, &["SAVE"]);
    let end = "update user_sessions set is_active = false where id = ?";
    sqlx::query(end).bind(&people[0].session).execute(&mut slow).await.unwrap();
    run(&mut slow, "commit").await;
    eventually("it has been told", async || ask(&auth, &people[0]) == "NO_SESSION");
    auth.redis.kill();
    auth.redis.start_again();
    ready_again(&auth);
    assert_eq!(ask(&auth, &people[0]), "NO_SESSION");
    assert_eq!(ask(&auth, &people[1]), "OK");
    assert_eq!(accepted(&auth, &people).await, 1);
}

async fn run(db: &mut MySqlConnection, statement: &'static str) {
    sqlx::raw_sql(statement).execute(db).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "half a minute: forty thousand users"]
async fn f_08_twenty_thousand_who_are_stuck_and_twenty_thousand_who_are_not() {
    let auth = started().await;
    stuck_users(&auth, 20_000).await;
    for count in [10_000, 20_000] {
        let started = Instant::now();
        write_rows(&auth, 0, count, false).await;
        eventually("the others have been told", async || waiting(&auth).await == 20_000);
        tell(&format!("outbox: 20,000 stuck, {count} told in {:.2?}", started.elapsed()));
    }
}
