//! The documented flows, field by field: what old and new clients read out of the answers.

use std::time::Duration;

use portcullis_tests::{Login, send};
use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::forged::{decoded, parts};
use crate::site::{own, site, without_propagation};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0";

#[track_caller]
fn fields(value: &Value) -> Vec<&str> {
    let fields = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
    let mut names: Vec<&str> = fields.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// As browsers' `toISOString` writes it: UTC with milliseconds.
#[track_caller]
fn is_an_instant(value: &Value) {
    let text = value.as_str().unwrap_or_else(|| panic!("no text: {value}"));
    OffsetDateTime::parse(text, &Rfc3339).unwrap();
    assert!(text.len() == 24 && text.ends_with('Z'), "{text}");
}

#[track_caller]
fn is_a_pair(pair: &Value, refresh_lasts: impl Fn(u64) -> bool) {
    assert_eq!(fields(pair), ["access", "refresh"]);
    assert_eq!(fields(&pair["access"]), ["expires_in", "token", "type"]);
    assert_eq!(fields(&pair["refresh"]), ["expires_in", "token"]);
    assert_eq!(
        (&pair["access"]["expires_in"], &pair["access"]["type"]),
        (&json!(900), &json!("Bearer"))
    );
    assert!(refresh_lasts(pair["refresh"]["expires_in"].as_u64().unwrap()), "{pair}");
}

#[track_caller]
fn is_a_device(device: &Value, fingerprint: bool) {
    let all = ["browser", "device", "fingerprint", "ip", "os"];
    let shown: Vec<&str> =
        all.into_iter().filter(|it| fingerprint || *it != "fingerprint").collect();
    assert_eq!(fields(device), shown);
    assert_eq!(
        (&device["browser"], &device["os"], &device["device"]),
        (&json!("Firefox"), &json!("Linux"), &json!("Desktop"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn c_02_both_logins_answer_as_documented_field_by_field() {
    let site = site().await;
    let account = site.person("alice").await;
    for path in ["/login-enhanced", "/login"] {
        let request = site.request(Method::POST, path).header("user-agent", FIREFOX);
        let answer = send(request.json(&account.body())).await.must_be(200);
        let body = &without_propagation(&answer);
        let data = &body["data"];
        assert_eq!(body["status"], "success");
        assert_eq!(fields(data), ["session", "tokens", "user"]);
        assert_eq!(fields(&data["user"]), ["email", "first_name", "id", "is_active", "last_name"]);
        assert_eq!(data["user"]["email"], account.email);
        assert_eq!(data["user"]["is_active"], true);
        is_a_pair(&data["tokens"], |lasts| lasts == 2_592_000);
        let session = &data["session"];
        assert_eq!(fields(session), ["device_info", "id", "ip_address", "last_activity"]);
        is_a_device(&session["device_info"], true);
        assert_eq!(session["device_info"]["fingerprint"].as_str().unwrap().len(), 64);
        assert_eq!(session["device_info"]["ip"], session["ip_address"]);
        is_an_instant(&session["last_activity"]);
        let token = answer.text_at("/data/tokens/access/token");
        if path == "/login" {
            assert_eq!(fields(body), ["data", "status", "token"]);
            assert_eq!(body["token"], token);
            let cookie =
                format!("jwt={token}; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax");
            assert_eq!(answer.header("set-cookie"), cookie);
        } else {
            assert_eq!(fields(body), ["data", "status"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c_02_c_20_the_old_cookie_opens_what_only_looks_and_nothing_that_changes() {
    let site = site().await;
    let account = site.person("alice").await;
    let token = site.post("/login", account.body()).await.must_be(200).text_at("/token");
    let with_cookie = async |method: Method, path: &str| {
        let request = site.request(method, path).header("cookie", format!("a=b; jwt={token}"));
        send(request).await.status.as_u16()
    };
    assert_eq!(with_cookie(Method::GET, "/me").await, 200);
    assert_eq!(with_cookie(Method::POST, "/logout").await, 401);
    assert_eq!(with_cookie(Method::DELETE, "/sessions").await, 401);
    assert!(site.is_good(&token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn c_21_a_refresh_answers_as_documented_field_by_field() {
    let site = site().await;
    let alice = site.logged_in("alice").await;
    let body = json!({ "refresh_token": alice.refresh, "session_id": alice.session });
    let answer = site.post("/refresh", body).await.must_be(200);
    assert_eq!(fields(&answer.json), ["data", "status"]);
    assert_eq!(answer.json["status"], "success");
    is_a_pair(&answer.json["data"], |lasts| (2_591_000..=2_592_000).contains(&lasts));
    assert_ne!(answer.text_at("/data/refresh/token"), alice.refresh);
    assert!(site.is_good(&answer.text_at("/data/access/token")).await);
    assert!(site.is_good(&alice.access).await, "the older access token lives out its time");
}

#[tokio::test(flavor = "multi_thread")]
async fn c_23_sessions_are_listed_as_documented_field_by_field() {
    let site = site().await;
    let account = site.person("alice").await;
    let log_in = async || {
        let request = site.request(Method::POST, "/login-enhanced").header("user-agent", FIREFOX);
        Login::from(send(request.json(&account.body())).await.must_be(200))
    };
    let (here, there) = (log_in().await, log_in().await);
    let request = site.request(Method::GET, "/sessions").bearer_auth(&here.access);
    let answer = send(request.header("x-session-id", &here.session)).await.must_be(200);
    assert_eq!(fields(&answer.json), ["data", "status"]);
    let data = &answer.json["data"];
    assert_eq!(fields(data), ["current_session", "other_sessions"]);
    let others = data["other_sessions"].as_array().unwrap();
    assert_eq!(others.len(), 1);
    for (session, login, is_current) in
        [(&data["current_session"], &here, true), (&others[0], &there, false)]
    {
        let known = "created_at device_info expires_at id idle_expires_at ip_address is_current \
                     last_activity last_ip_address";
        assert_eq!(fields(session), known.split_whitespace().collect::<Vec<_>>());
        assert_eq!(
            (&session["id"], &session["is_current"]),
            (&json!(login.session), &json!(is_current))
        );
        is_a_device(&session["device_info"], false);
        for instant in ["created_at", "expires_at", "idle_expires_at", "last_activity"] {
            is_an_instant(&session[instant]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c_11_a_logout_answers_as_documented_field_by_field() {
    let site = site().await;
    let alice = site.logged_in("alice").await;
    let body = json!({ "session_id": alice.session, "logout_all": false });
    let answer = site.post_as(&alice.access, "/logout", body).await.must_be(200);
    assert_eq!(
        without_propagation(&answer),
        json!({ "status": "success", "message": "Successfully logged out" })
    );
    let (here, there) = (site.logged_in("alice").await, site.logged_in("alice").await);
    let path = format!("/sessions/{}", there.session);
    let ended = site.delete_as(&here.access, &path).await.must_be(200);
    assert_eq!(
        without_propagation(&ended),
        json!({ "status": "success", "message": "Session revoked successfully" })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_41_the_endpoints_that_were_never_described_answer_for_their_owner_only() {
    let site = site().await;
    let (alice, bob) = (site.logged_in("alice").await, site.logged_in("bob").await);
    site.refresh(&alice.refresh).await.must_be(200);
    let stats = site.get_as(&alice.access, "/token-stats").await.must_be(200).json;
    assert_eq!(
        fields(&stats["data"]),
        [
            "blacklisted",
            "refresh_tokens_active",
            "refresh_tokens_issued",
            "refresh_tokens_spent",
            "sessions_active",
        ]
    );
    assert_eq!(stats["data"]["sessions_active"], 1);
    let list = site.get_as(&bob.access, "/blacklist").await.must_be(200).json;
    assert_eq!(fields(&list["data"]), ["entries", "next"]);
    let foreign = json!({ "refresh_token": bob.refresh });
    site.post_as(&alice.access, "/revoke-refresh-token", foreign).await.must_be(404);
    let own = json!({ "refresh_token": bob.refresh });
    site.post_as(&bob.access, "/revoke-refresh-token", own).await.must_be(200);
    assert!(!site.is_good(&bob.access).await, "its whole family ends");
    assert!(site.is_good(&alice.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_12_what_answers_say_of_lifetimes_is_what_is_set() {
    let Some(auth) = own(|settings| {
        settings.tokens.jwt_expires_in = Duration::from_mins(7);
        settings.sessions.session_expires_in = Duration::from_hours(50);
        settings.tokens.refresh_token_expires_in = Duration::from_hours(60);
    })
    .await
    else {
        return;
    };
    auth.user("alice").await;
    let tokens = auth.log_in("alice").await.must_be(200).json["data"]["tokens"].clone();
    assert_eq!(tokens["access"]["expires_in"], 7 * 60);
    assert_eq!(tokens["refresh"]["expires_in"], 50 * 3_600);
    let token = tokens["access"]["token"].as_str().unwrap();
    let claims = decoded(parts(token)[1]);
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 7 * 60);
}
