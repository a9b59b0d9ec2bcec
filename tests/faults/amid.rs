//! What a request has checked is over by the time it acts: the password, the role, the session.
//!
//! Each request is held where its transaction begins, after everything that it looks at beforehand,
//! until another instance has done something.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use portcullis_tests::{Answer, Client, Instance, Login, PASSWORD, Service, send};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::time::Duration;

use crate::proxy::Wound;
use crate::stage::{Stage, stage};
use crate::talk::{agree, eventually};
use crate::trap::Trap;

const NEW: &str = "seven new words for an old gate";

/// A stage with a second instance whose way to MySQL is never wounded.
struct Two {
    stage: Stage,
    other: Instance,
}

async fn two() -> Two {
    let stage = stage(|settings| settings.stores.db_deadline = Duration::from_secs(30)).await;
    let direct = stage.direct.clone();
    let other = stage.auth.another(2, |settings| {
        settings.stores.database_url = Some(direct.into());
    });
    let other = other.await;
    Two { stage, other }
}

impl Two {
    /// Does something while the request is about to begin its transaction.
    async fn amid(&self, request: RequestBuilder, deed: impl Future<Output = ()>) -> Answer {
        let Stage { auth, mysql, .. } = &self.stage;
        agree(auth).await;
        mysql.set_trap(Trap { earlier: 0, packet: 0, is_heard: true, wound: Wound::Blackhole });
        let held = tokio::spawn(send(request));
        eventually("the request is about to act", async || mysql.has_sprung());
        deed.await;
        mysql.inflict(Wound::None);
        held.await.unwrap()
    }

    async fn sql(&self, statement: &'static str, user_id: u64) {
        sqlx::query(statement).bind(user_id).execute(&self.other.app.store.pool).await.unwrap();
    }
}

fn log_in(client: &Client, name: &str, password: &str) -> RequestBuilder {
    let body = json!({ "email": format!("{name}@example.com"), "password": password });
    client.request(Method::POST, "/login-enhanced").json(&body)
}

fn change(client: &Client, access: &str) -> RequestBuilder {
    let body = json!({ "current_password": PASSWORD, "new_password": NEW });
    client.request(Method::POST, "/change-password").bearer_auth(access).json(&body)
}

async fn reset_token(auth: &Service, name: &str) -> String {
    let sent = auth.mails().len();
    auth.post("/forgot-password", json!({ "email": format!("{name}@example.com") })).await;
    auth.mailed_token(sent)
}

/// What the token says its user may do.
fn role_in(access: &str) -> Value {
    let payload = URL_SAFE_NO_PAD.decode(access.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&payload).unwrap()["role"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_05_a_login_checked_before_a_reset_begins_no_session_after_it() {
    let two = two().await;
    let auth = &two.stage.auth;
    let user_id = auth.user("alice").await;
    let reset = json!({ "token": reset_token(auth, "alice").await, "new_password": NEW });
    let answer = two.amid(log_in(auth, "alice", PASSWORD), async {
        two.other.post("/reset-password", reset).await.must_be(200);
    });
    assert_eq!(answer.await.must_be(401).json["code"], "bad_credentials");
    assert_eq!(auth.live_sessions(user_id).await, 0);
    let trail = auth.audit_trail(user_id).await;
    assert_eq!(trail.last().map(String::as_str), Some("authn_login_fail"), "{trail:?}");
    send(log_in(auth, "alice", NEW)).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_05_a_login_checked_before_a_change_of_the_password_begins_no_session_after_it() {
    let two = two().await;
    let auth = &two.stage.auth;
    let alice = auth.logged_in("alice").await;
    let answer = two.amid(log_in(auth, "alice", PASSWORD), async {
        send(change(&two.other, &alice.access)).await.must_be(200);
    });
    answer.await.must_be(401);
    assert_eq!(auth.live_sessions(alice.user_id).await, 1, "the one of the change itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_05_a_login_is_refused_to_whoever_may_not_log_in_any_more() {
    let two = two().await;
    let auth = &two.stage.auth;
    for (name, taken_away) in [
        ("disabled", "update users set is_active = false where id = ?"),
        ("unproven", "update users set email_verified_at = null where id = ?"),
        ("deleted", "delete from users where id = ?"),
    ] {
        let user_id = auth.user(name).await;
        let answer = two.amid(log_in(auth, name, PASSWORD), two.sql(taken_away, user_id)).await;
        assert_eq!(answer.must_be(401).json["code"], "bad_credentials", "{name}");
        assert_eq!(auth.live_sessions(user_id).await, 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_05_a_token_says_what_its_user_may_do_when_it_is_made() {
    let two = two().await;
    let auth = &two.stage.auth;
    let root = auth.admin("root").await;
    let demoted = "update users set role = 'user' where id = ?";
    let login = two.amid(log_in(auth, "root", PASSWORD), two.sql(demoted, root.user_id)).await;
    assert_eq!(role_in(&login.must_be(200).text_at("/data/tokens/access/token")), "user");

    let refresh = |token: &str| {
        auth.request(Method::POST, "/refresh").json(&json!({ "refresh_token": token }))
    };
    let promoted = "update users set role = 'admin' where id = ?";
    let answer = two.amid(refresh(&root.refresh), two.sql(promoted, root.user_id)).await;
    assert_eq!(role_in(&answer.must_be(200).text_at("/data/access/token")), "admin");
    let login: Login = auth.log_in("root").await.must_be(200).into();
    let answer = two.amid(refresh(&login.refresh), two.sql(demoted, root.user_id)).await;
    assert_eq!(role_in(&answer.must_be(200).text_at("/data/access/token")), "user");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_05_whoever_was_logged_out_changes_no_password() {
    let two = two().await;
    let auth = &two.stage.auth;
    let (here, there) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    let answer = two.amid(change(auth, &here.access), async {
        two.other.post_as(&there.access, "/logout-all-devices", json!({})).await.must_be(200);
    });
    assert_eq!(answer.await.must_be(401).json["code"], "invalid_token");
    assert_eq!(auth.live_sessions(here.user_id).await, 0);
    let alice: Login = auth.log_in("alice").await.must_be(200).into();
    let disabled = "update users set is_active = false where id = ?";
    let answer = two.amid(change(auth, &alice.access), two.sql(disabled, alice.user_id)).await;
    assert_eq!(answer.must_be(401).json["code"], "invalid_token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_05_a_disabled_user_sets_no_new_password() {
    let two = two().await;
    let auth = &two.stage.auth;
    let user_id = auth.user("alice").await;
    let reset = json!({ "token": reset_token(auth, "alice").await, "new_password": NEW });
    let request = auth.request(Method::POST, "/reset-password").json(&reset);
    let disabled = "update users set is_active = false where id = ?";
    two.amid(request, two.sql(disabled, user_id)).await.must_be(422);
    two.sql("update users set is_active = true where id = ?", user_id).await;
    auth.log_in("alice").await.must_be(200);
    auth.post("/reset-password", reset).await.must_be(200); // the token was not used up
}

/// Every deed, each with what is taken away amid it and what is answered then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_05_an_administrator_who_is_none_any_more_does_nothing() {
    let two = two().await;
    let auth = &two.stage.auth;
    auth.admin("spare").await;
    let deeds = [
        (Method::DELETE, "/sessions", json!({})),
        (Method::POST, "/disable", json!({})),
        (Method::POST, "/enable", json!({})),
        (Method::POST, "/role", json!({ "role": "admin" })),
        (Method::DELETE, "", json!({})),
    ];
    let losses = [
        ("update users set role = 'user' where id = ?", 403),
        ("update users set is_active = false where id = ?", 401),
        ("update user_sessions set is_active = false where user_id = ?", 401),
    ];
    for (number, (method, path, body)) in deeds.iter().enumerate() {
        for (loss, (taken_away, status)) in losses.iter().enumerate() {
            let what = format!("{method} {path} amid {taken_away}");
            let root = auth.admin(&format!("root{number}{loss}")).await;
            let person = auth.logged_in(&format!("person{number}{loss}")).await;
            let path = format!("/admin/users/{}{path}", person.user_id);
            let request = auth.request(method.clone(), &path).bearer_auth(&root.access).json(body);
            let before = of_person(auth, person.user_id).await;
            let answer = two.amid(request, two.sql(taken_away, root.user_id)).await;
            assert_eq!(answer.status, *status, "{what}: {answer:?}");
            assert_eq!(of_person(auth, person.user_id).await, before, "{what}");
            // Its ledger was never told; only the truth was changed.
            two.sql("delete from users where id = ?", root.user_id).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_05_an_administrator_who_is_none_any_more_logs_nobody_out() {
    let two = two().await;
    let auth = &two.stage.auth;
    let (root, alice) = (auth.admin("root").await, auth.logged_in("alice").await);
    let everyone = auth.request(Method::POST, "/admin/logout-everyone").bearer_auth(&root.access);
    let demoted = "update users set role = 'user' where id = ?";
    two.amid(everyone, two.sql(demoted, root.user_id)).await.must_be(403);
    assert!(auth.is_good(&alice.access).await && auth.is_good(&root.access).await);
}

/// What a deed may have changed.
async fn of_person(auth: &Service, user_id: u64) -> (String, bool, i64, Vec<String>) {
    let user = "select concat(role), is_active from users where id = ?";
    let (role, is_active) = sqlx::query_as(user).bind(user_id).fetch_one(auth.db()).await.unwrap();
    (role, is_active, auth.live_sessions(user_id).await, auth.audit_trail(user_id).await)
}

/// Each of them has the old hash checked and finds that of another in its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_05_logins_that_replace_an_old_hash_at_once_all_get_in() {
    let auth = Service::with(|settings| {
        settings.stores.db_deadline = Duration::from_secs(30);
        settings.accounts.password_queue = 100;
        settings.sessions.max_sessions_per_user = 20;
    })
    .await;
    let alice = auth.logged_in("alice").await;
    let old = bcrypt::hash(PASSWORD, 4).unwrap();
    let replace = "update users set password_hash = ? where id = ?";
    sqlx::query(replace).bind(&old).bind(alice.user_id).execute(auth.db()).await.unwrap();
    let changed = send(change(&auth, &alice.access));
    let (logins, changed) = tokio::join!(join_all((0..10).map(|_| auth.log_in("alice"))), changed);
    // Whoever came after the change has the wrong password; nobody else is refused.
    let status = changed.status.as_u16();
    assert_eq!(status, 200, "{changed:?}");
    assert!(logins.iter().all(|login| [200, 401].contains(&login.status.as_u16())), "{logins:?}");
    assert_eq!(auth.live_sessions(alice.user_id).await, 1);
}
