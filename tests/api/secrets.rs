//! No secret in any log, row or answer where it does not belong.

use portcullis_tests::{PASSWORD, Service, captured_log};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn bug_28_r_50_no_token_and_no_password_is_ever_logged_or_stored() {
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

/// Every column of every table as text.
async fn everything_stored(auth: &Service) -> String {
    let columns = "select table_name, group_concat(concat('coalesce(', column_name, ', '''')'))
                     from information_schema.columns
                    where table_schema = database() group by table_name";
    let tables: Vec<(String, String)> = sqlx::query_as(columns).fetch_all(auth.db()).await.unwrap();
    let mut everything = String::new();
    for (table, columns) in tables {
        let all = format!("select convert(concat_ws(' ', {columns}) using latin1) from {table}");
        let rows: Vec<Option<String>> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(all)).fetch_all(auth.db()).await.unwrap();
        everything.extend(rows.into_iter().flatten());
    }
    everything
}
