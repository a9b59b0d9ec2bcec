//! Cookie mode: browsers that hold no token in a script's reach.

use std::collections::BTreeMap;

use portcullis_tests::{Answer, Client, Login, PASSWORD, send};
use reqwest::Method;
use serde_json::{Value, json};

use crate::site::{Account, Site, own, site};

pub(crate) const NAMES: [&str; 3] = ["__Host-access", "__Host-refresh", "__Host-csrf"];

/// What a browser keeps and knows after a login.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) csrf: String,
    pub(crate) session: String,
}

impl Browser {
    pub(crate) async fn log_in(site: &Site) -> (Self, Answer) {
        Self::log_in_as(site, &site.person("alice").await).await
    }

    pub(crate) async fn log_in_as(client: &Client, account: &Account) -> (Self, Answer) {
        let answer = client.post("/login-enhanced", in_cookies(account)).await.must_be(200);
        let mut browser = Self {
            cookies: BTreeMap::new(),
            csrf: answer.text_at("/data/tokens/csrf_token"),
            session: answer.text_at("/data/session/id"),
        };
        browser.keep(&answer);
        (browser, answer)
    }

    /// Does with `Set-Cookie` what browsers do.
    pub(crate) fn keep(&mut self, answer: &Answer) {
        for (name, value, attributes) in set_cookies(answer) {
            if attributes.contains(&"Max-Age=0".to_owned()) {
                self.cookies.remove(&name);
            } else {
                self.cookies.insert(name, value);
            }
        }
    }

    /// A call with the cookies and these headers.
    pub(crate) async fn call(
        &self,
        auth: &Client,
        method: Method,
        path: &str,
        more: &[(&str, &str)],
    ) -> Answer {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        let line = pairs.collect::<Vec<_>>().join("; ");
        let mut request = auth.request(method, path).header("cookie", line);
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        send(request).await
    }

    /// A call as a page of the site makes it.
    pub(crate) async fn post(&self, auth: &Client, path: &str) -> Answer {
        let headers = [("x-csrf-token", self.csrf.as_str()), ("sec-fetch-site", "same-origin")];
        self.call(auth, Method::POST, path, &headers).await
    }
}

/// The body of a login in cookie mode.
fn in_cookies(account: &Account) -> Value {
    let mut body = account.body();
    body["mode"] = json!("cookie");
    body
}

fn set_cookies(answer: &Answer) -> Vec<(String, String, Vec<String>)> {
    let lines = answer.headers.get_all("set-cookie").iter();
    lines
        .map(|line| {
            let mut parts = line.to_str().unwrap().split("; ").map(str::to_owned);
            let first = parts.next().unwrap();
            let (name, value) = first.split_once('=').unwrap();
            (name.to_owned(), value.to_owned(), parts.collect())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn r_31_c_20_bug_25_a_login_in_cookie_mode_puts_the_tokens_where_no_script_reads_them() {
    let auth = site().await;
    for path in ["/login-enhanced", "/login"] {
        let body = in_cookies(&auth.person("alice").await);
        let answer = auth.post(path, body).await.must_be(200);
        let csrf = answer.text_at("/data/tokens/csrf_token");
        assert_eq!(
            answer.json["data"]["tokens"],
            json!({
                "access": { "expires_in": 900, "type": "Bearer" },
                "refresh": { "expires_in": 2_592_000 },
                "csrf_token": csrf,
            })
        );
        assert_eq!(answer.json["token"], Value::Null);
        let cookies = set_cookies(&answer);
        for (name, http_only, age) in
            [(NAMES[0], true, 900), (NAMES[1], true, 2_592_000), (NAMES[2], false, 2_592_000)]
        {
            let (_, value, attributes) =
                cookies.iter().find(|cookie| cookie.0 == name).expect("the cookie is set");
            let has = |attribute: &str| attributes.iter().any(|found| found == attribute);
            assert!(has("Path=/") && has("Secure") && has(&format!("Max-Age={age}")), "{name}");
            assert!(attributes.iter().any(|found| found.starts_with("SameSite=")), "{name}");
            assert!(!attributes.iter().any(|found| found.starts_with("Domain")), "{name}");
            assert_eq!(has("HttpOnly"), http_only, "{name}");
            assert!(
                value.len() + name.len() < 3_000 && !answer.text.contains(value)
                    || name == NAMES[2]
            );
        }
        assert!(cookies.iter().any(|cookie| cookie.0 == NAMES[2] && cookie.1 == csrf));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c_20_cookies_open_what_a_bearer_token_opens() {
    let auth = site().await;
    let (browser, _) = Browser::log_in(&auth).await;
    let me = browser.call(&auth, Method::GET, "/me", &[]).await.must_be(200);
    assert_eq!(me.json["data"]["user"]["email"], auth.person("alice").await.email);
    browser.call(&auth, Method::GET, "/verify", &[]).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_32_a_changing_call_that_the_user_may_not_have_meant_is_refused_and_changes_nothing() {
    let auth = site().await;
    let (browser, _) = Browser::log_in(&auth).await;
    let (bob, _) = Browser::log_in(&auth).await;
    let (token, others) = (browser.csrf.as_str(), bob.csrf.as_str());
    let host = auth.url.trim_start_matches("http://").to_owned();
    let own = format!("https://{host}");
    let near_miss = format!("https://{host}.evil.example");
    let same = ("sec-fetch-site", "same-origin");
    let stats = async || {
        let answer = browser.call(&auth, Method::GET, "/token-stats", &[]).await;
        answer.must_be(200).json["data"].clone()
    };
    let before = stats().await;
    let refused: [&[(&str, &str)]; 9] = [
        &[],
        &[same],
        &[same, ("x-csrf-token", "")],
        &[same, ("x-csrf-token", "garbage")],
        &[same, ("x-csrf-token", others)],
        &[("x-csrf-token", token)],
        &[("x-csrf-token", token), ("sec-fetch-site", "cross-site")],
        &[("x-csrf-token", token), ("origin", "https://evil.example")],
        &[("x-csrf-token", token), ("origin", &near_miss)],
    ];
    for headers in refused {
        for call in [
            (Method::POST, "/logout"),
            (Method::POST, "/refresh"),
            (Method::DELETE, "/sessions"),
            (Method::POST, "/verify"),
        ] {
            let (method, path) = call.clone();
            let answer = browser.call(&auth, method, path, headers).await.must_be(403);
            assert_eq!(answer.json["code"], "csrf_failed", "{call:?} {headers:?}");
        }
    }
    assert_eq!(stats().await, before);
    let good = [("x-csrf-token", token), ("origin", own.as_str())];
    browser.call(&auth, Method::POST, "/logout", &good).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_32_pages_of_a_listed_origin_are_ours() {
    let Some(auth) = own(|settings| {
        settings.server.cors_origins = "https://app.example.com".parse().unwrap();
    })
    .await
    else {
        return;
    };
    auth.user("alice").await;
    let account = Account { email: "alice@example.com".into(), password: PASSWORD.into() };
    let (browser, _) = Browser::log_in_as(&auth, &account).await;
    let token = ("x-csrf-token", browser.csrf.as_str());
    let from = |origin| [token, ("sec-fetch-site", "same-site"), ("origin", origin)];
    let refresh = async |headers: &[(&str, &str)]| {
        browser.call(&auth, Method::POST, "/refresh", headers).await
    };
    refresh(&from("https://other.example.com")).await.must_be(403);
    refresh(&from("https://app.example.com")).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_by_cookie_renews_the_cookies() {
    let auth = site().await;
    let (mut browser, _) = Browser::log_in(&auth).await;
    let before = browser.cookies.clone();
    let answer = browser.post(&auth, "/refresh").await.must_be(200);
    assert!(answer.json["data"]["access"].get("token").is_none());
    assert!(answer.json["data"]["refresh"].get("token").is_none());
    browser.keep(&answer);
    assert_ne!(browser.cookies[NAMES[0]], before[NAMES[0]]);
    assert_ne!(browser.cookies[NAMES[1]], before[NAMES[1]]);
    assert_eq!(browser.cookies[NAMES[2]], before[NAMES[2]], "it belongs to the session");
    browser.call(&auth, Method::GET, "/me", &[]).await.must_be(200);
    browser.post(&auth, "/refresh").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_34_a_logout_by_cookie_ends_the_session_and_clears_the_browser() {
    let auth = site().await;
    let (mut browser, _) = Browser::log_in(&auth).await;
    let kept = browser.clone();
    let answer = browser.post(&auth, "/logout").await.must_be(200);
    assert_eq!(answer.header("clear-site-data"), "");
    browser.keep(&answer);
    assert!(NAMES.iter().all(|name| !browser.cookies.contains_key(*name)), "{answer:?}");
    kept.call(&auth, Method::GET, "/me", &[]).await.must_be(401);
    kept.post(&auth, "/refresh").await.must_be(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_changed_by_cookie_is_answered_with_cookies() {
    let auth = site().await;
    let (mut browser, _) = Browser::log_in(&auth).await;
    let line = format!("{}={}", NAMES[0], browser.cookies[NAMES[0]]);
    let (old, new) = (auth.person("alice").await.password, "quite another long one");
    let body = json!({ "current_password": old, "new_password": new });
    let request = auth.request(Method::POST, "/change-password").header("cookie", line);
    let request = request.header("x-csrf-token", &browser.csrf);
    let request = request.header("sec-fetch-site", "same-origin").json(&body);
    let answer = send(request).await.must_be(200);
    assert!(answer.json["data"]["access"].get("token").is_none());
    browser.keep(&answer);
    browser.csrf = answer.text_at("/data/csrf_token");
    browser.call(&auth, Method::GET, "/me", &[]).await.must_be(200);
    browser.post(&auth, "/refresh").await.must_be(200);
    let account = Account { password: new.to_owned(), ..auth.person("alice").await };
    let back = Login::from(auth.log_in_as(&account).await.must_be(200));
    let body = json!({ "current_password": new, "new_password": old });
    auth.post_as(&back.access, "/change-password", body).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_30_tokens_in_two_places_are_refused() {
    let auth = site().await;
    let (browser, _) = Browser::log_in(&auth).await;
    let alice = auth.logged_in("alice").await;
    let bearer = format!("Bearer {}", alice.access);
    for (method, path) in
        [(Method::GET, "/me"), (Method::POST, "/logout"), (Method::POST, "/refresh")]
    {
        let header = [("authorization", bearer.as_str())];
        let both = browser.call(&auth, method, path, &header).await.must_be(400);
        assert_eq!(both.json["code"], "two_tokens");
    }
    let line = format!("{}={}", NAMES[1], browser.cookies[NAMES[1]]);
    let request = auth.request(Method::POST, "/refresh").header("cookie", line);
    let both = send(request.json(&json!({ "refresh_token": alice.refresh }))).await.must_be(400);
    assert_eq!(both.json["code"], "two_tokens");
    auth.refresh(&alice.refresh).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_02_a_login_replaces_the_session_whose_cookies_came_along() {
    let auth = site().await;
    // A browser drops the access token first.
    for name in &NAMES[..2] {
        let (browser, _) = Browser::log_in(&auth).await;
        let line = format!("{name}={}", browser.cookies[*name]);
        let body = in_cookies(&auth.person("alice").await);
        let request = auth.request(Method::POST, "/login-enhanced").header("cookie", line);
        let again = send(request.json(&body)).await.must_be(200);
        assert_ne!(again.text_at("/data/session/id"), browser.session);
        browser.call(&auth, Method::GET, "/me", &[]).await.must_be(401);
    }
}
