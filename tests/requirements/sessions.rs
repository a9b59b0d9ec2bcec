//! What a session is: its names, its limits, and who sees it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use portcullis_tests::{Login, send, wait_until};
use reqwest::Method;
use serde_json::{Value, json};

use crate::site::{own, site};

#[tokio::test(flavor = "multi_thread")]
async fn c_10_r_03_ids_and_refresh_tokens_are_256_random_bits() {
    let site = site().await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..8 {
        let alice = site.logged_in("alice").await;
        let next = site.refresh(&alice.refresh).await.must_be(200).text_at("/data/refresh/token");
        // Before the last 256 bits of a refresh token stand its session's reference and a number.
        for (text, prefix, length) in [
            (&alice.session, "session_", 32),
            (&alice.refresh, "prt_", 16 + 4 + 32),
            (&next, "prt_", 16 + 4 + 32),
        ] {
            let body = text.strip_prefix(prefix).unwrap_or_else(|| panic!("{text}"));
            let body = URL_SAFE_NO_PAD.decode(body).unwrap();
            assert_eq!(body.len(), length, "{text}");
            assert!(seen.insert(body[length - 32..].to_owned()), "{text} came twice");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_02_a_login_makes_a_new_session_and_ends_the_one_it_came_with() {
    let site = site().await;
    let (old, bob) = (site.logged_in("alice").await, site.logged_in("bob").await);
    let body = site.person("alice").await.body();
    site.post_as(&bob.access, "/login-enhanced", body.clone()).await.must_be(200);
    let new: Login =
        site.post_as(&old.access, "/login-enhanced", body.clone()).await.must_be(200).into();
    assert_ne!(new.session, old.session);
    assert!(!site.is_good(&old.access).await && site.is_good(&new.access).await);
    site.refresh(&old.refresh).await.must_be(401);
    assert!(site.is_good(&bob.access).await, "somebody else's session is left alone");

    let cookie = format!("jwt={}", new.access);
    let request = site.request(Method::POST, "/login-enhanced").header("cookie", cookie);
    let newest: Login = send(request.json(&body)).await.must_be(200).into();
    assert!(!site.is_good(&new.access).await && site.is_good(&newest.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_04_a_session_id_that_a_client_invents_is_never_adopted() {
    let site = site().await;
    let mut body = site.person("alice").await.body();
    let invented = format!("session_{}", "A".repeat(43));
    body["session_id"] = json!(invented);
    body["session"] = json!({ "id": invented });
    let request = site.request(Method::POST, "/login-enhanced").header("x-session-id", &invented);
    let cookies = format!("jwt={invented}; __Host-device={invented}");
    let login: Login =
        send(request.header("cookie", cookies).json(&body)).await.must_be(200).into();
    assert_ne!(login.session, invented);
    let sessions = site.get_as(&login.access, "/sessions").await.must_be(200);
    assert!(!sessions.text.contains(&invented), "{}", sessions.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_10_a_user_sees_and_ends_their_own_sessions() {
    let site = site().await;
    let (here, there) = (site.logged_in("alice").await, site.logged_in("alice").await);
    site.logged_in("bob").await;
    let list = site.get_as(&here.access, "/sessions").await.must_be(200).json["data"].clone();
    assert_eq!(list["current_session"]["id"], here.session);
    let others: Vec<&Value> =
        list["other_sessions"].as_array().unwrap().iter().map(|other| &other["id"]).collect();
    assert_eq!(others, [&json!(there.session)]);
    site.delete_as(&here.access, &format!("/sessions/{}", there.session)).await.must_be(200);
    assert!(!site.is_good(&there.access).await && site.is_good(&here.access).await);
    site.delete_as(&here.access, &format!("/sessions/{}", there.session)).await.must_be(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_10_listing_and_ending_sessions_needs_no_recent_login() {
    let Some(auth) = own(|_| ()).await else { return };
    let (here, there) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    auth.clock.advance(Duration::from_hours(2));
    let late = auth.refresh(&here.refresh).await.must_be(200).text_at("/data/access/token");
    auth.get_as(&late, "/sessions").await.must_be(200);
    auth.delete_as(&late, &format!("/sessions/{}", there.session)).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_11_sensitive_changes_need_a_recent_login() {
    let Some(auth) = own(|_| ()).await else { return };
    let root = auth.admin("root").await;
    auth.clock.advance(Duration::from_secs(901));
    let stale = auth.refresh(&root.refresh).await.must_be(200).text_at("/data/access/token");
    let role = format!("/admin/users/{}/role", root.user_id);
    let words =
        json!({ "current_password": "x", "new_password": "seven new words for an old gate" });
    for (path, body) in [
        ("/change-password", words),
        (role.as_str(), json!({ "role": "admin" })),
        ("/admin/logout-everyone", json!({})),
    ] {
        let answer = auth.post_as(&stale, path, body).await.must_be(401);
        assert_eq!(answer.json["code"], "insufficient_user_authentication");
        assert_eq!(
            answer.header("www-authenticate"),
            r#"Bearer realm="portcullis", error="insufficient_user_authentication", max_age=900"#
        );
    }
    assert!(auth.is_good(&stale).await, "the session itself goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn c_23_bug_14_the_session_is_the_tokens_own_whatever_a_header_says() {
    let site = site().await;
    let (here, there) = (site.logged_in("alice").await, site.logged_in("alice").await);
    let ask = async |method: Method, named: &str| {
        let request = site.request(method, "/sessions").bearer_auth(&here.access);
        send(request.header("x-session-id", named)).await
    };
    let list = ask(Method::GET, &here.session).await.must_be(200);
    assert_eq!(list.json["data"]["current_session"]["id"], here.session);
    for wrong in [there.session.as_str(), "session_abc123"] {
        for method in [Method::GET, Method::DELETE] {
            let answer = ask(method, wrong).await.must_be(400);
            assert_eq!(answer.json["code"], "session_mismatch");
        }
    }
    assert!(site.is_good(&here.access).await && site.is_good(&there.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_14_bug_10_of_parallel_logins_as_many_live_as_the_cap_allows() {
    let site = site().await;
    let first = site.logged_in("alice").await;
    site.a_moment_passes();
    let answers = join_all((0..20).map(|_| site.log_in("alice"))).await;
    let logins: Vec<Login> = answers.into_iter().map(|answer| answer.must_be(200).into()).collect();
    let mut live = 0;
    for login in &logins {
        let asked = site.get_as(&login.access, "/verify").await.status.as_u16();
        let renewed = site.refresh(&login.refresh).await.status.as_u16();
        assert!([(200, 200), (401, 401)].contains(&(asked, renewed)), "{asked} and {renewed}");
        live += usize::from(asked == 200);
    }
    assert_eq!(live, 5);
    assert!(!site.is_good(&first.access).await, "the least recently used go first");
}

#[tokio::test(flavor = "multi_thread")]
async fn r_05_c_18_bug_26_an_idle_session_ends_on_the_server() {
    let Some(auth) = own(|settings| {
        settings.sessions.session_idle_timeout = Duration::from_secs(2);
        settings.sessions.session_touch_interval = Duration::from_secs(1);
    })
    .await
    else {
        return;
    };
    let alice = auth.logged_in("alice").await;
    assert!(auth.is_good(&alice.access).await);
    // Redis goes by its own clock, and asking it is no use of the session.
    wait_until("Redis calls the session idle", || auth.verdict(&alice) == "IDLE");
    auth.clock.advance(Duration::from_secs(2));
    auth.get_as(&alice.access, "/me").await.must_be(401);
    let refused = auth.refresh(&alice.refresh).await.must_be(401);
    assert_eq!(refused.json["code"], "invalid_grant");
}

#[tokio::test(flavor = "multi_thread")]
async fn r_05_c_18_use_keeps_a_session_alive_beyond_its_idle_limit() {
    let Some(auth) =
        own(|settings| settings.sessions.session_idle_timeout = Duration::from_mins(10)).await
    else {
        return;
    };
    let mut token = auth.logged_in("alice").await.refresh;
    for _ in 0..6 {
        auth.clock.advance(Duration::from_mins(9));
        token = auth.refresh(&token).await.must_be(200).text_at("/data/refresh/token");
    }
    auth.clock.advance(Duration::from_mins(10));
    auth.refresh(&token).await.must_be(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_06_r_18_bug_11_nothing_outlives_the_absolute_end_of_a_session() {
    let Some(auth) =
        own(|settings| settings.sessions.session_expires_in = Duration::from_mins(5)).await
    else {
        return;
    };
    let alice = auth.logged_in("alice").await;
    let (mut access, mut refresh) = (alice.access, alice.refresh);
    for minute in 1..=4 {
        auth.clock.advance(Duration::from_mins(1));
        assert!(auth.is_good(&access).await);
        let next = auth.refresh(&refresh).await.must_be(200);
        let left = 300 - 60 * minute;
        for kind in ["access", "refresh"] {
            assert_eq!(next.json["data"][kind]["expires_in"], left, "{kind}");
        }
        (access, refresh) =
            (next.text_at("/data/access/token"), next.text_at("/data/refresh/token"));
    }
    // The forgiven difference between clocks included.
    auth.clock.advance(Duration::from_secs(66));
    assert!(!auth.is_good(&access).await);
    auth.refresh(&refresh).await.must_be(401);
}
