//! Cookies of several sessions in one browser: none outlives its cookies.

use portcullis_tests::{Login, send};
use reqwest::Method;
use serde_json::json;

use crate::browser::{Browser, NAMES};
use crate::leaving::{LOGOUTS, clears};
use crate::site::{Site, site};

/// A browser with the access cookie of one session, the refresh cookie of another and the older login's
/// cookie of somebody else's; what it kept of each, to see which are alive.
async fn mixed(auth: &Site) -> (Browser, [Login; 3]) {
    let alice = auth.person("alice").await;
    let (mut browser, _) = Browser::log_in_as(auth, &alice).await;
    let (other, _) = Browser::log_in_as(auth, &alice).await;
    let bob = auth.logged_in("bob").await;
    let login = |browser: &Browser| Login {
        access: browser.cookies[NAMES[0]].clone(),
        refresh: browser.cookies[NAMES[1]].clone(),
        session: browser.session.clone(),
        user_id: 0,
    };
    let held = [login(&browser), login(&other), bob];
    browser.cookies.insert(NAMES[1].into(), held[1].refresh.clone());
    browser.cookies.insert("jwt".into(), held[2].access.clone());
    (browser, held)
}

async fn alive(auth: &Site, held: &[Login; 3]) -> [bool; 3] {
    let mut alive = [false; 3];
    for (alive, login) in alive.iter_mut().zip(held) {
        *alive = auth.is_good(&login.access).await;
    }
    alive
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_ends_every_session_whose_cookies_it_clears() {
    let auth = site().await;
    for path in LOGOUTS {
        let (browser, held) = mixed(&auth).await;
        assert_eq!(alive(&auth, &held).await, [true; 3]);
        let refused = browser.call(&auth, Method::POST, path, &[]).await.must_be(403);
        assert!(!clears(&refused) && alive(&auth, &held).await == [true; 3], "{path}");
        assert!(clears(&browser.post(&auth, path).await.must_be(200)), "{path}");
        assert_eq!(alive(&auth, &held).await, [false; 3], "{path}");
        auth.refresh(&held[1].refresh).await.must_be(401);
    }
    // Whoever ends another session from a list stays logged in, with all that is in the browser.
    let (browser, held) = mixed(&auth).await;
    let there = auth.logged_in("alice").await;
    let pairs = browser.cookies.iter().map(|(name, value)| format!("{name}={value}"));
    let request = auth
        .request(Method::POST, "/logout")
        .header("cookie", pairs.collect::<Vec<_>>().join("; "))
        .header("x-csrf-token", &browser.csrf)
        .header("sec-fetch-site", "same-origin");
    let answer = send(request.json(&json!({ "session_id": there.session }))).await.must_be(200);
    assert!(!clears(&answer) && !auth.is_good(&there.access).await);
    assert_eq!(alive(&auth, &held).await, [true; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_ends_every_session_of_its_user_whose_cookies_it_replaces() {
    let auth = site().await;
    let (browser, held) = mixed(&auth).await;
    let pairs = browser.cookies.iter().map(|(name, value)| format!("{name}={value}"));
    let mut body = auth.person("alice").await.body();
    body["mode"] = json!("cookie");
    let request = auth
        .request(Method::POST, "/login-enhanced")
        .header("cookie", pairs.collect::<Vec<_>>().join("; "));
    send(request.json(&body)).await.must_be(200);
    assert_eq!(alive(&auth, &held).await, [false, false, true], "nobody else is logged out");
}
