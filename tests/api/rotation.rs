//! A secret is replaced while people are logged in.

use std::time::Duration;

use portcullis_api::settings::Settings;
use portcullis_tests::{Answer, PASSWORD, Service, send};
use reqwest::Method;
use serde_json::{Value, json};

const OLD: &str = "the key of refresh tokens before it was replaced";
const NEW: &str = "the key of refresh tokens after it was replaced";
const SECRET: &str = "a secret for tests and of no use elsewhere";

/// Somebody's browser: the cookies of a login, and its CSRF token.
struct Browser {
    cookies: String,
    csrf: String,
    device: String,
}

impl Browser {
    async fn log_in(auth: &Service) -> Self {
        auth.user("alice").await;
        let body = json!({ "email": "alice@example.com", "password": PASSWORD, "mode": "cookie" });
        let answer = auth.post("/login-enhanced", body).await.must_be(200);
        let lines = answer.headers.get_all("set-cookie").iter();
        let pairs: Vec<&str> = lines
            .filter_map(|line| line.to_str().unwrap().split(';').next())
            .filter(|pair| !pair.ends_with('='))
            .collect();
        let device = pairs.iter().find_map(|pair| pair.strip_prefix("__Host-device="));
        Self {
            csrf: answer.text_at("/data/tokens/csrf_token"),
            device: device.unwrap_or_default().to_owned(),
            cookies: pairs.join("; "),
        }
    }

    async fn post(&self, auth: &Service, path: &str) -> Answer {
        let request = auth.request(Method::POST, path).header("cookie", &self.cookies);
        let request = request.header("x-csrf-token", &self.csrf);
        send(request.header("sec-fetch-site", "same-origin").json(&json!({}))).await
    }
}

fn key(settings: &mut Settings, key: Option<&str>, old: Option<&str>) {
    settings.tokens.refresh_token_key = key.map(Into::into);
    settings.tokens.refresh_token_keys_old = old.map(Into::into);
}

fn next(answer: &Answer) -> Value {
    answer.json["data"]["refresh"]["token"].clone()
}

/// The ways in which refresh tokens may get another key.
type Change = (&'static str, fn(&mut Settings), fn(&mut Settings));
const CHANGES: [Change; 4] = [
    ("a key by another", |it| key(it, Some(OLD), None), |it| key(it, Some(NEW), Some(OLD))),
    ("the secret by a key", |it| key(it, None, None), |it| key(it, Some(NEW), None)),
    ("a key by the secret", |it| key(it, Some(OLD), None), |it| key(it, None, Some(OLD))),
    (
        "the secret by another",
        |it| it.tokens.jwt_secret = Some(SECRET.into()),
        |it| {
            it.tokens.jwt_secret = Some(NEW.into());
            it.tokens.jwt_secrets_old = Some(SECRET.into());
        },
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn f_42_a_retry_within_the_grace_is_answered_alike_after_the_key_was_replaced() {
    for (name, before, after) in CHANGES {
        let mut auth = Service::with(before).await;
        let alice = auth.logged_in("alice").await;
        let first = auth.refresh(&alice.refresh).await.must_be(200);

        auth.restart_with(after).await;

        let again = auth.refresh(&alice.refresh).await.must_be(200);
        assert_eq!(next(&again), next(&first), "{name}");
        let token = first.text_at("/data/refresh/token");
        let second = auth.refresh(&token).await.must_be(200);
        assert_eq!(next(&auth.refresh(&token).await.must_be(200)), next(&second), "{name}");
        // What is spent and comes back is a theft all the same.
        auth.refresh(&alice.refresh).await.must_be(401);
        assert_eq!(auth.live_sessions(alice.user_id).await, 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_42_browsers_refresh_log_out_and_are_known_after_the_key_was_replaced() {
    for (name, before, after) in CHANGES {
        let mut auth = Service::with(before).await;
        let (stays, leaves) = (Browser::log_in(&auth).await, Browser::log_in(&auth).await);

        auth.restart_with(after).await;

        stays.post(&auth, "/refresh").await.must_be(200);
        leaves.post(&auth, "/logout").await.must_be(200);
        assert!(auth.app.limits.knows("alice@example.com", Some(&stays.device)), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_42_a_successor_whose_key_is_gone_is_not_told_again_and_ends_nothing() {
    let mut auth = Service::with(|settings| key(settings, Some(OLD), None)).await;
    let alice = auth.logged_in("alice").await;
    let browser = Browser::log_in(&auth).await;
    let token = auth.refresh(&alice.refresh).await.must_be(200).text_at("/data/refresh/token");

    auth.restart_with(|settings| key(settings, Some(NEW), None)).await;

    auth.refresh(&alice.refresh).await.must_be(401);
    browser.post(&auth, "/refresh").await.must_be(403);
    assert_eq!(auth.live_sessions(alice.user_id).await, 2);
    auth.refresh(&token).await.must_be(200);
    // Nothing tells it from what somebody has made up.
    auth.clock.advance(auth.app.settings.tokens.refresh_grace + Duration::from_millis(1));
    auth.refresh(&alice.refresh).await.must_be(401);
    assert_eq!(auth.live_sessions(alice.user_id).await, 2);
    // Once the key is read again, it is a theft, however late.
    auth.restart_with(|settings| key(settings, Some(NEW), Some(OLD))).await;
    auth.refresh(&alice.refresh).await.must_be(401);
    assert_eq!(auth.live_sessions(alice.user_id).await, 1);
}

/// While instances are replaced one by one, each must read what any other makes.
#[tokio::test(flavor = "multi_thread")]
async fn f_42_an_instance_of_old_reads_a_successor_made_with_the_key_to_come() {
    let mut auth = Service::with(|settings| key(settings, Some(NEW), Some(OLD))).await;
    let alice = auth.logged_in("alice").await;
    let first = auth.refresh(&alice.refresh).await.must_be(200);
    auth.restart_with(|settings| key(settings, Some(OLD), Some(NEW))).await;
    assert_eq!(next(&auth.refresh(&alice.refresh).await.must_be(200)), next(&first));
}
