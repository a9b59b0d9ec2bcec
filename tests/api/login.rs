//! `/login-enhanced` and `/login`.

use std::time::Duration;

use futures_util::future::join_all;
use portcullis_tests::{Login, PASSWORD, Service};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_login_answers_as_documented_field_by_field() {
    let auth = Service::start().await;
    let user_id = auth.user("alice").await;

    let answer = auth.log_in("alice").await.must_be(200);

    let session = answer.text_at("/data/session/id");
    let fingerprint = answer.text_at("/data/session/device_info/fingerprint");
    let mut expected = json!({
        "status": "success",
        "data": {
            "user": {
                "id": user_id, "email": "alice@example.com", "first_name": "alice",
                "last_name": "Tester", "is_active": true,
            },
            "tokens": {
                "access": {
                    "token": answer.text_at("/data/tokens/access/token"),
                    "expires_in": 900,
                    "type": "Bearer",
                },
                "refresh": {
                    "token": answer.text_at("/data/tokens/refresh/token"),
                    "expires_in": 2_592_000,
                },
            },
            "session": {
                "id": session,
                "device_info": answer.json["data"]["session"]["device_info"],
                "ip_address": "127.0.0.1",
                "last_activity": auth.clock.now(),
            },
        },
    });
    expected["data"]["session"]["device_info"]["fingerprint"] = json!(fingerprint);
    assert_eq!(answer.json, expected);
    let device = answer.json["data"]["session"]["device_info"].as_object().unwrap();
    let mut fields: Vec<&str> = device.keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["browser", "device", "fingerprint", "ip", "os"]);
    assert_eq!(fingerprint.len(), 64);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.header("set-cookie").starts_with("__Host-device="));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_module_knows_a_session_as_soon_as_the_login_is_answered() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    assert_eq!(auth.verdict(&alice), "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_login_adds_a_token_and_a_cookie_that_works_on_get_only() {
    let auth = Service::start().await;
    auth.user("alice").await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });

    let answer = auth.post("/login", body).await.must_be(200);

    let token = answer.text_at("/token");
    assert_eq!(token, answer.text_at("/data/tokens/access/token"));
    let cookie = answer.header("set-cookie");
    assert_eq!(cookie, format!("jwt={token}; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax"));
    let with_cookie = |method: Method, path: &str| {
        auth.request(method, path).header("cookie", format!("a=b; jwt={token}")).send()
    };
    assert_eq!(with_cookie(Method::GET, "/me").await.unwrap().status(), 200);
    assert_eq!(with_cookie(Method::POST, "/logout").await.unwrap().status(), 401);
    assert!(auth.is_good(&token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_login_can_be_switched_off() {
    let auth = Service::with(|settings| settings.server.legacy_login = false).await;
    auth.user("alice").await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    auth.post("/login", body.clone()).await.must_be(404);
    auth.post("/login-enhanced", body).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_a_login_the_answer_is_the_same() {
    let auth = Service::start().await;
    for name in ["alice", "unverified", "disabled"] {
        auth.user(name).await;
    }
    for change in [
        "update users set email_verified_at = null where first_name = 'unverified'",
        "update users set is_active = false where first_name = 'disabled'",
    ] {
        sqlx::query(change).execute(auth.db()).await.unwrap();
    }
    let attempts = [
        ("nobody@example.com", PASSWORD),
        ("alice@example.com", "not her password at all"),
        ("unverified@example.com", PASSWORD),
        ("disabled@example.com", PASSWORD),
    ];
    let mut answers = Vec::new();
    for (email, password) in attempts {
        let body = json!({ "email": email, "password": password });
        let mut answer = auth.post("/login-enhanced", body).await.must_be(401);
        for differing in ["date", "x-request-id"] {
            assert!(answer.headers.remove(differing).is_some());
        }
        answers.push((answer.text, format!("{:?}", answer.headers)));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    let sessions: i64 = sqlx::query_scalar("select count(*) from user_sessions")
        .fetch_one(auth.db())
        .await
        .unwrap();
    assert_eq!(sessions, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unverified_address_may_log_in_where_the_operator_allows_it() {
    let auth =
        Service::with(|settings| settings.accounts.email_verification_required = false).await;
    auth.user("alice").await;
    sqlx::query("update users set email_verified_at = null").execute(auth.db()).await.unwrap();
    auth.log_in("alice").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_parallel_logins_the_cap_lives_in_both_stores() {
    let auth = Service::start().await;
    let user_id = auth.user("alice").await;

    let answers = join_all((0..20).map(|_| auth.log_in("alice"))).await;

    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(auth.settle().await, 0);
    assert_eq!(auth.live_sessions(user_id).await, 5);
    assert_eq!(auth.live_refresh_tokens(user_id).await, 5);
    let mut in_ledger = auth.ledger_sessions(user_id);
    let mut in_mysql: Vec<String> =
        sqlx::query_scalar("select id from user_sessions where user_id = ? and is_active")
            .bind(user_id)
            .fetch_all(auth.db())
            .await
            .unwrap();
    in_ledger.sort_unstable();
    in_mysql.sort_unstable();
    assert_eq!(in_ledger, in_mysql);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_beyond_the_cap_ends_the_least_recently_used_session_and_its_tokens() {
    let auth = Service::with(|settings| settings.sessions.max_sessions_per_user = 2).await;
    let first = auth.logged_in("alice").await;
    auth.clock.advance(Duration::from_secs(1));
    let second = auth.logged_in("alice").await;
    auth.clock.advance(Duration::from_secs(1));
    auth.refresh(&first.refresh).await.must_be(200);
    auth.clock.advance(Duration::from_secs(1));

    let third = auth.logged_in("alice").await;

    assert!(!auth.is_good(&second.access).await);
    auth.refresh(&second.refresh).await.must_be(401);
    assert_eq!(auth.verdict(&second), "NO_SESSION");
    assert!(auth.is_good(&first.access).await && auth.is_good(&third.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_ends_the_session_that_came_with_it() {
    let auth = Service::start().await;
    let old = auth.logged_in("alice").await;
    let bob = auth.logged_in("bob").await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });

    auth.post_as(&bob.access, "/login-enhanced", body.clone()).await.must_be(200);
    let new = Login::from(auth.post_as(&old.access, "/login-enhanced", body).await.must_be(200));

    assert_ne!(new.session, old.session);
    assert!(!auth.is_good(&old.access).await);
    assert!(auth.is_good(&new.access).await);
    assert!(auth.is_good(&bob.access).await, "somebody else's session is left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_id_that_a_client_invents_is_never_adopted() {
    let auth = Service::start().await;
    auth.user("alice").await;
    let invented = format!("session_{}", "A".repeat(43));
    let answer = auth
        .request(Method::POST, "/login-enhanced")
        .header("x-session-id", &invented)
        .header("cookie", format!("jwt={invented}"))
        .json(&json!({ "email": "alice@example.com", "password": PASSWORD }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    assert_ne!(body["data"]["session"]["id"], json!(invented));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_bcrypt_hash_is_replaced_at_login() {
    let auth = Service::start().await;
    let user_id = auth.user("alice").await;
    let old = bcrypt::hash(PASSWORD, 4).unwrap();
    sqlx::query("update users set password_hash = ?").bind(&old).execute(auth.db()).await.unwrap();

    auth.log_in("alice").await.must_be(200);

    let now: String = sqlx::query_scalar("select password_hash from users where id = ?")
        .bind(user_id)
        .fetch_one(auth.db())
        .await
        .unwrap();
    assert!(now.starts_with("$argon2id$v=19$"), "{now}");
    auth.log_in("alice").await.must_be(200);
}
