//! `/login-enhanced` and `/login`.

use std::time::Duration;

use futures_util::future::join_all;
use portcullis_tests::{PASSWORD, Service};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn c_22_the_module_knows_a_session_as_soon_as_the_login_is_answered() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    assert_eq!(auth.verdict(&alice), "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn c_02_the_old_login_can_be_switched_off() {
    let auth = Service::with(|settings| settings.server.legacy_login = false).await;
    auth.user("alice").await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    auth.post("/login", body.clone()).await.must_be(404);
    auth.post("/login-enhanced", body).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_14_bug_10_of_many_parallel_logins_the_cap_lives_in_both_stores() {
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
async fn r_14_bug_05_a_login_beyond_the_cap_ends_the_least_recently_used_session_and_its_tokens() {
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
