//! `/sessions`.

use std::time::Duration;

use portcullis_api::base::clock::Timestamp;
use portcullis_tests::{Service, send};
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_as_documented_field_by_field() {
    let auth = Service::start().await;
    let here = auth.logged_in("alice").await;
    let then = auth.clock.now();
    auth.clock.advance(Duration::from_millis(5));
    let there = auth.logged_in("alice").await;
    auth.logged_in("bob").await;

    let answer = auth.get_as(&here.access, "/sessions").await.must_be(200);

    let data = &answer.json["data"];
    let device = |session: &serde_json::Value| session["device_info"].clone();
    let settings = &auth.app.settings;
    let session = |id: &str, began: Timestamp, seen: Timestamp, is_current, device| {
        json!({
            "id": id, "device_info": device, "ip_address": "127.0.0.1",
            "last_ip_address": "127.0.0.1", "created_at": began.rfc3339(),
            "last_activity": seen.rfc3339(),
            "expires_at": began.plus(settings.session_lifetime()).rfc3339(),
            "idle_expires_at": seen.plus(settings.sessions.session_idle_timeout).rfc3339(),
            "is_current": is_current,
        })
    };
    // The request itself is the latest use of the session that asks.
    let now = auth.clock.now();
    assert!(now > then);
    let current = session(&here.session, then, now, true, device(&data["current_session"]));
    let other = session(&there.session, now, now, false, device(&data["other_sessions"][0]));
    assert_eq!(
        answer.json,
        json!({
            "status": "success",
            "data": { "current_session": current, "other_sessions": [other] },
        })
    );
    let mut fields: Vec<&str> = data["current_session"]["device_info"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    fields.sort_unstable();
    assert_eq!(fields, ["browser", "device", "ip", "os"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_the_others_spares_the_callers_own() {
    let auth = Service::start().await;
    let here = auth.logged_in("alice").await;
    let there = auth.logged_in("alice").await;
    let bob = auth.logged_in("bob").await;

    let answer = auth.delete_as(&here.access, "/sessions").await.must_be(200);

    assert_eq!(answer.json["data"], json!({ "sessions_revoked": 1, "tokens_revoked": 1 }));
    assert_eq!(answer.json["message"], "Revoked 1 sessions successfully");
    assert!(auth.is_good(&here.access).await && auth.is_good(&bob.access).await);
    assert!(!auth.is_good(&there.access).await);
    auth.refresh(&here.refresh).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_current_session_is_included_only_when_asked_for() {
    let auth = Service::start().await;
    let here = auth.logged_in("alice").await;
    auth.logged_in("alice").await;
    auth.delete_as(&here.access, "/sessions?include_current=maybe").await.must_be(400);

    let answer = auth.delete_as(&here.access, "/sessions?include_current=true").await.must_be(200);

    assert_eq!(answer.json["data"]["sessions_revoked"], 2);
    assert!(!auth.is_good(&here.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_session_is_not_listed() {
    let auth = Service::start().await;
    auth.logged_in("alice").await;
    auth.clock.advance(Duration::from_hours(24 * 7));
    let here = auth.logged_in("alice").await;
    let answer = auth.get_as(&here.access, "/sessions").await.must_be(200);
    assert_eq!(answer.json["data"]["other_sessions"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_that_was_used_last_is_listed_first() {
    let auth = Service::start().await;
    let here = auth.logged_in("alice").await;
    let (older, younger) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    for last in [&older, &younger, &older] {
        auth.clock.advance(Duration::from_mins(2));
        assert!(auth.is_good(&last.access).await);
        let list = auth.get_as(&here.access, "/sessions").await.must_be(200);
        assert_eq!(list.json["data"]["other_sessions"][0]["id"], last.session);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_46_a_session_says_when_it_began_when_it_ends_and_from_where_it_was_last_used() {
    let auth = Service::with(|settings| {
        settings.server.trusted_proxies = "127.0.0.1".parse().unwrap();
        settings.sessions.session_idle_timeout = Duration::from_hours(1);
    })
    .await;
    let began = auth.clock.now();
    let alice = auth.logged_in("alice").await;
    let ask = async |ip: &str, path: &str| {
        let request = auth.request(Method::GET, path).bearer_auth(&alice.access);
        send(request.header("x-forwarded-for", ip)).await.must_be(200)
    };
    auth.clock.advance(Duration::from_mins(5));
    let used = auth.clock.now();
    ask("203.0.113.7", "/verify").await;
    ask("203.0.113.8", "/verify").await;

    let root = auth.admin("root").await;
    let seen_by_admins = format!("/admin/users/{}/sessions", alice.user_id);
    let seen_by_admins = auth.get_as(&root.access, &seen_by_admins).await.must_be(200);
    assert_eq!(seen_by_admins.text_at("/data/sessions/0/last_ip_address"), "203.0.113.8");

    let seen = ask("2001:db8::1", "/sessions").await;
    let here = |name: &str| seen.text_at(&format!("/data/current_session/{name}"));
    assert_eq!(here("ip_address"), "127.0.0.1");
    assert_eq!(here("last_ip_address"), "2001:db8::1", "of this very request");
    assert_eq!(here("created_at"), began.rfc3339());
    assert_eq!(here("last_activity"), used.rfc3339());
    assert_eq!(here("idle_expires_at"), used.plus(Duration::from_hours(1)).rfc3339());
    let lifetime = auth.app.settings.session_lifetime();
    assert_eq!(here("expires_at"), began.plus(lifetime).rfc3339());

    auth.settle().await;
    let written = "select count(*) from user_sessions
                    where user_id = ? and last_ip_address = '2001:db8::1'";
    assert_eq!(auth.count(written, alice.user_id).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_46_a_refresh_says_from_where_and_a_session_without_a_limit_has_no_idle_end() {
    let auth = Service::with(|settings| {
        settings.server.trusted_proxies = "127.0.0.1".parse().unwrap();
        settings.sessions.session_idle_timeout = Duration::ZERO;
    })
    .await;
    let (alice, other) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    let body = json!({ "refresh_token": alice.refresh });
    let request = auth.request(Method::POST, "/refresh").json(&body);
    send(request.header("x-forwarded-for", "203.0.113.7")).await.must_be(200);

    let seen = auth.get_as(&other.access, "/sessions").await.must_be(200);
    assert_eq!(seen.text_at("/data/other_sessions/0/last_ip_address"), "203.0.113.7");
    assert!(seen.json["data"]["other_sessions"][0]["idle_expires_at"].is_null(), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_46_refresh_tokens_say_when_they_were_last_used_and_changed() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let issued = auth.clock.now();
    auth.clock.advance(Duration::from_mins(5));
    let second = auth.refresh(&alice.refresh).await.must_be(200);
    let exchanged = auth.clock.now();
    auth.clock.advance(Duration::from_mins(5));
    auth.post_as(&second.text_at("/data/access/token"), "/logout", json!({})).await.must_be(200);
    let ended = auth.clock.now();
    let rows: Vec<(Timestamp, Option<Timestamp>, Timestamp)> = sqlx::query_as(
        "select created_at, last_used_at, updated_at from refresh_tokens where user_id = ?",
    )
    .bind(alice.user_id)
    .fetch_all(auth.db())
    .await
    .unwrap();
    assert_eq!(rows, [(issued, Some(exchanged), ended)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_46_me_says_how_and_when_one_logged_in_and_until_when_that_is_good() {
    let auth = Service::start().await;
    let began = auth.clock.now();
    let alice = auth.logged_in("alice").await;
    auth.clock.advance(Duration::from_mins(5));
    let second = auth.refresh(&alice.refresh).await.must_be(200);
    let refreshed = auth.clock.now();
    let me = auth.get_as(&second.text_at("/data/access/token"), "/me").await.must_be(200).json;
    assert_eq!(me["data"]["amr"], json!(["pwd"]));
    assert_eq!(me["data"]["auth_time"], began.seconds());
    let lifetime = auth.app.settings.tokens.jwt_expires_in;
    let expires_at = Timestamp::from_seconds(refreshed.seconds()).plus(lifetime);
    assert_eq!(me["data"]["expires_at"], expires_at.rfc3339());
}
