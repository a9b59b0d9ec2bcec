//! The mail about a login from a new device.

use std::time::Duration;

use portcullis_tests::{Answer, PASSWORD, Service, send};
use reqwest::Method;
use serde_json::json;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0";
const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 \
                      (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";

async fn log_in(auth: &Service, browser: &str, cookie: &str) -> Answer {
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    let request = auth.request(Method::POST, "/login-enhanced").json(&body);
    send(request.header("user-agent", browser).header("cookie", cookie)).await.must_be(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn r_50_the_owner_hears_of_a_login_from_a_device_not_seen_before() {
    let auth = Service::start().await;
    auth.user("alice").await;
    for browser in [FIREFOX, FIREFOX, SAFARI, SAFARI] {
        log_in(&auth, browser, "").await;
    }
    let mails = auth.all_mails().await;
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert!(mails[0].contains("To: alice@example.com") && mails[0].contains("Safari on iOS"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_shows_its_cookie_is_not_new() {
    let auth = Service::start().await;
    auth.user("alice").await;
    let first = log_in(&auth, FIREFOX, "").await;
    let cookie = first.header("set-cookie").split(';').next().unwrap().to_owned();
    log_in(&auth, SAFARI, &cookie).await;
    assert_eq!(auth.all_mails().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_slept_is_warned_of_its_first_login() {
    let auth = Service::start().await;
    auth.user("alice").await;
    auth.clock.advance(Duration::from_hours(24));
    log_in(&auth, FIREFOX, "").await;
    assert_eq!(auth.all_mails().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_may_want_no_such_mails() {
    let auth = Service::with(|settings| settings.accounts.notify_new_device = false).await;
    auth.user("alice").await;
    log_in(&auth, FIREFOX, "").await;
    log_in(&auth, SAFARI, "").await;
    assert_eq!(auth.all_mails().await, Vec::<String>::new());
}

async fn log_in_from(auth: &Service, ip: &str, browser: &str, cookie: &str) -> Answer {
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    let request = auth.request(Method::POST, "/login-enhanced").json(&body);
    let request = request.header("x-forwarded-for", ip).header("user-agent", browser);
    send(request.header("cookie", cookie)).await.must_be(200)
}

async fn behind_a_proxy() -> Service {
    let auth = Service::with(|settings| {
        settings.server.trusted_proxies = "127.0.0.1".parse().unwrap();
    })
    .await;
    auth.user("alice").await;
    auth
}

#[tokio::test(flavor = "multi_thread")]
async fn f_27_a_known_browser_from_an_unknown_network_without_its_cookie_is_a_new_device() {
    let auth = behind_a_proxy().await;
    let first = log_in_from(&auth, "203.0.113.7", FIREFOX, "").await;
    let cookie = first.header("set-cookie").split(';').next().unwrap().to_owned();
    log_in_from(&auth, "203.0.113.99", FIREFOX, "").await;
    log_in_from(&auth, "198.51.100.9", FIREFOX, &cookie).await;
    log_in_from(&auth, "198.51.100.10", FIREFOX, "").await;
    log_in_from(&auth, "192.0.2.1", FIREFOX, "").await;
    let mails = auth.all_mails().await;
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert!(mails[0].contains("Address: 192.0.2.1"), "{}", mails[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_27_a_network_that_a_session_moved_to_is_known() {
    let auth = behind_a_proxy().await;
    let login = log_in_from(&auth, "203.0.113.7", FIREFOX, "").await;
    let access = login.text_at("/data/tokens/access/token");
    let request = auth.request(Method::GET, "/verify").bearer_auth(access);
    send(request.header("x-forwarded-for", "2001:db8::1")).await.must_be(200);
    auth.settle().await;
    log_in_from(&auth, "2001:db8::2", FIREFOX, "").await;
    assert_eq!(auth.all_mails().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn f_27_the_owner_hears_of_a_client_that_no_table_knows() {
    let auth = Service::start().await;
    auth.user("alice").await;
    log_in(&auth, "okhttp/4.12.0", "").await;
    log_in(&auth, "okhttp/4.12.0", "").await;
    log_in(&auth, "evil.example/1.0 (Linux; Android 13)", "").await;
    let mails = auth.all_mails().await;
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert!(mails[0].contains("Device: evil_example on Android"), "{}", mails[0]);
}
