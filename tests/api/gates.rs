//! `SESSION_IP_VALIDATION` and `DEVICE_BINDING`: sessions that hold only from where they began.

use std::time::Duration;

use portcullis_api::settings::{AddressGate, DeviceGate, Settings};
use portcullis_tests::{Answer, Client, PASSWORD, Service, send};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0";
const NEWER_FIREFOX: &str =
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 \
                      (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
const HOME: &str = "203.0.113.7";
const NEXT_DOOR: &str = "203.0.113.8";
const AWAY: &str = "198.51.100.9";

/// A service behind a proxy, so that the tests can come from anywhere.
async fn service(adjust: impl FnOnce(&mut Settings)) -> Service {
    Service::with(|settings| {
        settings.server.trusted_proxies = "127.0.0.1".parse().unwrap();
        adjust(settings);
    })
    .await
}

fn coming(request: RequestBuilder, ip: &str, browser: &str) -> RequestBuilder {
    request.header("x-forwarded-for", ip).header("user-agent", browser)
}

async fn logged_in(auth: &Service) -> portcullis_tests::Login {
    auth.user("alice").await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    let request = auth.request(Method::POST, "/login-enhanced").json(&body);
    send(coming(request, HOME, FIREFOX)).await.must_be(200).into()
}

async fn verify(auth: &Service, access: &str, ip: &str, browser: &str) -> u16 {
    let request = auth.request(Method::GET, "/verify").bearer_auth(access);
    send(coming(request, ip, browser)).await.status.as_u16()
}

async fn refresh(auth: &Service, token: &str, ip: &str, browser: &str) -> Answer {
    let request = auth.request(Method::POST, "/refresh").json(&json!({ "refresh_token": token }));
    send(coming(request, ip, browser)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn c_16_c_17_without_gates_a_session_may_travel() {
    let auth = service(|_| {}).await;
    let alice = logged_in(&auth).await;
    assert_eq!(verify(&auth, &alice.access, AWAY, SAFARI).await, 200);
    refresh(&auth, &alice.refresh, AWAY, SAFARI).await.must_be(200);
    assert_eq!(auth.audit_trail(alice.user_id).await, ["authn_login_success"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn c_17_a_session_bound_to_its_address_is_refused_elsewhere_and_lives_on_at_home() {
    for (gate, next_door) in [(AddressGate::Subnet, 200), (AddressGate::Exact, 401)] {
        let auth = service(|settings| settings.sessions.session_ip_validation = gate).await;
        let alice = logged_in(&auth).await;
        assert_eq!(verify(&auth, &alice.access, AWAY, FIREFOX).await, 401);
        assert_eq!(verify(&auth, &alice.access, NEXT_DOOR, FIREFOX).await, next_door);
        let refused = refresh(&auth, &alice.refresh, AWAY, FIREFOX).await.must_be(401);
        assert_eq!(refused.json["code"], "invalid_grant");

        assert_eq!(verify(&auth, &alice.access, HOME, SAFARI).await, 200);
        refresh(&auth, &alice.refresh, HOME, FIREFOX).await.must_be(200);
        assert_eq!(auth.live_sessions(alice.user_id).await, 1);
        assert!(auth.audit_trail(alice.user_id).await.contains(&"authz_fail".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c_16_bug_18_a_session_bound_to_its_device_outlives_an_update_and_no_other_browser() {
    let auth = service(|settings| settings.sessions.device_binding = DeviceGate::Enforce).await;
    let alice = logged_in(&auth).await;
    assert_eq!(verify(&auth, &alice.access, AWAY, SAFARI).await, 401);
    refresh(&auth, &alice.refresh, AWAY, SAFARI).await.must_be(401);

    assert_eq!(verify(&auth, &alice.access, AWAY, NEWER_FIREFOX).await, 200);
    refresh(&auth, &alice.refresh, AWAY, NEWER_FIREFOX).await.must_be(200);
    assert_eq!(auth.live_sessions(alice.user_id).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_device_may_only_be_noted_and_is_noted_once() {
    let auth = service(|settings| settings.sessions.device_binding = DeviceGate::Warn).await;
    let alice = logged_in(&auth).await;
    for _ in 0..3 {
        assert_eq!(verify(&auth, &alice.access, HOME, SAFARI).await, 200);
    }
    refresh(&auth, &alice.refresh, HOME, SAFARI).await.must_be(200);
    assert_eq!(
        auth.audit_trail(alice.user_id).await,
        ["authn_login_success", "session_device_changed"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_stranger_does_not_keep_the_session_in_use() {
    let auth =
        service(|settings| settings.sessions.session_ip_validation = AddressGate::Exact).await;
    let alice = logged_in(&auth).await;
    let last = async || {
        auth.settle().await;
        let seen: String = sqlx::query_scalar(
            "select cast(last_activity as char) from user_sessions where id = ?",
        )
        .bind(&alice.session)
        .fetch_one(auth.db())
        .await
        .unwrap();
        seen
    };
    let before = last().await;
    auth.clock.advance(Duration::from_mins(5));
    assert_eq!(verify(&auth, &alice.access, AWAY, FIREFOX).await, 401);
    assert_eq!(last().await, before);
    assert_eq!(verify(&auth, &alice.access, HOME, FIREFOX).await, 200);
    assert_ne!(last().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_gate_one_connection_is_enough_for_a_refresh_and_for_a_reuse() {
    let auth = service(|settings| {
        settings.sessions.session_ip_validation = AddressGate::Exact;
        settings.stores.db_pool_size = 3;
    })
    .await;
    let alice = logged_in(&auth).await;
    let _others = [auth.db().acquire().await.unwrap(), auth.db().acquire().await.unwrap()];

    let second = refresh(&auth, &alice.refresh, HOME, FIREFOX).await.must_be(200);
    let second = second.text_at("/data/refresh/token");
    refresh(&auth, &second, AWAY, FIREFOX).await.must_be(401);
    refresh(&auth, &second, HOME, FIREFOX).await.must_be(200);
    let reuse = refresh(&auth, &alice.refresh, HOME, FIREFOX).await;

    assert_eq!(reuse.must_be(401).json["code"], "invalid_grant");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_21_a_device_that_changes_with_each_request_is_news_once_an_hour() {
    let auth = service(|settings| settings.sessions.device_binding = DeviceGate::Warn).await;
    let alice = logged_in(&auth).await;
    let other = auth.another(2, |_| {}).await;
    let use_it = async |client: &Client, number: u32| {
        let request = client.request(Method::GET, "/verify").bearer_auth(&alice.access);
        let id = format!("device {number}");
        send(coming(request, HOME, FIREFOX).header("x-device-id", id)).await.must_be(200);
    };
    for number in 0..10 {
        use_it(&auth, number).await;
        use_it(&other, number).await;
    }
    let noted = ["authn_login_success", "session_device_changed"];
    assert_eq!(auth.audit_trail(alice.user_id).await, noted);

    auth.clock.advance(Duration::from_mins(59));
    let again = refresh(&auth, &alice.refresh, HOME, SAFARI).await.must_be(200);
    assert_eq!(auth.audit_trail(alice.user_id).await, noted);
    auth.clock.advance(Duration::from_mins(1));
    refresh(&auth, &again.text_at("/data/refresh/token"), HOME, SAFARI).await.must_be(200);
    assert_eq!(auth.audit_trail(alice.user_id).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_21_a_session_that_is_refused_to_many_is_news_once_an_hour() {
    let auth =
        service(|settings| settings.sessions.session_ip_validation = AddressGate::Exact).await;
    let alice = logged_in(&auth).await;
    for number in 0..10 {
        let ip = format!("198.51.100.{number}");
        assert_eq!(verify(&auth, &alice.access, &ip, FIREFOX).await, 401);
        refresh(&auth, &alice.refresh, &ip, FIREFOX).await.must_be(401);
    }
    let noted = ["authn_login_success", "authz_fail"];
    assert_eq!(auth.audit_trail(alice.user_id).await, noted);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_21_what_can_be_repeated_at_will_is_not_recorded_each_time() {
    let auth = Service::start().await;
    let (alice, second) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    let own = json!({ "refresh_token": second.refresh });
    let mismatch = json!({ "refresh_token": alice.refresh, "session_id": second.session });
    for _ in 0..5 {
        auth.post("/refresh", mismatch.clone()).await.must_be(400);
        auth.post_as(&alice.access, "/revoke-refresh-token", own.clone()).await.must_be(200);
        auth.delete_as(&alice.access, "/sessions").await.must_be(200);
    }
    assert_eq!(
        auth.audit_trail(alice.user_id).await,
        ["authn_login_success", "authn_login_success", "authz_fail", "authn_token_revoked"]
    );
}

const OKHTTP: &str = "okhttp/4.12.0";

async fn logged_in_with(auth: &Service, agent: &str) -> portcullis_tests::Login {
    auth.user("alice").await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    let request = auth.request(Method::POST, "/login-enhanced").json(&body);
    send(coming(request, HOME, agent)).await.must_be(200).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn f_27_no_unknown_client_stands_for_another() {
    let auth = service(|settings| settings.sessions.device_binding = DeviceGate::Enforce).await;
    let unknown = [OKHTTP, "python-httpx/0.27.0", "Dart/3.2 (dart:io)", "MyApp/1 (Android 13)", ""];
    for agent in unknown {
        let alice = logged_in_with(&auth, agent).await;
        for other in unknown {
            let status = verify(&auth, &alice.access, HOME, other).await;
            assert_eq!(status == 200, other == agent, "{agent:?} and {other:?}");
        }
    }
    let alice = logged_in_with(&auth, OKHTTP).await;
    assert_eq!(verify(&auth, &alice.access, HOME, "okhttp/5.0.0").await, 200, "an update");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_27_a_session_begun_before_is_known_by_its_earlier_fingerprint_and_its_user_agent() {
    let auth = service(|settings| settings.sessions.device_binding = DeviceGate::Enforce).await;
    let alice = logged_in_with(&auth, OKHTTP).await;
    let as_before = "update user_sessions set device_info = json_set(device_info, '$.fingerprint',
            sha2(concat('Unknown', char(0), 'Unknown', char(0), 'Unknown', char(0)), 256))
        where id = ?";
    sqlx::query(as_before).bind(&alice.session).execute(auth.db()).await.unwrap();

    assert_eq!(verify(&auth, &alice.access, HOME, "okhttp/5.0.0").await, 200);
    refresh(&auth, &alice.refresh, HOME, OKHTTP).await.must_be(200);
    for other in ["python-httpx/0.27.0", "", FIREFOX] {
        assert_eq!(verify(&auth, &alice.access, HOME, other).await, 401, "{other:?}");
    }
}
