//! When a store is away. (`tests/faults` goes further.)

use portcullis_tests::{Database, Redis, Service, send, wait_until};
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn r_41_bug_33_without_redis_a_logout_is_safe_in_mysql_and_reaches_redis_later() {
    let mut auth = Service::start().await;
    let (alice, other) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    auth.redis.kill();

    let answer = auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);

    assert_eq!(
        answer.json,
        json!({
            "status": "success", "message": "Successfully logged out", "propagation": "pending",
        })
    );
    assert!(!auth.is_good(&alice.access).await, "MySQL knows");
    assert!(auth.is_good(&other.access).await, "others go on");
    auth.refresh(&alice.refresh).await.must_be(401);

    auth.redis.start_again();
    wait_until("the outbox is empty", || delivered(&auth));
    // This Redis has forgotten everything but what it has been told since.
    let mut check = redis::cmd("AUTH.CHECK");
    check.arg(format!("user:{}", alice.user_id)).arg(&alice.access);
    let verdict: String = check.query(&mut auth.redis.connection()).unwrap();
    assert_eq!(verdict, "REVOKED");
}

/// OAuth has no word for it, so clients go by the status, and whoever wants to know reads on.
#[tokio::test(flavor = "multi_thread")]
async fn r_41_a_revocation_that_redis_has_not_heard_of_says_so() {
    let mut auth = Service::with(|settings| {
        settings.tokens.introspection_clients =
            Some("gateway:a secret of thirty-two letters ok".into());
    })
    .await;
    let alice = auth.logged_in("alice").await;
    auth.redis.kill();
    for token in [&alice.access, &alice.refresh] {
        let ask = auth.request(Method::POST, "/revoke");
        let ask = ask.basic_auth("gateway", Some("a secret of thirty-two letters ok"));
        let answer = send(ask.form(&[("token", token)])).await.must_be(200);
        assert_eq!(answer.json["propagation"], "pending", "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_people_log_in_refresh_and_look_around() {
    let mut auth = Service::start().await;
    auth.user("alice").await;
    auth.redis.kill();
    let answer = auth.log_in("alice").await.must_be(200);
    assert_eq!(answer.json["propagation"], "pending");
    let token = answer.text_at("/data/tokens/refresh/token");
    let refreshed = auth.refresh(&token).await.must_be(200);
    let access = refreshed.text_at("/data/access/token");
    auth.get_as(&access, "/sessions").await.must_be(200);
    assert!(auth.is_good(&access).await);
    let ready = auth.raw(Method::GET, "/readyz").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let live = auth.raw(Method::GET, "/livez").send().await.unwrap();
    assert_eq!(live.status(), 200);

    auth.redis.start_again();
    wait_until("the outbox is empty", || delivered(&auth));
    let user_id = answer.json["data"]["user"]["id"].as_u64().unwrap();
    assert_eq!(auth.ledger_sessions(user_id).len(), 1, "the session has reached Redis");
}

#[tokio::test(flavor = "multi_thread")]
async fn c_22_bug_32_a_redis_that_lost_everything_costs_nobody_a_session() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let gone = auth.logged_in("alice").await;
    auth.post_as(&gone.access, "/logout", json!({})).await.must_be(200);
    redis::cmd("FLUSHALL").exec(&mut auth.redis.connection()).unwrap();
    assert!(auth.is_good(&alice.access).await);
    assert!(!auth.is_good(&gone.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_41_c_26_bug_16_without_mysql_every_change_is_refused_with_503_and_checks_go_on() {
    let mut mysql = Database::start();
    let database = mysql.fresh_database("outage");
    let auth = Service::on(Redis::start(), &database, |_| {}).await;
    let alice = auth.logged_in("alice").await;
    mysql.kill();

    let answers = [
        auth.log_in("alice").await,
        auth.refresh(&alice.refresh).await,
        auth.post_as(&alice.access, "/logout", json!({})).await,
        auth.get_as(&alice.access, "/sessions").await,
        auth.post("/resend-verification", json!({ "email": "x@example.com" })).await,
    ];
    for answer in answers {
        let answer = answer.must_be(503);
        assert_eq!(answer.json["code"], "unavailable");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
        let detail = answer.json["detail"].as_str().unwrap();
        assert_eq!(detail, "Temporarily unavailable; try again.");
    }
    assert!(auth.is_good(&alice.access).await, "Redis answers for itself");

    mysql.start_again();
    auth.refresh(&alice.refresh).await.must_be(200);
}

fn delivered(auth: &Service) -> bool {
    let handle = tokio::runtime::Handle::current();
    let waiting = "select count(*) from revocation_outbox where delivered_at is null";
    let count = async {
        let count: i64 = sqlx::query_scalar(waiting).fetch_one(auth.db()).await.unwrap();
        count
    };
    tokio::task::block_in_place(|| handle.block_on(count)) == 0
}
