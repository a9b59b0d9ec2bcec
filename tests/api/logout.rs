//! `/logout` and `/logout-all-devices`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_tests::{PASSWORD, Service};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn r_01_a_logout_kills_access_and_refresh_token_at_once() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let other = auth.logged_in("alice").await;

    let answer = auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);

    assert_eq!(answer.json, json!({ "status": "success", "message": "Successfully logged out" }));
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

    assert!(answer.headers.get("set-cookie").is_none(), "the caller stays logged in");
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

/// Another host, whose clock is ahead by minutes, has logged everything out.
#[tokio::test(flavor = "multi_thread")]
async fn f_43_a_login_after_a_watermark_ahead_is_good_at_once_and_can_be_ended() {
    let auth = Service::start().await;
    let user_id = auth.user("alice").await;
    let now = auth.clock.now();
    let ahead = "update users set tokens_valid_after = ? where id = ?";
    let watermark = now.plus(Duration::from_mins(5));
    sqlx::query(ahead).bind(watermark).bind(user_id).execute(auth.db()).await.unwrap();

    let alice = auth.logged_in("alice").await;
    let other = auth.logged_in("alice").await;

    let is_dated = |token: &str| {
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&payload).unwrap();
        (claims["iat"].as_u64(), claims["auth_time"].as_u64(), claims["exp"].as_u64())
    };
    let seconds = now.seconds();
    assert_eq!(is_dated(&alice.access), (Some(seconds), Some(seconds), Some(seconds + 900)));
    assert!(auth.is_good(&alice.access).await);
    assert_eq!(auth.verdict(&alice), "OK");
    let measured = "select count(*) from user_sessions s join users u on u.id = s.user_id
                     where u.id = ? and s.created_at > u.tokens_valid_after
                       and s.last_activity < s.created_at and s.authenticated_at < s.created_at";
    assert_eq!(auth.count(measured, user_id).await, 2);
    auth.get_as(&alice.access, "/sessions").await.must_be(200);
    auth.post_as(&other.access, "/logout", json!({})).await.must_be(200);
    let early = "select count(*) from user_sessions where user_id = ? and ended_at > last_activity";
    assert_eq!(auth.count(early, user_id).await, 0, "it ended in the present");

    auth.post_as(&alice.access, "/logout-all-devices", json!({})).await.must_be(200);
    assert!(!auth.is_good(&alice.access).await);
    assert_eq!(auth.verdict(&alice), "NO_SESSION");
    auth.refresh(&alice.refresh).await.must_be(401);
    assert!(auth.is_good(&auth.logged_in("alice").await.access).await);
}

/// The same without Redis, and for the session that a change of the password begins.
#[tokio::test(flavor = "multi_thread")]
async fn f_43_what_begins_after_a_watermark_ahead_is_good_for_mysql_too() {
    let mut auth = Service::start().await;
    let user_id = auth.user("alice").await;
    let ahead = "update users set tokens_valid_after = ? where id = ?";
    let watermark = auth.clock.now().plus(Duration::from_mins(5));
    sqlx::query(ahead).bind(watermark).bind(user_id).execute(auth.db()).await.unwrap();
    let alice = auth.logged_in("alice").await;
    let body =
        json!({ "current_password": PASSWORD, "new_password": "seven new words for a gate" });
    let changed = auth.post_as(&alice.access, "/change-password", body).await.must_be(200);
    let access = changed.text_at("/data/access/token");
    assert!(auth.is_good(&access).await && !auth.is_good(&alice.access).await);
    auth.redis.kill();
    assert!(auth.is_good(&access).await && !auth.is_good(&alice.access).await);
    auth.post_as(&access, "/logout-all-devices", json!({})).await.must_be(200);
    assert!(!auth.is_good(&access).await);
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
