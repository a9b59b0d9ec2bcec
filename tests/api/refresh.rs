//! `/refresh`: rotation, grace, reuse.

use std::time::Duration;

use portcullis_api::settings::RefreshSecrets;
use portcullis_api::tokens::derived::RefreshKeys;
use portcullis_api::tokens::place::Place;
use portcullis_api::tokens::secret::RefreshToken;
use portcullis_tests::{Answer, Login, Service, send};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::types::Json;

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_repeated_within_the_grace_gets_the_same_successor() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let first = auth.refresh(&alice.refresh).await.must_be(200);
    auth.clock.advance(Duration::from_secs(30));

    let again = auth.refresh(&alice.refresh).await.must_be(200);

    assert_eq!(successor(&first), successor(&again));
    assert!(auth.is_good(&again.text_at("/data/access/token")).await);
    assert_eq!(auth.live_refresh_tokens(alice.user_id).await, 1);
    auth.refresh(&successor(&again)).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_16_bug_01_a_spent_refresh_token_ends_its_family() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let other = auth.logged_in("alice").await;
    let second = auth.refresh(&alice.refresh).await.must_be(200);
    let third = auth.refresh(&successor(&second)).await.must_be(200);
    let newest = third.text_at("/data/access/token");
    assert!(auth.is_good(&newest).await);

    // Its successor is spent, so no grace helps.
    let reuse = auth.refresh(&alice.refresh).await.must_be(401);

    assert_eq!(reuse.json["code"], "invalid_grant");
    assert!(!auth.is_good(&newest).await);
    assert!(!auth.is_good(&alice.access).await);
    assert_eq!(auth.verdict(&alice), "NO_SESSION");
    auth.refresh(&successor(&third)).await.must_be(401);
    assert!(auth.is_good(&other.access).await, "other sessions are left alone");
    let detail = reuse_detail(&auth, alice.user_id).await;
    assert_eq!(detail, [json!({ "label": "stale_lineage" })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_15_a_repeat_after_the_grace_ends_the_family_too() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let second = auth.refresh(&alice.refresh).await.must_be(200);
    auth.clock.advance(Duration::from_millis(30_001));

    auth.refresh(&alice.refresh).await.must_be(401);

    auth.refresh(&successor(&second)).await.must_be(401);
    assert!(!auth.is_good(&alice.access).await);
    let detail = reuse_detail(&auth, alice.user_id).await;
    assert_eq!(detail, [json!({ "label": "late_retry" })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_18_bug_11_a_session_ends_at_its_absolute_limit_however_often_it_is_refreshed() {
    let auth = Service::start().await;
    let mut token = auth.logged_in("alice").await.refresh;
    for day in 1..=5 {
        auth.clock.advance(Duration::from_hours(24 * 6) - Duration::from_millis(1));
        let answer = auth.refresh(&token).await;
        if day == 5 {
            let left = answer.must_be(200).json["data"]["access"]["expires_in"].clone();
            assert_eq!(left, 0, "an access token dies with its session");
            break;
        }
        token = successor(&answer.must_be(200));
    }
    auth.clock.advance(Duration::from_millis(5));
    auth.refresh(&token).await.must_be(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_05_an_authenticated_request_counts_as_use_of_the_session() {
    let auth = Service::with(|settings| {
        settings.sessions.session_idle_timeout = Duration::from_mins(10);
        settings.sessions.session_touch_interval = Duration::from_mins(1);
    })
    .await;
    let alice = auth.logged_in("alice").await;
    auth.clock.advance(Duration::from_mins(9));
    assert!(auth.is_good(&alice.access).await);
    auth.clock.advance(Duration::from_mins(9));
    auth.refresh(&alice.refresh).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_racing_a_logout_everywhere_leaves_no_survivor() {
    let auth = Service::start().await;
    for _ in 0..20 {
        let alice = auth.logged_in("alice").await;
        let (refreshed, _) = tokio::join!(
            auth.refresh(&alice.refresh),
            auth.post_as(&alice.access, "/logout-all-devices", json!({})),
        );
        if refreshed.status == 200 {
            auth.refresh(&successor(&refreshed)).await.must_be(401);
            assert!(!auth.is_good(&refreshed.text_at("/data/access/token")).await);
        }
        assert_eq!(auth.live_refresh_tokens(alice.user_id).await, 0);
        assert_eq!(auth.verdict(&alice), "NO_SESSION");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_user_gets_no_new_token() {
    let auth = Service::start().await;
    let alice: Login = auth.logged_in("alice").await;
    sqlx::query("update users set is_active = false").execute(auth.db()).await.unwrap();
    auth.refresh(&alice.refresh).await.must_be(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_one_row_however_often_it_is_refreshed() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let (mut token, mut access) = (alice.refresh.clone(), String::new());
    for _ in 0..5 {
        auth.clock.advance(Duration::from_mins(10));
        let answer = auth.refresh(&token).await.must_be(200);
        (token, access) = (successor(&answer), answer.text_at("/data/access/token"));
        assert_eq!(token.len(), 74);
    }
    let rows: Vec<(i64, bool)> = sqlx::query_as(
        "select cast(generation as signed), token_hash = unhex(sha2(?, 256)) from refresh_tokens
          where user_id = ?",
    )
    .bind(&token)
    .bind(alice.user_id)
    .fetch_all(auth.db())
    .await
    .unwrap();
    assert_eq!(rows, [(5, true)]);
    let stats = auth.get_as(&access, "/token-stats").await.must_be(200).json;
    let counts = ["issued", "spent", "active"].map(|it| format!("refresh_tokens_{it}"));
    assert_eq!(counts.map(|name| stats["data"][name].as_u64().unwrap()), [6, 5, 1]);
    auth.post_as(&access, "/logout", json!({})).await.must_be(200);
    auth.refresh(&token).await.must_be(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_token_ends_its_session_however_late_and_whoever_brings_it() {
    let auth = Service::with(|settings| {
        settings.server.trusted_proxies = "127.0.0.1".parse().unwrap();
    })
    .await;
    let alice = auth.logged_in("alice").await;
    let second = successor(&auth.refresh(&alice.refresh).await.must_be(200));
    let mut token = second.clone();
    for _ in 0..4 {
        auth.clock.advance(Duration::from_hours(24 * 5));
        token = successor(&auth.refresh(&token).await.must_be(200));
    }
    let other = auth.logged_in("alice").await;
    let body = json!({ "refresh_token": second });
    let thief = auth.request(Method::POST, "/refresh").json(&body);
    let refused = send(thief.header("x-forwarded-for", "203.0.113.7")).await.must_be(401);
    assert_eq!(refused.json["ended_reason"], "token_reuse", "{refused:?}");
    auth.refresh(&token).await.must_be(401);
    assert_eq!(reuse_detail(&auth, alice.user_id).await, [json!({ "label": "stale_lineage" })]);
    assert_eq!(auth.verdict(&alice), "NO_SESSION");
    auth.refresh(&other.refresh).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_looks_like_a_token_of_a_session_is_unknown_and_ends_nothing() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let next = successor(&auth.refresh(&alice.refresh).await.must_be(200));
    let keys = &auth.app.refresh_keys;
    let place = keys.place(&RefreshToken::parse(&next).unwrap()).unwrap();
    assert_eq!(place.generation, 1);
    let strangers = RefreshKeys::from_secrets(&RefreshSecrets {
        current: "a secret that is none of this service's".into(),
        old: Vec::new(),
    });
    let earlier = Place { generation: 0, ..place };
    for made_up in [
        strangers.token(earlier),
        strangers.token(place),
        keys.token(place.next()),
        keys.token(Place { generation: u32::MAX, ..place }),
        keys.token(Place { reference: [7; 16], generation: 0 }),
    ] {
        let refused = auth.refresh(made_up.expose()).await.must_be(401);
        assert!(refused.json["ended_reason"].is_null(), "{refused:?}");
        let body = json!({ "refresh_token": made_up.expose() });
        auth.post("/logout", body).await.must_be(401);
    }
    assert_eq!(auth.live_sessions(alice.user_id).await, 1);
    auth.refresh(&next).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_token_is_enough_to_leave() {
    let auth = Service::start().await;
    let (alice, other) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    for login in [&alice, &other] {
        let second = successor(&auth.refresh(&login.refresh).await.must_be(200));
        auth.refresh(&second).await.must_be(200);
    }
    auth.post("/logout", json!({ "refresh_token": alice.refresh })).await.must_be(200);
    assert!(!auth.is_good(&alice.access).await);
    let body = json!({ "refresh_token": other.refresh });
    auth.post_as(&other.access, "/revoke-refresh-token", body).await.must_be(200);
    assert_eq!(auth.live_sessions(alice.user_id).await, 0);
}

fn successor(answer: &Answer) -> String {
    answer.text_at("/data/refresh/token")
}

async fn reuse_detail(auth: &Service, user_id: u64) -> Vec<Value> {
    let details: Vec<Json<Value>> = sqlx::query_scalar(
        "select detail from audit_events where user_id = ? and event = 'authn_token_reuse'",
    )
    .bind(user_id)
    .fetch_all(auth.db())
    .await
    .unwrap();
    details.into_iter().map(|detail| detail.0).collect()
}
