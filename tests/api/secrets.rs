//! No secret in any log, row or answer where it does not belong.

use std::time::Duration;

use portcullis_tests::{Fate, MailServer, PASSWORD, Service, captured_log, wait_until};
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

/// Not while it waits to be sent either: a copy of the database opens nothing.
#[tokio::test(flavor = "multi_thread")]
async fn f_29_no_token_of_a_mail_is_logged_or_stored() {
    let server = MailServer::start(&[Fate::Say("451 later")]);
    let url = server.url();
    let auth = Service::with(|settings| settings.accounts.smtp_url = Some(url.into())).await;
    auth.user("alice").await;
    auth.post("/forgot-password", json!({ "email": "alice@example.com" })).await.must_be(200);
    wait_until("it is tried", || server.tries() == 1);
    let waiting = everything_stored(&auth).await;
    auth.clock.advance(Duration::from_mins(1));
    auth.mails_are_out();
    let mail = server.taken().remove(0);
    let token = mail.lines().find(|line| line.len() == 43 && !line.contains(' ')).unwrap();
    for text in [waiting, everything_stored(&auth).await, captured_log()] {
        assert!(!text.contains(token));
    }
    let reset = json!({ "token": token, "new_password": "seven new words for an old gate" });
    auth.post("/reset-password", reset).await.must_be(200);
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
