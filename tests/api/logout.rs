//! `/logout` and `/logout-all-devices`.

use portcullis_tests::Service;
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn r_01_a_logout_kills_access_and_refresh_token_at_once() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let other = auth.logged_in("alice").await;

    let answer = auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);

    assert_eq!(answer.json, json!({ "status": "success", "message": "Successfully logged out" }));
    assert_eq!(answer.header("clear-site-data"), r#""cookies", "storage""#);
    assert!(answer.header("set-cookie").starts_with("jwt=; Path=/; Max-Age=0;"));
    assert!(!auth.is_good(&alice.access).await);
    assert_eq!(auth.verdict(&alice), "NO_SESSION");
    auth.refresh(&alice.refresh).await.must_be(401);
    assert!(auth.is_good(&other.access).await);
    auth.refresh(&other.refresh).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_without_a_body_is_one_of_the_callers_session() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let bare = auth.request(Method::POST, "/logout").bearer_auth(&alice.access).send().await;
    assert_eq!(bare.unwrap().status(), 200);
    assert!(!auth.is_good(&alice.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_session_of_ones_own_can_be_logged_out_by_id() {
    let auth = Service::start().await;
    let here = auth.logged_in("alice").await;
    let there = auth.logged_in("alice").await;
    let body = json!({ "session_id": there.session });

    let answer = auth.post_as(&here.access, "/logout", body).await.must_be(200);

    assert!(answer.headers.get("clear-site-data").is_none(), "the caller stays logged in");
    assert!(auth.is_good(&here.access).await);
    assert!(!auth.is_good(&there.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_right_after_a_logout_everywhere_lives() {
    let auth = Service::start().await;
    let old = auth.logged_in("alice").await;
    auth.post_as(&old.access, "/logout-all-devices", json!({})).await.must_be(200);
    // The clock has not moved: the login happens in the very millisecond of the logout.
    let new = auth.logged_in("alice").await;
    assert!(auth.is_good(&new.access).await);
    assert_eq!(auth.verdict(&new), "OK");
    assert!(!auth.is_good(&old.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logged_out_token_stays_revoked_by_itself() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
    let mut check = redis::cmd("AUTH.CHECK");
    check.arg(format!("user:{}", alice.user_id)).arg(&alice.access);
    let verdict: String = check.query(&mut auth.redis.connection()).unwrap();
    assert_eq!(verdict, "REVOKED");
}
