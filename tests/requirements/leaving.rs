//! Whoever wants to leave may, and whoever had to is told why.

use std::time::Duration;

use portcullis_tests::{Answer, Client, Login, PASSWORD, Service, send};
use reqwest::Method;
use serde_json::{Value, json};

use crate::browser::{Browser, NAMES};
use crate::site::{Account, own, site};

pub(crate) const LOGOUTS: [&str; 2] = ["/logout", "/logout-all-devices"];

/// What the browser is told to do with the cookies of a session.
pub(crate) fn clears(answer: &Answer) -> bool {
    let lines = answer.headers.get_all("set-cookie").iter();
    let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap()).collect();
    let cleared = |name: &&str| {
        let start = format!("{name}=;");
        lines.iter().any(|line| line.starts_with(&start) && line.contains("Max-Age=0"))
    };
    assert!(!lines.iter().any(|line| line.starts_with("__Host-device=;")), "{lines:?}");
    let count = NAMES.iter().filter(|name| cleared(name)).count();
    assert!([0, NAMES.len()].contains(&count), "{lines:?}");
    count > 0
}

/// A browser whose access cookie has died, as it does after 15 minutes.
async fn idle_browser(auth: &Client, account: &Account) -> Browser {
    let (mut browser, _) = Browser::log_in_as(auth, account).await;
    browser.cookies.remove(NAMES[0]);
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn f_22_the_refresh_cookie_is_enough_to_leave() {
    let auth = site().await;
    let alice = auth.person("alice").await;
    for path in LOGOUTS {
        let (mut browser, there) =
            (idle_browser(&auth, &alice).await, auth.logged_in("alice").await);
        let refused = browser.call(&auth, Method::POST, path, &[]).await.must_be(403);
        assert!(!clears(&refused), "{path}");
        let kept = browser.clone();
        let answer = browser.post(&auth, path).await.must_be(200);
        assert!(clears(&answer), "{path}");
        browser.keep(&answer);
        let gone = kept.post(&auth, "/refresh").await.must_be(401);
        assert!(clears(&gone), "{path}");
        assert_eq!(auth.is_good(&there.access).await, path == "/logout");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_22_a_dead_access_token_does_not_keep_its_holder_in() {
    let Some(auth) = own(|_| ()).await else { return };
    auth.user("alice").await;
    let account = Account { email: "alice@example.com".into(), password: PASSWORD.into() };
    let (browser, _) = Browser::log_in_as(&auth, &account).await;
    let alice = auth.logged_in("alice").await;
    // Access tokens have died, and both sessions are idle.
    auth.clock.advance(Duration::from_hours(8 * 24));
    assert!(clears(&browser.post(&auth, "/logout").await.must_be(200)));
    let body = json!({ "refresh_token": alice.refresh });
    auth.post_as(&alice.access, "/logout", body).await.must_be(200);
    assert_eq!(auth.live_sessions(alice.user_id).await, 0);
    assert_eq!(auth.audit_trail(alice.user_id).await.last().unwrap(), "session_ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_22_a_refresh_token_in_the_body_is_enough_spent_or_not() {
    let auth = site().await;
    let (here, there) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    auth.refresh(&here.refresh).await.must_be(200);
    let body = json!({ "refresh_token": here.refresh });
    auth.post("/logout", body.clone()).await.must_be(200);
    assert!(!auth.is_good(&here.access).await && auth.is_good(&there.access).await);
    let again = auth.post("/logout", body).await.must_be(401);
    assert_eq!(again.json["code"], "invalid_grant");
    assert!(!clears(&again), "no cookie was sent");
    for body in [
        json!({ "refresh_token": here.refresh, "logout_all": true }),
        json!({ "refresh_token": here.refresh, "session_id": there.session }),
    ] {
        auth.post("/logout", body).await.must_be(401);
    }
    assert!(auth.is_good(&there.access).await, "who has left ends nothing else");
    let all = json!({ "refresh_token": there.refresh, "logout_all": true });
    let third = auth.logged_in("alice").await;
    let ended = auth.post("/logout", all).await.must_be(200);
    assert_eq!(ended.json["data"]["sessions_revoked"], 2);
    assert!(!auth.is_good(&third.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_22_a_refresh_token_is_no_second_access_token() {
    let auth = site().await;
    let (here, there) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    let bob = auth.logged_in("bob").await;
    for other in [&there.refresh, &bob.refresh, "prt_x"] {
        for logout_all in [false, true] {
            let body = json!({ "refresh_token": other, "logout_all": logout_all });
            let answer = auth.post_as(&here.access, "/logout", body).await.must_be(400);
            assert_eq!(answer.json["code"], "session_mismatch");
        }
    }
    for login in [&here, &there, &bob] {
        assert!(auth.is_good(&login.access).await);
    }
    let named = auth.request(Method::POST, "/logout").header("x-session-id", &there.session);
    send(named.json(&json!({ "refresh_token": here.refresh }))).await.must_be(400);
    let own = json!({ "refresh_token": here.refresh, "logout_all": true });
    auth.post_as(&here.access, "/logout", own).await.must_be(200);
    assert!(!auth.is_good(&there.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_22_a_refusal_of_a_dead_refresh_cookie_clears_it_and_no_other_does() {
    let auth = site().await;
    let alice = auth.person("alice").await;
    for path in ["/refresh", "/logout", "/logout-all-devices"] {
        let mut browser = idle_browser(&auth, &alice).await;
        let elsewhere = json!({ "refresh_token": browser.cookies[NAMES[1]] });
        auth.post("/logout", elsewhere).await.must_be(200);
        // Whether or not the page knows the CSRF token of what is over.
        assert!(clears(&browser.post(&auth, path).await.must_be(401)), "{path}");
        assert!(clears(&browser.call(&auth, Method::POST, path, &[]).await.must_be(401)), "{path}");
        browser.cookies.insert(NAMES[1].to_owned(), "prt_garbage".to_owned());
        assert!(clears(&browser.post(&auth, path).await.must_be(401)), "{path}");
    }
    let (browser, _) = Browser::log_in_as(&auth, &alice).await;
    let bearerless = Browser { cookies: [(NAMES[0].to_owned(), "x".to_owned())].into(), ..browser };
    assert!(!clears(&bearerless.call(&auth, Method::GET, "/me", &[]).await.must_be(401)));
    assert!(!clears(&auth.post("/logout", json!({})).await.must_be(401)));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_22_whatever_ends_the_callers_own_session_clears_its_cookies() {
    let auth = site().await;
    let alice = auth.logged_in("alice").await;
    let path = format!("/sessions/{}", alice.session);
    assert!(clears(&auth.delete_as(&alice.access, &path).await.must_be(200)));
    let (here, there) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    let revoke = async |by: &Login, of: &Login| {
        let body = json!({ "refresh_token": of.refresh });
        auth.post_as(&by.access, "/revoke-refresh-token", body).await.must_be(200)
    };
    assert!(!clears(&revoke(&here, &there).await));
    assert!(clears(&revoke(&here, &here).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_23_a_logout_expires_our_own_cookies_and_clears_only_what_the_operator_wants() {
    for (wanted, header) in
        [("", ""), ("cookies, storage", r#""cookies", "storage""#), ("*", r#""*""#)]
    {
        let adjusted =
            own(|settings| settings.server.clear_site_data = wanted.parse().unwrap()).await;
        let Some(auth) = adjusted else { return };
        for path in LOGOUTS {
            let alice = auth.logged_in("alice").await;
            let answer = auth.post_as(&alice.access, path, json!({})).await.must_be(200);
            assert!(clears(&answer));
            assert_eq!(answer.header("clear-site-data"), header, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_23_without_the_older_login_the_cookie_jwt_is_somebody_elses() {
    let Some(auth) = own(|settings| settings.server.legacy_login = false).await else { return };
    auth.user("alice").await;
    let account = Account { email: "alice@example.com".into(), password: PASSWORD.into() };
    let (browser, login) = Browser::log_in_as(&auth, &account).await;
    let refreshed = browser.post(&auth, "/refresh").await.must_be(200);
    let left = browser.post(&auth, "/logout").await.must_be(200);
    for answer in [login, refreshed, left] {
        let mut lines = answer.headers.get_all("set-cookie").iter();
        assert!(!lines.any(|line| line.as_bytes().starts_with(b"jwt=")), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_23_the_operator_says_for_how_long_only_tls_will_do() {
    for (hsts, header) in [
        ("off", ""),
        ("max-age=0", "max-age=0"),
        ("max-age=31536000; preload", "max-age=31536000; preload"),
    ] {
        let adjusted = own(|settings| settings.server.hsts = hsts.parse().unwrap()).await;
        let Some(auth) = adjusted else { return };
        for path in ["/livez", "/nothing", "/api/v1/auth/me"] {
            let answer = send(auth.raw(Method::GET, path)).await;
            assert_eq!(answer.header("strict-transport-security"), header, "{path}");
        }
    }
}

/// Why and when a refresh hears that its session ended.
async fn told(auth: &Service, token: &str) -> (Value, Value) {
    let mut answer = auth.refresh(token).await.must_be(401);
    assert_eq!(answer.json["code"], "invalid_grant");
    (answer.json["ended_reason"].take(), answer.json["ended_at"].take())
}

#[tokio::test(flavor = "multi_thread")]
async fn f_41_a_refused_refresh_says_why_and_when_its_session_ended() {
    let Some(auth) = own(|settings| settings.sessions.max_sessions_per_user = 3).await else {
        return;
    };
    let root = auth.admin("root").await;
    for reason in
        ["logout", "logout_all", "revoked", "evicted", "password_change", "disabled", "token_reuse"]
    {
        let name = reason.replace('_', "-");
        let ended = auth.logged_in(&name).await;
        auth.clock.advance(Duration::from_secs(1));
        let other = auth.logged_in(&name).await;
        let new =
            json!({ "current_password": PASSWORD, "new_password": "seven new words for a gate" });
        match reason {
            "logout" => auth.post_as(&ended.access, "/logout", json!({})).await,
            "logout_all" => auth.post_as(&other.access, "/logout-all-devices", json!({})).await,
            "revoked" => auth.delete_as(&other.access, "/sessions").await,
            "evicted" => {
                auth.log_in(&name).await.must_be(200);
                auth.log_in(&name).await
            }
            "password_change" => auth.post_as(&other.access, "/change-password", new).await,
            "disabled" => {
                let path = format!("/admin/users/{}/disable", ended.user_id);
                auth.post_as(&root.access, &path, json!({})).await
            }
            _ => {
                auth.refresh(&ended.refresh).await.must_be(200);
                let next = auth.refresh(&ended.refresh).await.must_be(200);
                auth.refresh(&next.text_at("/data/refresh/token")).await
            }
        }
        .must_be(200);
        let then = json!(auth.clock.now());
        assert_eq!(told(&auth, &ended.refresh).await, (json!(reason), then.clone()), "{reason}");
        auth.clock.advance(Duration::from_secs(1));
        assert_eq!(told(&auth, &ended.refresh).await, (json!(reason), then), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_41_a_session_that_lapsed_says_so_too() {
    let Some(auth) = own(|_| ()).await else { return };
    let (idle, old) = (auth.logged_in("alice").await, auth.logged_in("bob").await);
    let begun = auth.clock.now();
    auth.clock.advance(Duration::from_hours(10 * 24));
    let since = json!(begun.plus(Duration::from_hours(7 * 24)));
    assert_eq!(told(&auth, &idle.refresh).await, (json!("idle"), since));
    auth.clock.advance(Duration::from_hours(21 * 24));
    let since = json!(begun.plus(Duration::from_hours(30 * 24)));
    assert_eq!(told(&auth, &old.refresh).await, (json!("expired"), since));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_41_nobody_but_the_holder_is_told() {
    let Some(auth) = own(|_| ()).await else { return };
    let alice = auth.logged_in("alice").await;
    auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
    let unknown = format!("prt_{}", "A".repeat(43));
    for token in ["garbage", &unknown, &alice.access] {
        assert_eq!(told(&auth, token).await, (Value::Null, Value::Null));
    }
    let named = json!({ "refresh_token": unknown, "session_id": alice.session });
    let answer = auth.post("/refresh", named).await.must_be(401);
    assert_eq!(answer.json.get("ended_reason"), None);
    let access = auth.get_as(&alice.access, "/me").await.must_be(401);
    assert_eq!(access.json.get("ended_reason"), None);
    assert_eq!(told(&auth, &alice.refresh).await.0, json!("logout"));
}
