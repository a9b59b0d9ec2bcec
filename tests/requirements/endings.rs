//! What ends a session, and that everything of it ends at once.

use portcullis_tests::{Login, PASSWORD};
use serde_json::json;

use crate::forged::{decoded, parts};
use crate::site::{Site, own, site, without_propagation};

async fn is_dead(site: &Site, login: &Login) {
    assert!(!site.is_good(&login.access).await, "its access token");
    site.refresh(&login.refresh).await.must_be(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_01_bug_05_a_logout_ends_every_token_of_its_session_and_of_no_other() {
    let site = site().await;
    let (here, other) = (site.logged_in("alice").await, site.logged_in("alice").await);
    let older = here.access.clone();
    let next = site.refresh(&here.refresh).await.must_be(200);
    let newer = next.text_at("/data/access/token");
    assert!(site.is_good(&newer).await);

    site.post_as(&newer, "/logout", json!({})).await.must_be(200);

    assert!(!site.is_good(&newer).await && !site.is_good(&older).await);
    site.refresh(&next.text_at("/data/refresh/token")).await.must_be(401);
    site.refresh(&here.refresh).await.must_be(401);
    assert!(site.is_good(&other.access).await);
    site.refresh(&other.refresh).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_34_bug_30_a_logout_clears_the_browser() {
    let site = site().await;
    for path in ["/logout", "/logout-all-devices"] {
        let alice = site.logged_in("alice").await;
        let answer = site.post_as(&alice.access, path, json!({})).await.must_be(200);
        assert_eq!(answer.header("clear-site-data"), "");
        let lines: Vec<&str> = answer
            .headers
            .get_all("set-cookie")
            .iter()
            .map(|line| line.to_str().unwrap())
            .collect();
        for cookie in ["jwt=;", "__Host-access=;", "__Host-refresh=;", "__Host-csrf=;"] {
            let line = lines.iter().find(|line| line.starts_with(cookie));
            assert!(line.is_some_and(|line| line.contains("Max-Age=0")), "{cookie} {lines:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_12_bug_04_a_foreign_session_is_unknown_and_nothing_is_revoked() {
    let site = site().await;
    let (alice, bob) = (site.logged_in("alice").await, site.logged_in("bob").await);
    let unknown = format!("session_{}", "A".repeat(43));
    for named in [bob.session.as_str(), &unknown, "session_abc123", ""] {
        let body = json!({ "session_id": named });
        let answer = site.post_as(&alice.access, "/logout", body).await.must_be(404);
        assert_eq!(answer.json["code"], "session_not_found");
    }
    for id in [bob.session.as_str(), &unknown, "session_abc123", "1", "%00", "%F0%9F%A6%80"] {
        site.delete_as(&alice.access, &format!("/sessions/{id}")).await.must_be(404);
    }
    let body = json!({ "refresh_token": bob.refresh });
    site.post_as(&alice.access, "/revoke-refresh-token", body).await.must_be(404);
    assert!(site.is_good(&alice.access).await && site.is_good(&bob.access).await);
    site.refresh(&alice.refresh).await.must_be(200);
    site.refresh(&bob.refresh).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn c_11_c_13_bug_05_logging_out_everywhere_has_two_names_and_counts_what_it_ended() {
    let site = site().await;
    for path in ["/logout", "/logout-all-devices"] {
        let people = [site.logged_in("alice").await, site.logged_in("alice").await];
        let bob = site.logged_in("bob").await;

        let body = json!({ "logout_all": true });
        let answer = site.post_as(&people[0].access, path, body).await.must_be(200);

        assert_eq!(
            without_propagation(&answer),
            json!({
                "status": "success",
                "message": "Logged out from all devices successfully",
                "data": { "sessions_revoked": 2, "tokens_revoked": 2 },
            })
        );
        for login in &people {
            is_dead(&site, login).await;
        }
        assert!(site.is_good(&bob.access).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c_12_bug_14_deleting_sessions_spares_the_callers_own_unless_it_is_asked_for() {
    let site = site().await;
    let (here, there) = (site.logged_in("alice").await, site.logged_in("alice").await);
    let bob = site.logged_in("bob").await;
    let answer = site.delete_as(&here.access, "/sessions").await.must_be(200);
    assert_eq!(answer.json["message"], "Revoked 1 sessions successfully");
    is_dead(&site, &there).await;
    assert!(site.is_good(&here.access).await);

    site.delete_as(&here.access, "/sessions?include_current=maybe").await.must_be(400);
    site.delete_as(&here.access, "/sessions?include_current=true").await.must_be(200);
    is_dead(&site, &here).await;
    assert!(site.is_good(&bob.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_07_bug_36_a_disabled_user_is_out_at_once_and_a_new_login_is_needed() {
    let site = site().await;
    let Some(root) = site.admin().await else { return };
    let alice = site.logged_in("alice").await;
    let act = async |deed: &str| {
        let path = format!("/admin/users/{}/{deed}", alice.user_id);
        site.post_as(&root.access, &path, json!({})).await.must_be(200);
    };
    act("disable").await;
    is_dead(&site, &alice).await;
    site.log_in("alice").await.must_be(401);
    act("enable").await;
    is_dead(&site, &alice).await;
    site.log_in("alice").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_09_an_administrator_ends_one_persons_sessions_and_nobody_else_can() {
    let site = site().await;
    let Some(root) = site.admin().await else { return };
    let (alice, bob) = (site.logged_in("alice").await, site.logged_in("bob").await);
    let path = format!("/admin/users/{}/sessions", alice.user_id);
    let refused = site.delete_as(&bob.access, &path).await.must_be(403);
    assert_eq!(
        refused.header("www-authenticate"),
        r#"Bearer realm="portcullis", error="insufficient_scope""#
    );
    assert!(site.is_good(&alice.access).await);
    site.delete_as(&root.access, &path).await.must_be(200);
    is_dead(&site, &alice).await;
    assert!(site.is_good(&bob.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_13_a_demoted_administrator_is_refused_with_the_token_from_before() {
    let site = site().await;
    let Some(root) = site.admin().await else { return };
    let alice = site.logged_in("alice").await;
    let asks = async |login: &Login, status| {
        site.get_as(&login.access, "/admin/users").await.must_be(status);
    };
    let path = format!("/admin/users/{}/role", alice.user_id);
    asks(&alice, 403).await;
    site.post_as(&root.access, &path, json!({ "role": "admin" })).await.must_be(200);
    let promoted = site.logged_in("alice").await;
    assert_eq!(decoded(parts(&promoted.access)[1])["role"], "admin");
    for login in [&alice, &promoted] {
        asks(login, 200).await;
    }
    site.post_as(&root.access, &path, json!({ "role": "user" })).await.must_be(200);
    for login in [&alice, &promoted] {
        asks(login, 403).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_08_bug_36_a_changed_password_ends_every_other_session() {
    let site = site().await;
    let (here, there) = (site.logged_in("alice").await, site.logged_in("alice").await);
    let old = site.person("alice").await.password;
    let new = "seven new words for an old gate";
    let change = async |access: &str, from: &str, to: &str| {
        let body = json!({ "current_password": from, "new_password": to });
        site.post_as(access, "/change-password", body).await.must_be(200)
    };
    let changed = change(&here.access, &old, new).await;
    is_dead(&site, &there).await;
    is_dead(&site, &here).await;
    let access = changed.text_at("/data/access/token");
    assert!(site.is_good(&access).await);
    site.refresh(&changed.text_at("/data/refresh/token")).await.must_be(200);
    site.log_in("alice").await.must_be(401);
    change(&access, new, &old).await;
    site.log_in("alice").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_07_a_rotated_secret_brings_no_revoked_token_back() {
    const OLD: &str = "a secret for tests and of no use elsewhere";
    let Some(auth) = own(|_| ()).await else { return };
    let (gone, alive) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    auth.post_as(&gone.access, "/logout", json!({})).await.must_be(200);

    let redis = auth.redis.url();
    let database = auth.app.settings.stores.database_url.clone();
    let rotated = own(|settings| {
        settings.stores.database_url = database;
        settings.stores.redis_url = Some(redis.into());
        settings.tokens.jwt_secret = Some("another secret of thirty-two bytes or more".into());
        settings.tokens.jwt_secrets_old = Some(OLD.into());
        settings.tokens.refresh_token_key = Some(OLD.into());
    })
    .await
    .unwrap();

    assert!(rotated.is_good(&alive.access).await, "the old key still verifies");
    assert!(!rotated.is_good(&gone.access).await);
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    rotated.post("/login-enhanced", body).await.must_be(200);
    assert!(!rotated.is_good(&gone.access).await);
}
