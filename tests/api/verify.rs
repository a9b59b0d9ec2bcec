//! `/verify` and `/me`: what a live access token opens, and what is none.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
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
async fn no_token_a_dead_token_and_two_tokens_are_told_apart_as_rfc_6750_says() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let ask = async |authorization: &str| {
        let mut request = auth.request(Method::GET, "/verify");
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        let answer = request.send().await.unwrap();
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), challenge)
    };
    let none = (401, r#"Bearer realm="portcullis""#.to_owned());
    let invalid = (401, r#"Bearer realm="portcullis", error="invalid_token""#.to_owned());
    assert_eq!(ask("").await, none);
    assert_eq!(ask("Basic YTpi").await, none);
    assert_eq!(ask("Bearer garbage").await, invalid);
    let both = auth
        .request(Method::GET, "/verify")
        .bearer_auth(&alice.access)
        .header("cookie", format!("jwt={}", alice.access))
        .send()
        .await
        .unwrap();
    assert_eq!(both.status(), 400);
    let in_url = auth.request(Method::GET, &format!("/verify?access_token={}", alice.access));
    assert_eq!(in_url.send().await.unwrap().status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_token_opens_nothing() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let token = &alice.access;
    let parts: Vec<&str> = token.split('.').collect();
    let unsigned =
        format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#), parts[1]);
    let mut payload: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    payload["sub"] = json!("1000000");
    let promoted = URL_SAFE_NO_PAD.encode(payload.to_string());
    let last = if token.ends_with('A') { 'B' } else { 'A' };
    let damaged = [
        unsigned,
        format!("{}.{promoted}.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}{last}", &token[..token.len() - 1]),
        format!("{token}="),
        format!("{token}."),
        token[1..].to_owned(),
        "a".repeat(8_000),
        alice.refresh.clone(),
        ".".to_owned(),
        "..".to_owned(),
    ];
    for damaged in damaged {
        assert!(!auth.is_good(&damaged).await, "{damaged}");
    }
    assert!(auth.is_good(token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_stays_dead_however_it_is_spelled() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
    for respelled in [format!("{}=", alice.access), alice.access.clone()] {
        assert!(!auth.is_good(&respelled).await);
    }
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
    assert_eq!(
        answer.json,
        json!({
            "status": "success",
            "data": { "user": {
                "id": alice.user_id, "email": "alice@example.com", "first_name": "alice",
                "last_name": "Tester", "is_active": true, "role": "user",
                "created_at": auth.clock.now(),
            } },
        })
    );
}
