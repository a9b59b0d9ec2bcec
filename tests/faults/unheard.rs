//! Redis does not hear that a session is used, and calls it idle. That is a failure, not a verdict.

use std::collections::HashMap;
use std::time::Duration;

use portcullis_api::base::clock::Timestamp;
use portcullis_api::settings::Settings;
use portcullis_tests::{Login, Service};
use serde_json::json;

use crate::proxy::Wound;
use crate::stage::stage;
use crate::talk::{agree, ask, eventually, ready, status, waiting};

const IDLE: Duration = Duration::from_mins(30);

fn idle(settings: &mut Settings) {
    settings.sessions.session_idle_timeout = IDLE;
}

/// What time it is for Redis.
fn present(auth: &Service) -> Timestamp {
    let time = redis::cmd("TIME").query(&mut auth.redis.connection());
    let (seconds, micros): (u64, u64) = time.unwrap();
    Timestamp(seconds * 1_000 + micros / 1_000)
}

/// Somebody whose session is idle within this time, as Redis sees it. The service is at the present
/// afterwards.
async fn logged_in_long_ago(auth: &Service, left: Duration) -> Login {
    auth.clock.set(present(auth).plus(left).minus(IDLE));
    let alice = auth.logged_in("alice").await;
    told(auth);
    auth.clock.set(present(auth));
    alice
}

/// An idle session is in no list, so only the outbox is looked at.
fn told(auth: &Service) {
    eventually("the outbox is empty", async || waiting(auth).await == 0);
}

/// The same session with the tokens of a refresh.
async fn refreshed(auth: &Service, login: &Login) -> Login {
    let next = auth.refresh(&login.refresh).await.must_be(200);
    let (access, refresh) =
        (next.text_at("/data/access/token"), next.text_at("/data/refresh/token"));
    Login { access, refresh, ..login.clone() }
}

/// When Redis saw the session last.
fn seen(auth: &Service, login: &Login) -> u64 {
    let mut get = redis::cmd("AUTH.SESSION");
    get.arg("GET").arg(format!("user:{}", login.user_id)).arg(&login.session);
    let session: HashMap<String, String> = get.query(&mut auth.redis.connection()).unwrap();
    session["seen_ms"].parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_06_a_refresh_that_redis_did_not_hear_of_leaves_nobody_idle() {
    let stage = stage(idle).await;
    let auth = &stage.auth;
    let alice = logged_in_long_ago(auth, Duration::from_secs(3)).await;
    stage.redis.inflict(Wound::Refuse);
    let alice = refreshed(auth, &alice).await;
    eventually("Redis calls the session idle", async || ask(auth, &alice) == "IDLE");
    stage.redis.heal();
    ready(auth);

    assert_eq!(status(auth, &alice).await, 200);
    eventually("Redis knows better", async || ask(auth, &alice) == "OK");
    assert_eq!(status(auth, &alice).await, 200);
    let alice = refreshed(auth, &alice).await;
    assert_eq!(status(auth, &alice).await, 200);
    agree(auth).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_06_who_only_refreshes_is_put_right_for_those_who_ask_the_module_alone() {
    let stage = stage(idle).await;
    let auth = &stage.auth;
    let alice = logged_in_long_ago(auth, Duration::ZERO).await;
    // MySQL knows of a use that Redis knows nothing of.
    let used = "update user_sessions set last_activity = ? where id = ?";
    sqlx::query(used)
        .bind(auth.clock.now().minus(IDLE / 2))
        .bind(&alice.session)
        .execute(auth.db())
        .await
        .unwrap();
    assert_eq!(ask(auth, &alice), "IDLE");
    let alice = refreshed(auth, &alice).await;
    eventually("Redis knows better", async || ask(auth, &alice) == "OK");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_06_idle_is_no_verdict_while_mysql_cannot_be_asked() {
    let stage = stage(idle).await;
    let auth = &stage.auth;
    auth.clock.set(present(auth).minus(IDLE));
    let alice = auth.logged_in("alice").await;
    told(auth);
    assert_eq!(ask(auth, &alice), "IDLE");
    stage.mysql.inflict(Wound::Refuse);
    assert_eq!(status(auth, &alice).await, 503);
    stage.mysql.heal();
    eventually("MySQL says that it is live", async || status(auth, &alice).await == 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_06_what_redis_refused_to_hear_is_told_again() {
    let stage = stage(idle).await;
    let auth = &stage.auth;
    let replicas = |number: &str| {
        let mut set = redis::cmd("CONFIG");
        set.arg("SET").arg("min-replicas-to-write").arg(number);
        set.exec(&mut auth.redis.connection()).unwrap();
    };
    auth.clock.set(present(auth).minus(IDLE / 2));
    let alice = auth.logged_in("alice").await;
    agree(auth).await;
    let before = seen(auth, &alice);
    let middle = present(auth).minus(IDLE / 4);
    auth.clock.set(middle);
    replicas("1");
    let alice = refreshed(auth, &alice).await;
    assert_eq!(seen(auth, &alice), before);
    replicas("0");
    eventually("Redis has heard of the refresh", async || seen(auth, &alice) == middle.0);

    auth.clock.set(present(auth));
    replicas("1");
    assert_eq!(status(auth, &alice).await, 200);
    assert_eq!(seen(auth, &alice), middle.0);
    replicas("0");
    eventually("Redis has heard of the use", async || seen(auth, &alice) > middle.0);
}

/// Redis hears of its use once it is back, and has it no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_put_back_for_a_session_that_ended_while_redis_was_away() {
    let stage = stage(|_| {}).await;
    let auth = &stage.auth;
    let (old, _) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    agree(auth).await;
    stage.redis.inflict(Wound::Refuse);
    auth.clock.advance(Duration::from_mins(5));
    assert_eq!(status(auth, &old).await, 200);
    auth.post_as(&old.access, "/logout", json!({})).await.must_be(200);
    stage.redis.heal();
    ready(auth);
    agree(auth).await;
    let rows = "select count(*) from revocation_outbox";
    let told = stage.number(rows);
    auth.settle().await;
    auth.app.background.shut_down().await;
    assert_eq!(stage.number(rows), told, "what stands is in its ledger as it was");
}
