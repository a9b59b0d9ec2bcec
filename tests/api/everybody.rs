//! A logout of everybody: one instant in MySQL, one word to Redis, whatever happens meanwhile.

use std::time::Duration;

use portcullis_api::base::clock::{Clock, Timestamp};
use portcullis_api::store::migrate;
use portcullis_tests::{Login, Service, wait_until};
use serde_json::{Value, json};

async fn log_out_everyone(auth: &Service, root: &Login) -> Value {
    auth.post_as(&root.access, "/admin/logout-everyone", json!({})).await.must_be(200).json
}

/// What Redis has been told; 0 for nothing.
fn told(auth: &Service) -> u64 {
    let mut redis = auth.redis.connection();
    let info: String = redis::cmd("INFO").arg("portcullis").query(&mut redis).unwrap();
    let field = info.lines().find_map(|line| line.trim_end().strip_prefix("portcullis_before:"));
    field.and_then(|at| at.parse().ok()).expect("the module says so")
}

async fn ended_until(auth: &Service) -> Timestamp {
    let asked = "select tokens_valid_after from everybody where id = 1";
    sqlx::query_scalar(asked).fetch_one(auth.db()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_down_for_each_user_and_all_are_marked_as_ended() {
    let auth = Service::start().await;
    let root = auth.admin("root").await;
    for name in ["alice", "bob", "alice"] {
        auth.logged_in(name).await;
    }
    let rows = "select count(*) from revocation_outbox where ? > 0";
    let before = auth.count(rows, 1).await;
    let answer = log_out_everyone(&auth, &root).await;
    assert_eq!(answer["data"], json!({ "users": 3, "sessions_revoked": 4 }));
    assert_eq!(auth.count(rows, 1).await, before, "a row a user");
    assert_eq!(told(&auth), ended_until(&auth).await.0);
    let left = "select count(*) from user_sessions where is_active and ? > 0";
    assert_eq!(auth.count(left, 1).await, 0);
    let recorded = "select count(*) from everybody where recorded_at is not null and ? > 0";
    while auth.count(recorded, 1).await == 0 {
        tokio::task::yield_now().await;
    }
    let again = auth.logged_in("root").await;
    let first = ended_until(&auth).await;
    assert_eq!(
        log_out_everyone(&auth, &again).await["data"],
        json!({ "users": 1, "sessions_revoked": 1 })
    );
    assert!(ended_until(&auth).await > first);
}

/// Nobody has marked the sessions yet, say because whoever was about to do it has died.
#[tokio::test(flavor = "multi_thread")]
async fn mysql_alone_refuses_all_of_them_before_any_is_marked() {
    let mut auth = Service::start().await;
    let (root, alice) = (auth.admin("root").await, auth.logged_in("alice").await);
    auth.redis.kill();
    log_out_everyone(&auth, &root).await;
    sqlx::query("update user_sessions set is_active = true, ended_at = null, ended_reason = null")
        .execute(auth.db())
        .await
        .unwrap();
    for person in [&root, &alice] {
        assert!(!auth.is_good(&person.access).await);
        auth.refresh(&person.refresh).await.must_be(401);
        auth.get_as(&person.access, "/me").await.must_be(401);
    }
    let again = auth.logged_in("alice").await;
    let listed = auth.get_as(&again.access, "/sessions").await.must_be(200);
    assert!(listed.text.contains(&again.session) && !listed.text.contains(&alice.session));
    let stats = auth.get_as(&again.access, "/token-stats").await.must_be(200);
    assert_eq!(stats.json["data"]["sessions_active"], 1);
    let refused = auth.refresh(&alice.refresh).await.must_be(401);
    assert_eq!(refused.json["ended_reason"], "admin", "{}", refused.json);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_it_is_pending_and_redis_hears_of_it_later() {
    let mut auth = Service::start().await;
    let (root, alice) = (auth.admin("root").await, auth.logged_in("alice").await);
    auth.redis.freeze();
    let answer = log_out_everyone(&auth, &root).await;
    assert_eq!(answer["propagation"], "pending");
    assert!(!auth.is_good(&alice.access).await);
    let again = auth.logged_in("alice").await;
    assert!(auth.is_good(&again.access).await);
    auth.redis.thaw();
    wait_until("Redis has heard", || told(&auth) > 0);
    assert_eq!(auth.verdict(&alice), "LOGGED_OUT");
    wait_until("the new session is there", || auth.verdict(&again) == "OK");
    // One that comes back without anything is told while it is filled in.
    auth.redis.kill();
    auth.redis.start_again();
    wait_until("it was told", || told(&auth) > 0);
    wait_until("it was filled in", || auth.verdict(&again) == "OK");
    assert_ne!(auth.verdict(&alice), "OK");
    assert!(!auth.is_good(&alice.access).await && auth.is_good(&again.access).await);
}

/// By then Redis may have taken its session to begin before the instant; and it may be believed.
#[tokio::test(flavor = "multi_thread")]
async fn what_begins_afterwards_lives_in_both_stores_although_a_clock_is_ahead() {
    let auth = Service::start().await;
    let root = auth.admin("root").await;
    let ahead = Clock::manual(auth.clock.now().plus(Duration::from_hours(1)));
    let fast = auth.another_with(2, ahead, |_| {}).await;
    auth.user("alice").await;
    let body = json!({ "email": "alice@example.com", "password": portcullis_tests::PASSWORD });
    let early: Login = fast.post("/login-enhanced", body.clone()).await.must_be(200).into();
    assert_eq!(auth.verdict(&early), "OK");

    log_out_everyone(&auth, &root).await;

    assert!(ended_until(&auth).await >= auth.clock.now().plus(Duration::from_hours(1)));
    assert_eq!(auth.verdict(&early), "LOGGED_OUT");
    assert!(!fast.is_good(&early.access).await && !auth.is_good(&early.access).await);
    fast.refresh(&early.refresh).await.must_be(401);
    let late: Login = fast.post("/login-enhanced", body).await.must_be(200).into();
    // Of each other's tokens one is too early for them and the other too late.
    let by_the_slow = auth.logged_in("alice").await;
    assert!(fast.is_good(&late.access).await && auth.is_good(&by_the_slow.access).await);
    for after in [&late, &by_the_slow] {
        assert_eq!(auth.verdict(after), "OK");
    }
    // Nor does a Redis that has lost everything take what is filled in for what had ended.
    redis::cmd("FLUSHALL").exec(&mut auth.redis.connection()).unwrap();
    wait_until("it was filled in", || auth.verdict(&late) == "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_instance_that_has_not_heard_refuses_once_it_looks() {
    let auth = Service::start().await;
    let (root, alice) = (auth.admin("root").await, auth.logged_in("alice").await);
    let other = auth.another(2, |_| {}).await;
    assert!(other.is_good(&alice.access).await);
    log_out_everyone(&auth, &root).await;
    // Redis was told before the answer came, and what is kept of it ends with the lease at the latest.
    while other.is_good(&alice.access).await {
        tokio::task::yield_now().await;
    }
    other.refresh(&alice.refresh).await.must_be(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_back_leaves_nobody_logged_in() {
    let auth = Service::start().await;
    let (root, alice) = (auth.admin("root").await, auth.logged_in("alice").await);
    log_out_everyone(&auth, &root).await;
    let again = auth.logged_in("alice").await;
    sqlx::query("update user_sessions set is_active = true, ended_at = null, ended_reason = null")
        .execute(auth.db())
        .await
        .unwrap();
    let steps = migrate::status(auth.db()).await.unwrap();
    let later = steps.iter().filter(|step| step.version >= 23).count();
    migrate::down(auth.db(), later).await.unwrap();
    let left = "select id from user_sessions where is_active";
    let left: Vec<String> = sqlx::query_scalar(left).fetch_all(auth.db()).await.unwrap();
    assert_eq!(left, std::slice::from_ref(&again.session));
    migrate::up(auth.db()).await.unwrap();
    assert!(!auth.is_good(&alice.access).await);
}
