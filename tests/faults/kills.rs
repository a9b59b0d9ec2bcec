//! Redis and the service are killed with -9 while people are at work.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use portcullis_tests::{Database, Login, Redis, tell};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::MySqlPool;
use tokio::sync::Notify;

use crate::load::Load;
use crate::outside::Outside;
use crate::talk::{confirming, eventually};

const PEOPLE: usize = 4;
const EVERY_SECOND: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "everysec"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_killed_under_load_neither_revives_nor_loses_anyone() {
    kill_redis(5, &EVERY_SECOND).await;
    kill_redis(5, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: the full count of kills"]
async fn a_redis_killed_fifty_times_under_load_neither_revives_nor_loses_anyone() {
    kill_redis(50, &EVERY_SECOND).await;
    kill_redis(50, &[]).await;
}

/// People are served before each kill, while Redis is away, and while it is brought up to date;
/// every other time it is killed again in the middle of that.
async fn kill_redis(kills: usize, arguments: &[&str]) {
    let mut redis = confirming().tcp().arguments(arguments).start();
    let database = Database::shared().fresh_database("kills");
    let service = Outside::new(&database, &redis.url(), PEOPLE);
    let process = service.serve();
    let load = Load::begin(service, &redis.url(), PEOPLE);
    for kill in 0..kills {
        load.goes_on(20);
        redis.kill();
        load.goes_on(10 + kill % 7);
        redis.start_again();
        if kill % 2 == 0 {
            load.service().becomes_ready();
        }
    }
    load.service().becomes_ready();
    let seen = load.end().await;
    drop(process);
    tell(&format!("kill -9 of Redis {arguments:?}: faults injected {kills}, {seen}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_killed_amid_refreshes_locks_nobody_out() {
    kill_service(4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: the full count of kills"]
async fn a_service_killed_a_hundred_times_amid_refreshes_locks_nobody_out() {
    kill_service(100).await;
}

/// What each kill interrupts depends on the moment; what must hold afterwards does not.
async fn kill_service(kills: usize) {
    let redis = confirming().tcp().start();
    let database = Database::shared().fresh_database("kills");
    let service = Arc::new(Outside::new(&database, &redis.url(), PEOPLE));
    let mut process = service.serve();
    let mut tokens = Vec::new();
    for number in 0..PEOPLE {
        tokens.push(Login::from(service.log_in(number).await.must_be(200)).refresh);
    }
    let mut answered = 0;
    for round in 0..kills {
        let gone = log_in_and_out(&service, round % PEOPLE).await;
        let (done, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let chains = tokens.drain(..).map(|token| {
            tokio::spawn(refresh_on(service.clone(), token, done.clone(), enough.clone()))
        });
        let chains: Vec<_> = chains.collect();
        // Some refreshes are on their way whenever this number has been answered.
        eventually("enough refreshes are answered", async || {
            done.load(Ordering::SeqCst) >= 5 + round % 7
        });
        drop(process);
        process = service.serve();
        enough.notify_waiters();
        eventually("each goes on with its token", async || {
            done.load(Ordering::SeqCst) >= PEOPLE + 12 + round % 7
        });
        done.store(usize::MAX / 2, Ordering::SeqCst);
        for chain in join_all(chains).await {
            let (token, count) = chain.unwrap();
            tokens.push(token);
            answered += count;
        }
        service.client.refresh(&gone).await.must_be(401);
    }
    let db = MySqlPool::connect(&database).await.unwrap();
    let alarms = "select count(*) from audit_events where event = 'authn_token_reuse'";
    let alarms: i64 = sqlx::query_scalar(alarms).fetch_one(&db).await.unwrap();
    assert_eq!(alarms, 0);
    agree(&db, &redis).await;
    drop(process);
    tell(&format!(
        "kill -9 of the service: faults injected {kills}, requests {answered}, false alarms 0, \
         users locked out 0"
    ));
}

/// Each live session is in its ledger, and no other.
async fn agree(db: &MySqlPool, redis: &Redis) {
    let waiting = "select count(*) from revocation_outbox where delivered_at is null";
    eventually("the outbox is empty", async || {
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(db).await.unwrap() == 0
    });
    let live: Vec<(u64, String)> =
        sqlx::query_as("select user_id, id from user_sessions where is_active order by id")
            .fetch_all(db)
            .await
            .unwrap();
    let mut held = Vec::new();
    for user_id in 1..=PEOPLE as u64 {
        let list: Vec<HashMap<String, redis::Value>> = redis::cmd("AUTH.SESSION")
            .arg("LIST")
            .arg(format!("user:{user_id}"))
            .query(&mut redis.connection())
            .unwrap();
        let id = |session: &HashMap<String, redis::Value>| {
            redis::from_redis_value::<String>(session["id"].clone()).unwrap()
        };
        held.extend(list.iter().map(|session| (user_id, id(session))));
    }
    held.sort_by(|one, two| one.1.cmp(&two.1));
    assert_eq!(held, live);
}

/// Refreshes again and again; a token is only given up for its successor. Stops when `done` is
/// far beyond any count.
async fn refresh_on(
    service: Arc<Outside>,
    mut token: String,
    done: Arc<AtomicUsize>,
    enough: Arc<Notify>,
) -> (String, usize) {
    let mut count = 0;
    while done.load(Ordering::SeqCst) < usize::MAX / 4 {
        match try_refresh(&service, &token).await {
            Some((200, body)) => {
                let next = body.pointer("/data/refresh/token").and_then(Value::as_str);
                next.unwrap().clone_into(&mut token);
                done.fetch_add(1, Ordering::SeqCst);
                count += 1;
            }
            Some((503, _)) => tokio::task::yield_now().await,
            Some((status, body)) => panic!("locked out: {status} {body}"),
            None => {
                let again = std::time::Duration::from_millis(50);
                drop(tokio::time::timeout(again, enough.notified()).await);
            }
        }
    }
    (token, count)
}

/// Nothing if the service was killed meanwhile.
async fn try_refresh(service: &Outside, token: &str) -> Option<(u16, Value)> {
    let request = service.client.request(Method::POST, "/refresh");
    let answer = request.json(&json!({ "refresh_token": token })).send().await.ok()?;
    let status = answer.status().as_u16();
    Some((status, answer.json().await.ok()?))
}

/// The refresh token of a session that was begun and ended.
async fn log_in_and_out(service: &Outside, number: usize) -> String {
    let login = Login::from(service.log_in(number).await.must_be(200));
    service.client.post_as(&login.access, "/logout", json!({})).await.must_be(200);
    login.refresh
}
