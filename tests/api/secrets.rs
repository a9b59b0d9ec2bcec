//! No secret in any log, row or answer where it does not belong.

use portcullis_tests::{PASSWORD, Service, captured_log};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn no_token_and_no_password_is_ever_logged_or_stored() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let body = json!({ "email": "new@example.com", "password": "another long secret sentence",
        "first_name": "New", "last_name": "Comer" });
    auth.post("/register", body).await.must_be(201);
    let wrong = json!({ "email": "alice@example.com", "password": "a wrong guess of hers" });
    auth.post("/login-enhanced", wrong).await.must_be(401);
    auth.get_as(&alice.access, "/sessions").await.must_be(200);
    let answer = auth.refresh(&alice.refresh).await.must_be(200);
    let (access, refresh) =
        (answer.text_at("/data/access/token"), answer.text_at("/data/refresh/token"));
    auth.refresh(&refresh).await.must_be(200);
    auth.refresh(&alice.refresh).await.must_be(401);
    let bob = auth.logged_in("bob").await;
    auth.post_as(&bob.access, "/logout", json!({})).await.must_be(200);

    let log = captured_log();
    assert!(log.contains("authn_token_reuse"), "the log was captured");
    let rows = everything_stored(&auth).await;
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    let secrets = [
        PASSWORD.to_owned(),
        "another long secret sentence".to_owned(),
        "a wrong guess of hers".to_owned(),
        alice.refresh,
        refresh,
        bob.refresh,
        signature(&alice.access),
        signature(&access),
        signature(&bob.access),
    ];
    for secret in secrets {
        assert!(!log.contains(&secret), "logged: {secret}");
        assert!(!rows.contains(&secret), "stored: {secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_can_write_lines_of_its_own_into_the_log() {
    let auth = Service::start().await;
    auth.user("alice").await;
    let raw = "Mozilla/5.0\t{\"event\":\"fake_event_of_a_client\"}";
    auth.request(reqwest::Method::POST, "/login-enhanced")
        .header("user-agent", raw)
        .json(&json!({ "email": "alice@example.com\r\n{\"event\":\"fake_event_of_a_client\"}",
            "password": PASSWORD }))
        .send()
        .await
        .unwrap();
    for line in captured_log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("one JSON object a line");
        assert_ne!(line["event"], "fake_event_of_a_client");
        assert_ne!(line["fields"]["event"], "fake_event_of_a_client");
    }
}

/// Every column of every table as text.
async fn everything_stored(auth: &Service) -> String {
    let tables = [
        "select group_concat(concat_ws(' ', email, password_hash, first_name) separator ' ') from users",
        "select group_concat(concat_ws(' ', id, device_info, user_agent) separator ' ') from user_sessions",
        "select group_concat(concat_ws(' ', hex(token_hash), device_info, user_agent) separator ' ') from refresh_tokens",
        "select group_concat(concat_ws(' ', hex(token_hash), session_id) separator ' ') from token_blacklist_enhanced",
        "select group_concat(concat_ws(' ', event, detail, user_agent) separator ' ') from audit_events",
        "select group_concat(change_set separator ' ') from revocation_outbox",
    ];
    let mut rows = String::new();
    for table in tables {
        let text: Option<String> = sqlx::query_scalar(table).fetch_one(auth.db()).await.unwrap();
        rows += &text.unwrap_or_default();
    }
    rows
}
