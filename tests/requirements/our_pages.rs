//! Which pages are ours, and how they learn what their next change must show.

use portcullis_tests::{Answer, Client, PASSWORD, Service, send};
use reqwest::Method;
use serde_json::Value;

use crate::browser::{Browser, NAMES};
use crate::site::{Account, own, site};

/// A refresh with the cookies and these headers.
async fn refresh(auth: &Client, browser: &mut Browser, headers: &[(&str, &str)]) -> Answer {
    let answer = browser.call(auth, Method::POST, "/refresh", headers).await;
    browser.keep(&answer);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn f_31_an_origin_is_compared_without_its_case_and_the_port_that_is_meant_anyway() {
    let auth = site().await;
    let (mut browser, _) = Browser::log_in(&auth).await;
    let csrf = browser.csrf.clone();
    for (origin, host, status) in [
        ("https://app.example.com", "app.example.com", 200),
        ("https://app.example.com", "app.example.com:443", 200),
        ("https://app.example.com:443", "app.example.com", 200),
        ("https://APP.example.com", "app.Example.com:443", 200),
        ("http://app.example.com", "app.example.com:80", 200),
        ("https://app.example.com:8443", "app.example.com:8443", 200),
        ("https://[2001:db8::1]", "[2001:DB8::1]:443", 200),
        ("https://app.example.com", "app.example.com:80", 403),
        ("http://app.example.com", "app.example.com:443", 403),
        ("https://app.example.com:8443", "app.example.com", 403),
        ("https://app.example.com.evil.example", "app.example.com", 403),
        ("ftp://app.example.com", "app.example.com", 403),
        ("null", "null", 403),
        ("https://", "app.example.com", 403),
    ] {
        let headers = [("x-csrf-token", csrf.as_str()), ("origin", origin), ("host", host)];
        let answer = refresh(&auth, &mut browser, &headers).await;
        assert_eq!(answer.status, status, "{origin} at {host}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_31_what_the_browser_calls_same_origin_is_our_page_whatever_a_proxy_made_of_the_host() {
    let auth = site().await;
    let (mut browser, _) = Browser::log_in(&auth).await;
    let csrf = ("x-csrf-token", browser.csrf.clone());
    let csrf = (csrf.0, csrf.1.as_str());
    let origin = ("origin", "https://app.example.com");
    let site = |word| ("sec-fetch-site", word);
    for (headers, status) in [
        (&[csrf, site("same-origin"), origin, ("host", "auth.internal:3000")][..], 200),
        (&[csrf, site("same-origin")], 200),
        (&[csrf, site("same-site"), origin], 403),
        (&[csrf, site("same-site")], 403),
        (&[csrf, site("cross-site"), origin], 403),
        (&[csrf, site("none")], 403),
        (&[csrf, site("same-origin"), site("cross-site")], 403),
        (&[site("same-origin"), origin], 403),
        (&[csrf], 403),
    ] {
        let answer = refresh(&auth, &mut browser, headers).await;
        assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
    }
}

async fn with_an_app(origin: &str) -> Option<(Service, Browser)> {
    let auth = own(|settings| settings.server.cors_origins = origin.parse().unwrap()).await?;
    auth.user("alice").await;
    let account = Account { email: "alice@example.com".into(), password: PASSWORD.into() };
    let (browser, _) = Browser::log_in_as(&auth, &account).await;
    Some((auth, browser))
}

#[tokio::test(flavor = "multi_thread")]
async fn f_31_a_listed_origin_is_the_same_however_it_is_spelled() {
    let Some((auth, mut browser)) = with_an_app("https://App.Example.com:443").await else {
        return;
    };
    let csrf = browser.csrf.clone();
    for origin in
        ["https://app.example.com", "https://app.example.com:443", "https://APP.example.com"]
    {
        let headers = [("x-csrf-token", csrf.as_str()), ("origin", origin)];
        let answer = refresh(&auth, &mut browser, &headers).await.must_be(200);
        assert_eq!(answer.header("access-control-allow-origin"), origin);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_31_the_refusal_says_whether_the_token_or_the_page_was_wrong() {
    let auth = site().await;
    let (mut browser, _) = Browser::log_in(&auth).await;
    let csrf = browser.csrf.clone();
    let says = async |browser: &mut Browser, headers: &[(&str, &str)]| {
        let answer = refresh(&auth, browser, headers).await.must_be(403);
        assert_eq!(answer.json["code"], "csrf_failed");
        answer.text_at("/detail")
    };
    let evil = ("origin", "https://evil.example");
    let same = ("sec-fetch-site", "same-origin");
    let page = says(&mut browser, &[("x-csrf-token", &csrf), evil]).await;
    assert!(page.contains("Origin") && !page.contains("X-CSRF-Token"), "{page}");
    for headers in [&[same][..], &[same, ("x-csrf-token", "x")]] {
        let token = says(&mut browser, headers).await;
        assert!(token.contains("X-CSRF-Token") && !token.contains("Origin"), "{token}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_32_a_page_that_was_loaded_anew_is_told_its_csrf_token() {
    let auth = site().await;
    let (mut browser, _) = Browser::log_in(&auth).await;
    for path in ["/me", "/sessions"] {
        let told = browser.call(&auth, Method::GET, path, &[]).await.must_be(200);
        assert_eq!(told.text_at("/data/csrf_token"), browser.csrf, "{path}");
        let headers = [("x-csrf-token", browser.csrf.clone())];
        let headers = [(headers[0].0, headers[0].1.as_str()), ("sec-fetch-site", "same-origin")];
        refresh(&auth, &mut browser, &headers).await.must_be(200);
    }
    let alice = auth.logged_in("alice").await;
    let old = auth.post("/login", auth.person("alice").await.body()).await.must_be(200);
    let line = format!("jwt={}", old.text_at("/token"));
    for path in ["/me", "/sessions"] {
        let bearer = auth.get_as(&alice.access, path).await.must_be(200);
        let old = send(auth.request(Method::GET, path).header("cookie", &line)).await.must_be(200);
        for answer in [bearer, old] {
            assert_eq!(answer.json["data"].get("csrf_token"), None, "{path}: no cookie mode");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_32_a_page_whose_access_token_has_died_is_told_its_csrf_token_and_nobody_elses_page_is() {
    let Some((auth, mut browser)) = with_an_app("https://app.example.com").await else { return };
    browser.cookies.remove(NAMES[0]);
    let same = ("sec-fetch-site", "same-site");
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[same, ("origin", "https://other.example.com")],
        &[("sec-fetch-site", "cross-site")],
        &[],
    ] {
        let answer = refresh(&auth, &mut browser, headers).await.must_be(403);
        assert_eq!(answer.json["csrf_token"], Value::Null, "{headers:?}");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    let ours = [same, ("origin", "https://app.example.com")];
    let told = refresh(&auth, &mut browser, &ours).await.must_be(403).text_at("/csrf_token");
    let headers = [ours[0], ours[1], ("x-csrf-token", told.as_str())];
    refresh(&auth, &mut browser, &headers).await.must_be(200);
}
