//! One ledger is lost out of a Redis that otherwise lacks nothing.

use portcullis_tests::Service;
use reqwest::Method;
use serde_json::json;

use crate::endpoints::INTROSPECTOR;
use crate::stage::stage;
use crate::talk::{agree, eventually, ready};

fn lose(auth: &Service, user_id: u64) {
    let mut redis = auth.redis.connection();
    redis::cmd("DEL").arg(format!("user:{user_id}")).exec(&mut redis).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_ledger_is_put_back_with_everything_that_had_ended() {
    let gateway =
        stage(|settings| settings.tokens.introspection_clients = Some(INTROSPECTOR.into()));
    let auth = &gateway.await.auth;
    let everywhere = auth.logged_in("alice").await;
    let all = json!({ "logout_all": true });
    auth.post_as(&everywhere.access, "/logout", all).await.must_be(200);
    let (alice, other) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    // A token of a session that lives on.
    let (name, secret) = INTROSPECTOR.split_once(':').unwrap();
    let revoke = auth.request(Method::POST, "/revoke").basic_auth(name, Some(secret));
    let form = [("token", &other.access)];
    assert_eq!(revoke.form(&form).send().await.unwrap().status(), 200);
    agree(auth).await;

    lose(auth, alice.user_id);
    assert!(auth.is_good(&alice.access).await, "MySQL answers");
    eventually("the ledger is there again", async || auth.verdict(&alice) == "OK");
    assert_eq!(auth.verdict(&other), "REVOKED");
    assert_eq!(before_the_watermark(auth, alice.user_id), "LOGGED_OUT");
    assert!(!auth.is_good(&other.access).await && !auth.is_good(&everywhere.access).await);
    assert_eq!(auth.ledger_sessions(alice.user_id).len(), 2);
}

/// What the module says to a token from long ago.
fn before_the_watermark(auth: &Service, user_id: u64) -> String {
    let mut check = redis::cmd("AUTH.CHECK");
    check.arg(format!("user:{user_id}")).arg("a token").arg("IAT").arg(1);
    check.query(&mut auth.redis.connection()).unwrap()
}

/// Redis refuses what needs memory, so the session waits; it must not be asked for again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_still_waits_for_redis_is_not_told_a_second_time() {
    let auth = &Service::start().await;
    let set = |limit: &str| {
        let mut redis = auth.redis.connection();
        redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(limit).exec(&mut redis).unwrap();
    };
    ready(auth);
    let beside = auth.another(2, |_| {}).await;
    ready(&beside);
    set("1");
    let alice = auth.logged_in("alice").await;
    assert!(beside.is_good(&alice.access).await);
    set("0");
    agree(auth).await;
    let rows = "select count(*) from revocation_outbox where user_id = ?";
    assert_eq!(auth.count(rows, alice.user_id).await, 1);
}
