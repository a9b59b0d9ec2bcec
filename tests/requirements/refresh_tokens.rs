//! Refresh tokens: each is good once, and what comes back ends its family.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use portcullis_tests::Answer;
use serde_json::json;

use crate::site::{own, site};

fn successor(answer: &Answer) -> String {
    answer.text_at("/data/refresh/token")
}

#[tokio::test(flavor = "multi_thread")]
async fn r_15_r_16_bug_01_a_spent_token_that_comes_back_ends_its_family() {
    let site = site().await;
    let (alice, other) = (site.logged_in("alice").await, site.logged_in("alice").await);
    let second = site.refresh(&alice.refresh).await.must_be(200);
    assert_ne!(successor(&second), alice.refresh);
    let third = site.refresh(&successor(&second)).await.must_be(200);
    let newest = third.text_at("/data/access/token");
    assert!(site.is_good(&newest).await);

    // Its successor is spent, so no grace helps.
    let reused = site.refresh(&alice.refresh).await.must_be(401);

    assert_eq!(reused.json["code"], "invalid_grant");
    assert!(!site.is_good(&newest).await && !site.is_good(&alice.access).await);
    for token in [&successor(&third), &successor(&second), &alice.refresh] {
        site.refresh(token).await.must_be(401);
    }
    assert!(site.is_good(&other.access).await, "other sessions are left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn r_17_bug_09_of_64_parallel_refreshes_one_token_lives() {
    let site = site().await;
    let alice = site.logged_in("alice").await;

    let answers = join_all((0..64).map(|_| site.refresh(&alice.refresh))).await;

    let answers: Vec<Answer> = answers.into_iter().map(|answer| answer.must_be(200)).collect();
    let leaves: HashSet<String> = answers.iter().map(successor).collect();
    assert_eq!(leaves.len(), 1);
    let stats = site.get_as(&alice.access, "/token-stats").await.must_be(200);
    assert_eq!(stats.json["data"]["refresh_tokens_active"], 1, "{stats:?}");
    assert_eq!(stats.json["data"]["sessions_active"], 1, "no false alarm");
    site.refresh(leaves.iter().next().unwrap()).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_02_a_session_that_is_not_the_tokens_own_is_refused_and_nothing_is_consumed() {
    let site = site().await;
    let alice = site.logged_in("alice").await;
    let (other, bob) = (site.logged_in("alice").await, site.logged_in("bob").await);
    for named in [bob.session.as_str(), &other.session, "session_abc123", ""] {
        let body = json!({ "refresh_token": alice.refresh, "session_id": named });
        let answer = site.post("/refresh", body).await.must_be(400);
        assert_eq!(answer.json["code"], "session_mismatch");
        assert!(!answer.text.contains("prt_"));
    }
    let own = json!({ "refresh_token": alice.refresh, "session_id": alice.session });
    site.post("/refresh", own).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_02_a_dead_sessions_token_gains_nothing_from_a_live_sessions_id() {
    let site = site().await;
    let (dead, live) = (site.logged_in("alice").await, site.logged_in("alice").await);
    site.post_as(&dead.access, "/logout", json!({})).await.must_be(200);
    let body = json!({ "refresh_token": dead.refresh, "session_id": live.session });
    let answer = site.post("/refresh", body).await;
    assert!([400, 401].contains(&answer.status.as_u16()), "{answer:?}");
    assert!(!answer.text.contains("prt_") && !answer.text.contains("eyJ"));
    assert!(site.is_good(&live.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn c_14_the_refresh_token_alone_is_what_a_refresh_needs() {
    let site = site().await;
    let alice = site.logged_in("alice").await;
    let next = site.refresh(&alice.refresh).await.must_be(200);
    let me = site.get_as(&next.text_at("/data/access/token"), "/me").await.must_be(200);
    assert_eq!(me.json["data"]["user"]["id"], alice.user_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_19_an_unused_token_dies_with_its_idle_session() {
    let Some(auth) = own(|_| ()).await else { return };
    let alice = auth.logged_in("alice").await;
    auth.clock.advance(Duration::from_hours(24 * 7) - Duration::from_millis(1));
    let used = auth.refresh(&alice.refresh).await.must_be(200);
    auth.clock.advance(Duration::from_hours(24 * 7));
    let idle = auth.refresh(&successor(&used)).await.must_be(401);
    assert_eq!(idle.json["code"], "invalid_grant");
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_03_an_expired_session_refreshes_nothing() {
    let Some(auth) = own(|settings| {
        settings.sessions.session_expires_in = Duration::from_mins(5);
        settings.sessions.session_idle_timeout = Duration::ZERO;
    })
    .await
    else {
        return;
    };
    let alice = auth.logged_in("alice").await;
    auth.clock.advance(Duration::from_mins(5));
    auth.refresh(&alice.refresh).await.must_be(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_38_what_is_no_refresh_token_is_refused_alike() {
    let site = site().await;
    let alice = site.logged_in("alice").await;
    let unknown = format!("prt_{}", "A".repeat(43));
    let (long, damaged) = ("p".repeat(5_000), format!("{}=", alice.refresh));
    let bare = &alice.refresh["prt_".len()..];
    for token in ["", "garbage", "0123456789", &unknown, &long, &damaged, bare, &alice.access] {
        let answer = site.refresh(token).await.must_be(401);
        assert_eq!(answer.json["code"], "invalid_grant", "{token}");
    }
    site.refresh(&alice.refresh).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_20_r_21_services_revoke_and_introspect_and_learn_nothing_of_the_dead() {
    let site = site().await;
    let Some((id, secret)) = site.introspector() else {
        return crate::site::skip("PORTCULLIS_CLIENT is not set");
    };
    let ask = async |path: &str, token: &str, hint: &str| {
        let form = [("token", token), ("token_type_hint", hint)];
        let request = site.request(reqwest::Method::POST, path).form(&form);
        portcullis_tests::send(request.basic_auth(&id, Some(&secret))).await.must_be(200)
    };
    let alice = site.logged_in("alice").await;
    let live = ask("/introspect", &alice.access, "access_token").await.json;
    assert_eq!((&live["active"], &live["sid"]), (&json!(true), &json!(alice.session)));
    assert_eq!(live["sub"], alice.user_id.to_string());

    for garbage in ["garbage", "prt_x", "a.b.c"] {
        for hint in ["access_token", "refresh_token", "saml2_token"] {
            assert!(ask("/revoke", garbage, hint).await.text.is_empty());
        }
    }
    assert!(site.is_good(&alice.access).await);
    ask("/revoke", &alice.refresh, "access_token").await;
    for dead in [alice.access.as_str(), &alice.refresh, "garbage"] {
        let answer = ask("/introspect", dead, "refresh_token").await;
        assert_eq!(answer.text, r#"{"active":false}"#);
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}
