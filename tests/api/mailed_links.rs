//! Links in mails: how many are sent, how long they are good, and what clicking does.

use std::time::Duration;

use portcullis_tests::{Fate, MailServer, PASSWORD, Service, send};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Executor as _;

const NEW: &str = "seven new words for an old gate";

async fn forgot(auth: &Service, email: &str) -> String {
    auth.post("/forgot-password", json!({ "email": email })).await.must_be(200).text
}

async fn reset(auth: &Service, token: &str) -> u16 {
    let body = json!({ "token": token, "new_password": NEW });
    auth.post("/reset-password", body).await.status.as_u16()
}

fn newcomer(email: &str) -> Value {
    json!({ "email": email, "password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace" })
}

/// The tokens of so many links that alice asks for.
async fn reset_tokens(auth: &Service, count: usize) -> Vec<String> {
    let mut tokens = Vec::new();
    for _ in 0..count {
        forgot(auth, "alice@example.com").await;
        tokens.push(auth.mailed_token(tokens.len()));
        auth.clock.advance(Duration::from_secs(1));
    }
    tokens
}

#[tokio::test(flavor = "multi_thread")]
async fn f_18_an_account_gets_a_few_mails_an_hour_and_every_request_the_same_answer() {
    let auth = Service::with(|settings| settings.limits.account_mails_per_hour = 5).await;
    auth.user("alice").await;
    let unknown = forgot(&auth, "nobody@example.com").await;
    for _ in 0..15 {
        assert_eq!(forgot(&auth, "alice@example.com").await, unknown);
        let resend = json!({ "email": "alice@example.com" });
        auth.post("/resend-verification", resend).await.must_be(200);
        auth.post("/register", newcomer("alice@example.com")).await.must_be(201);
    }
    auth.mails_are_out();
    assert_eq!(auth.mails().len(), 5);
    auth.clock.advance(Duration::from_hours(1));
    forgot(&auth, "alice@example.com").await;
    auth.mails_are_out();
    assert_eq!(auth.mails().len(), 6, "the hour is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_18_a_new_account_gets_a_few_mails_an_hour() {
    let auth = Service::with(|settings| settings.limits.account_mails_per_hour = 3).await;
    auth.post("/register", newcomer("ada@example.com")).await.must_be(201);
    for _ in 0..10 {
        let resend = json!({ "email": "ada@example.com" });
        auth.post("/resend-verification", resend).await.must_be(200);
    }
    auth.mails_are_out();
    assert_eq!(auth.mails().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_18_what_an_account_itself_causes_is_mailed_all_the_same() {
    let auth = Service::with(|settings| settings.limits.account_mails_per_hour = 1).await;
    let alice = auth.logged_in("alice").await;
    forgot(&auth, "alice@example.com").await;
    let change = json!({ "current_password": PASSWORD, "new_password": NEW });
    auth.mails_are_out();
    auth.post_as(&alice.access, "/change-password", change).await.must_be(200);
    auth.mails_are_out();
    assert!(auth.mails()[1].contains("Your password was changed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_18_the_last_links_are_good_side_by_side_and_one_that_is_used_withdraws_the_others() {
    for used in 0..3 {
        let auth = Service::start().await;
        auth.user("alice").await;
        let tokens = reset_tokens(&auth, 3).await;
        assert_eq!(reset(&auth, &tokens[used]).await, 200, "number {used}");
        for token in &tokens {
            assert_eq!(reset(&auth, token).await, 422);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_18_no_more_than_five_links_are_good_at_once() {
    let auth = Service::start().await;
    auth.user("alice").await;
    let tokens = reset_tokens(&auth, 6).await;
    assert_eq!(reset(&auth, &tokens[0]).await, 422);
    assert_eq!(reset(&auth, &tokens[1]).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_18_every_link_to_verify_is_good() {
    for used in 0..2 {
        let auth = Service::start().await;
        auth.post("/register", newcomer("ada@example.com")).await.must_be(201);
        let first = auth.mailed_token(0);
        auth.post("/resend-verification", json!({ "email": "ada@example.com" })).await.must_be(200);
        let tokens = [first, auth.mailed_token(1)];
        auth.post("/verify-email", json!({ "token": tokens[used] })).await.must_be(200);
        let credentials = json!({ "email": "ada@example.com", "password": PASSWORD });
        auth.post("/login-enhanced", credentials).await.must_be(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_18_a_changed_password_withdraws_every_link_to_reset_it() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let tokens = reset_tokens(&auth, 2).await;
    let change = json!({ "current_password": PASSWORD, "new_password": NEW });
    auth.post_as(&alice.access, "/change-password", change).await.must_be(200);
    for token in tokens {
        assert_eq!(reset(&auth, &token).await, 422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_18_a_changed_password_withdraws_the_links_too_that_still_wait() {
    let server = MailServer::start(&[Fate::Say("451 later")]);
    let url = server.url();
    let auth = Service::with(|settings| settings.accounts.smtp_url = Some(url.into())).await;
    let alice = auth.logged_in("alice").await;
    forgot(&auth, "alice@example.com").await;
    portcullis_tests::wait_until("it is tried", || server.tries() == 1);
    let change = json!({ "current_password": PASSWORD, "new_password": NEW });
    auth.post_as(&alice.access, "/change-password", change).await.must_be(200);
    auth.clock.advance(Duration::from_hours(1));
    auth.mails_are_out();
    let mails = server.taken();
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert!(mails[0].contains("Your password was changed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_18_an_address_without_an_account_leaves_nothing_behind() {
    let auth = Service::start().await;
    forgot(&auth, "nobody@example.com").await;
    auth.post("/resend-verification", json!({ "email": "nobody@example.com" })).await.must_be(200);
    auth.mails_are_out();
    let rows: i64 =
        sqlx::query_scalar("select count(*) from mails").fetch_one(auth.db()).await.unwrap();
    assert_eq!((rows, auth.mails().len()), (0, 0));
}

/// So its time cannot tell whether there is one.
#[tokio::test(flavor = "multi_thread")]
async fn f_18_a_request_for_a_link_is_answered_without_a_look_at_any_account() {
    let auth = Service::start().await;
    auth.user("alice").await;
    auth.db().execute("rename table users to away").await.unwrap();
    for path in ["/forgot-password", "/resend-verification"] {
        for email in ["alice@example.com", "nobody@example.com"] {
            auth.post(path, json!({ "email": email })).await.must_be(200);
        }
    }
    auth.db().execute("rename table away to users").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn f_49_a_link_to_verify_may_be_clicked_again() {
    let auth = Service::start().await;
    auth.post("/register", newcomer("ada@example.com")).await.must_be(201);
    let token = json!({ "token": auth.mailed_token(0) });
    let first = auth.post("/verify-email", token.clone()).await.must_be(200);
    let second = auth.post("/verify-email", token.clone()).await.must_be(200);
    assert_eq!(first.text, second.text);
    auth.clock.advance(Duration::from_hours(25));
    auth.post("/verify-email", token).await.must_be(200);
    let user_id = auth.user("ada").await;
    assert_eq!(auth.audit_trail(user_id).await, ["user_created", "user_email_verified"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_49_a_registration_that_is_sent_twice_is_answered_by_one_mail() {
    let auth = Service::start().await;
    let ada = || auth.post("/register", newcomer("ada@example.com"));
    for answer in [tokio::join!(ada(), ada()).0, ada().await] {
        answer.must_be(201);
    }
    auth.mails_are_out();
    let mails = auth.mails();
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert!(mails[0].contains("Confirm your address"));

    // Whoever has proven the address and registers again, twice, is told once.
    auth.post("/verify-email", json!({ "token": auth.mailed_token(0) })).await.must_be(200);
    ada().await.must_be(201);
    ada().await.must_be(201);
    auth.mails_are_out();
    assert_eq!(auth.mails().len(), 2);
    assert!(auth.mails()[1].contains("You already have an"));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_49_white_space_around_a_pasted_token_is_none_of_it() {
    const GATEWAY: &str = "gateway";
    const SECRET: &str = "a secret that only the gateway knows";
    let auth = Service::with(|settings| {
        settings.tokens.introspection_clients = Some(format!("{GATEWAY}:{SECRET}").into());
    })
    .await;
    let pasted = |token: &str| format!(" \u{a0}{token}\r\n\t");
    auth.post("/register", newcomer("ada@example.com")).await.must_be(201);
    let verify = json!({ "token": pasted(&auth.mailed_token(0)) });
    auth.post("/verify-email", verify).await.must_be(200);
    forgot(&auth, "ada@example.com").await;
    assert_eq!(reset(&auth, &pasted(&auth.mailed_token(1))).await, 200);

    let alice = auth.logged_in("alice").await;
    let refreshed = auth.refresh(&pasted(&alice.refresh)).await.must_be(200);
    for token in [&alice.access, &refreshed.text_at("/data/access/token")] {
        let form = [("token", pasted(token))];
        let ask = auth.request(Method::POST, "/introspect").basic_auth(GATEWAY, Some(SECRET));
        assert_eq!(send(ask.form(&form)).await.must_be(200).json["active"], true);
    }
    let bob = auth.logged_in("bob").await;
    let revoke = json!({ "refresh_token": pasted(&bob.refresh) });
    auth.post_as(&bob.access, "/revoke-refresh-token", revoke).await.must_be(200);
    assert!(!auth.is_good(&bob.access).await);
    for path in ["/logout", "/logout-all-devices"] {
        let carol = auth.logged_in("carol").await;
        let own = json!({ "refresh_token": pasted(&carol.refresh) });
        auth.post(path, own).await.must_be(200);
        assert!(!auth.is_good(&carol.access).await, "{path}");
    }
    let form = [("token", pasted(&refreshed.text_at("/data/refresh/token")))];
    let ask = auth.request(Method::POST, "/revoke").basic_auth(GATEWAY, Some(SECRET));
    send(ask.form(&form)).await.must_be(200);
    assert!(!auth.is_good(&alice.access).await);
}

/// Scanners of mail open every link in it.
#[tokio::test(flavor = "multi_thread")]
async fn f_49_a_link_that_is_only_opened_does_nothing() {
    let auth = Service::start().await;
    auth.post("/register", newcomer("ada@example.com")).await.must_be(201);
    let token = auth.mailed_token(0);
    for path in ["/verify-email", "/reset-password"] {
        for method in [Method::GET, Method::HEAD] {
            let open = auth.request(method, &format!("{path}?token={token}"));
            send(open).await.must_be(405);
        }
    }
    let credentials = json!({ "email": "ada@example.com", "password": PASSWORD });
    auth.post("/login-enhanced", credentials).await.must_be(401);
    auth.post("/verify-email", json!({ "token": token })).await.must_be(200);
}
