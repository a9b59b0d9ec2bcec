//! What in a request is a credential of ours, and what is somebody else's and counts for nothing.

use portcullis_tests::{Answer, Client, send};
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::json;

use crate::browser::{Browser, NAMES};
use crate::site::site;

/// Cookies and values as other applications set them, none of them a valid UTF-8 text or plain.
const OTHERS: [&[u8]; 6] = [
    b"name=Jos\xe9",
    "name=José".as_bytes(),
    b"x=\"a;b\"",
    b"=nameless",
    b"flag",
    b"__Host-accessory=\xff; X__Host-access=1; Jwt=2",
];

async fn ask(auth: &Client, method: Method, path: &str, headers: &[(&str, &[u8])]) -> Answer {
    let mut request = auth.request(method, path);
    for (name, value) in headers {
        request = request.header(*name, HeaderValue::from_bytes(value).unwrap());
    }
    send(request).await
}

/// A cookie line with somebody else's cookie before or behind.
fn lines(other: &[u8], own: &str) -> [Vec<u8>; 2] {
    [[other, b"; ", own.as_bytes()].concat(), [own.as_bytes(), b";", other].concat()]
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_a_cookie_of_somebody_else_is_not_judged() {
    let auth = site().await;
    let (mut browser, _) = Browser::log_in(&auth).await;
    let old = auth.post("/login", auth.person("bob").await.body()).await.must_be(200);
    let csrf = ("x-csrf-token", browser.csrf.clone());
    for other in OTHERS {
        for own in [
            format!("__Host-access={}", browser.cookies[NAMES[0]]),
            format!("jwt={}", old.text_at("/token")),
        ] {
            let [before, behind] = lines(other, &own);
            ask(&auth, Method::GET, "/me", &[("cookie", &before)]).await.must_be(200);
            ask(&auth, Method::GET, "/me", &[("cookie", &behind)]).await.must_be(200);
            let apart: [(&str, &[u8]); 2] = [("cookie", other), ("cookie", own.as_bytes())];
            ask(&auth, Method::GET, "/verify", &apart).await.must_be(200);
        }
        let own = format!("__Host-refresh={}", browser.cookies[NAMES[1]]);
        let headers: [(&str, &[u8]); 3] = [
            ("cookie", &lines(other, &own)[0]),
            (csrf.0, csrf.1.as_bytes()),
            ("sec-fetch-site", b"same-origin"),
        ];
        let answer = ask(&auth, Method::POST, "/refresh", &headers).await.must_be(200);
        browser.keep(&answer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_09_a_parameter_of_a_content_type_is_not_judged() {
    let auth = site().await;
    let alice = auth.logged_in("alice").await;
    let declared = HeaderValue::from_bytes(b"application/json; note=\xe9").unwrap();
    let request = auth.request(Method::POST, "/refresh").header("content-type", declared);
    send(request.body(json!({ "refresh_token": alice.refresh }).to_string())).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_11_an_authorization_that_is_no_bearer_is_not_ours_to_judge() {
    let auth = site().await;
    let (mut browser, _) = Browser::log_in(&auth).await;
    for other in ["", "Basic YTpi", "Basic", "Digest username=\"x\"", "Negotiate", "Bearerx y"] {
        let cookie = format!("__Host-access={}", browser.cookies[NAMES[0]]);
        let both: [(&str, &[u8]); 2] =
            [("authorization", other.as_bytes()), ("cookie", cookie.as_bytes())];
        ask(&auth, Method::GET, "/me", &both).await.must_be(200);
        let alone = ask(&auth, Method::GET, "/me", &both[..1]).await.must_be(401);
        assert_eq!(alone.json["code"], "no_token", "{other}");
        let headers = [
            ("authorization", other),
            ("x-csrf-token", &browser.csrf),
            ("sec-fetch-site", "same-origin"),
        ];
        let answer = browser.call(&auth, Method::POST, "/refresh", &headers).await.must_be(200);
        browser.keep(&answer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_11_any_number_of_spaces_stands_before_a_token() {
    let auth = site().await;
    let alice = auth.logged_in("alice").await;
    for spelled in ["Bearer ", "Bearer  ", "bearer    ", "BEARER "] {
        let value = format!("{spelled}{}", alice.access);
        ask(&auth, Method::GET, "/me", &[("authorization", value.as_bytes())]).await.must_be(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_11_a_bearer_without_a_token_and_two_authorizations_are_bad_requests() {
    let auth = site().await;
    let alice = auth.logged_in("alice").await;
    let (browser, _) = Browser::log_in(&auth).await;
    let good = format!("Bearer {}", alice.access);
    for (sent, code) in [
        (&["Bearer"][..], "empty_bearer"),
        (&["bearer   "], "empty_bearer"),
        (&[&good, &good], "two_tokens"),
        (&["Basic YTpi", &good], "two_tokens"),
        (&[&good, "Basic YTpi"], "two_tokens"),
    ] {
        let headers: Vec<_> =
            sent.iter().map(|value| ("authorization", value.as_bytes())).collect();
        for (method, path) in
            [(Method::GET, "/me"), (Method::GET, "/verify"), (Method::POST, "/logout")]
        {
            let answer = ask(&auth, method, path, &headers).await.must_be(400);
            assert_eq!(answer.json["code"], code, "{sent:?}");
            let challenge = r#"Bearer realm="portcullis", error="invalid_request""#;
            assert_eq!(answer.header("www-authenticate"), challenge);
        }
        let headers: Vec<_> = sent.iter().map(|value| ("authorization", *value)).collect();
        browser.call(&auth, Method::POST, "/refresh", &headers).await.must_be(400);
    }
    assert!(auth.is_good(&alice.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_12_every_session_that_a_request_names_must_be_the_tokens_own() {
    let auth = site().await;
    let (here, there) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    let bearer = format!("Bearer {}", here.access);
    let named = async |sessions: &[&str]| {
        let mut headers = vec![("authorization", bearer.as_bytes())];
        headers.extend(sessions.iter().map(|session| ("x-session-id", session.as_bytes())));
        ask(&auth, Method::GET, "/me", &headers).await
    };
    let (own, other) = (here.session.as_str(), there.session.as_str());
    named(&[own, own]).await.must_be(200);
    for wrong in [&[own, other][..], &[other, own], &[own, own, ""], &[&format!("{own}, {other}")]]
    {
        let answer = named(wrong).await.must_be(400);
        assert_eq!(answer.json["code"], "session_mismatch", "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_12_every_csrf_token_that_a_call_shows_must_be_the_sessions() {
    let auth = site().await;
    let (browser, _) = Browser::log_in(&auth).await;
    let own = ("x-csrf-token", browser.csrf.as_str());
    let same = ("sec-fetch-site", "same-origin");
    for wrong in [[own, ("x-csrf-token", "x")], [("x-csrf-token", "x"), own]] {
        let headers = [wrong[0], wrong[1], same];
        browser.call(&auth, Method::POST, "/refresh", &headers).await.must_be(403);
    }
    browser.call(&auth, Method::POST, "/refresh", &[own, own, same]).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_13_beside_a_bearer_token_the_cookie_jwt_counts_for_nothing() {
    let auth = site().await;
    let alice = auth.logged_in("alice").await;
    let bearer = format!("Bearer {}", alice.access);
    let own = format!("jwt={}", alice.access);
    for cookie in [own.as_str(), "jwt=of.another.app", "jwt=x; jwt=y"] {
        let both: [(&str, &[u8]); 2] =
            [("authorization", bearer.as_bytes()), ("cookie", cookie.as_bytes())];
        for (method, path) in [
            (Method::GET, "/me"),
            (Method::HEAD, "/me"),
            (Method::GET, "/verify"),
            (Method::POST, "/verify"),
            (Method::DELETE, "/sessions"),
        ] {
            ask(&auth, method, path, &both).await.must_be(200);
        }
    }
    for cookie in ["__Host-access=x", "__Host-access=x; jwt=y"] {
        let both: [(&str, &[u8]); 2] =
            [("authorization", bearer.as_bytes()), ("cookie", cookie.as_bytes())];
        let answer = ask(&auth, Method::GET, "/me", &both).await.must_be(400);
        assert_eq!(answer.json["code"], "two_tokens");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_13_our_own_cookie_beats_jwt_and_head_is_like_get() {
    let auth = site().await;
    let (browser, _) = Browser::log_in(&auth).await;
    let old = auth.post("/login", auth.person("bob").await.body()).await.must_be(200);
    let (access, jwt) = (&browser.cookies[NAMES[0]], old.text_at("/token"));
    for line in
        [format!("jwt=x; __Host-access={access}"), format!("__Host-access={access}; jwt={jwt}")]
    {
        let answer = ask(&auth, Method::GET, "/me", &[("cookie", line.as_bytes())]).await;
        let email = answer.must_be(200).text_at("/data/user/email");
        assert_eq!(email, auth.person("alice").await.email);
    }
    // Another application may have called its cookie the same, for a path or a whole domain.
    for line in [format!("jwt={jwt}"), format!("jwt=of.another.app; jwt={jwt}; jwt=x")] {
        for path in ["/me", "/verify", "/sessions"] {
            let headers: [(&str, &[u8]); 1] = [("cookie", line.as_bytes())];
            ask(&auth, Method::GET, path, &headers).await.must_be(200);
            ask(&auth, Method::HEAD, path, &headers).await.must_be(200);
        }
        for method in [Method::POST, Method::PUT, Method::OPTIONS, Method::DELETE] {
            let headers: [(&str, &[u8]); 1] = [("cookie", line.as_bytes())];
            ask(&auth, method, "/verify", &headers).await.must_be(401);
        }
    }
}
