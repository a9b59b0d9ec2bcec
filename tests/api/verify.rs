//! `/verify` and `/me`: what a live access token opens, and what is none.

use std::time::Duration;

use futures_util::future::join_all;
use portcullis_api::base::clock::Timestamp;
use portcullis_tests::Service;
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn forward_auth_says_who_the_caller_is_whatever_method_and_path_a_proxy_uses() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let methods =
        [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::HEAD];
    for method in methods {
        for path in ["/verify", "/verify/some/other/path?x=1"] {
            let request = auth.request(method.clone(), path).bearer_auth(&alice.access);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200, "{method} {path}");
            let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
            assert_eq!(header("x-auth-user"), alice.user_id.to_string());
            assert_eq!(header("x-auth-session"), alice.session);
            assert_eq!(header("x-auth-role"), "user");
            assert!(answer.bytes().await.unwrap().is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_checks_at_one_moment_hears_about_its_own_token() {
    let auth = Service::start().await;
    let (mut tokens, mut expected) = (Vec::new(), Vec::new());
    for number in 0..24 {
        let someone = auth.logged_in(&format!("user{number}")).await;
        let stays = number % 3 > 0;
        if !stays {
            auth.post_as(&someone.access, "/logout", json!({})).await.must_be(200);
        }
        tokens.push(someone.access);
        expected.push(stays);
    }
    let asked = tokens.iter().cycle().take(192).map(|token| auth.is_good(token));
    let answers = join_all(asked).await;
    assert!(answers.chunks(24).all(|round| round == expected), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_dies_at_its_expiry_and_the_forgiven_difference() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let now_ms = auth.clock.now().0;
    // The token counts in whole seconds from the second of its issue.
    let dies_ms = (now_ms / 1_000 + 900 + 5) * 1_000;
    auth.clock.advance(Duration::from_millis(dies_ms - now_ms - 1));
    assert!(auth.is_good(&alice.access).await);
    auth.clock.advance(Duration::from_millis(1));
    assert!(!auth.is_good(&alice.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn me_tells_the_account_and_no_secret() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let answer = auth.get_as(&alice.access, "/me").await.must_be(200);
    let now = auth.clock.now();
    let user = json!({
        "id": alice.user_id, "email": "alice@example.com", "first_name": "alice",
        "last_name": "Tester", "is_active": true, "role": "user", "locale": null, "created_at": now,
    });
    let expires_at = Timestamp::from_seconds(now.seconds()).plus(Duration::from_mins(15));
    assert_eq!(
        answer.json,
        json!({
            "status": "success",
            "data": {
                "user": user, "amr": ["pwd"], "auth_time": now.seconds(), "expires_at": expires_at,
            },
        })
    );
}
