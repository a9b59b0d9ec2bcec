//! `/register`, `/verify-email`, `/resend-verification`.

use std::time::Duration;

use portcullis_tests::{Answer, PASSWORD, Service, wait_until};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn c_24_a_newcomer_verifies_the_address_and_logs_in() {
    let auth = Service::start().await;

    let answer = auth.post("/register", newcomer("ada@example.com")).await.must_be(201);
    assert_eq!(answer.json["status"], "success");
    assert!(answer.json["message"].is_string());
    let credentials = json!({ "email": "ada@example.com", "password": PASSWORD });
    auth.post("/login-enhanced", credentials.clone()).await.must_be(401);

    let token = auth.mailed_token(0);
    auth.post("/verify-email", json!({ "token": token })).await.must_be(200);
    auth.post("/login-enhanced", credentials).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_37_a_known_address_gets_the_same_answer_and_another_mail() {
    let auth = Service::start().await;
    let first = auth.post("/register", newcomer("ada@example.com")).await.must_be(201);
    let token = auth.mailed_token(0);
    auth.clock.advance(Duration::from_mins(10));
    let second = auth.post("/register", newcomer(" ADA@Example.com ")).await.must_be(201);
    assert_eq!(first.text, second.text);
    let users: i64 =
        sqlx::query_scalar("select count(*) from users").fetch_one(auth.db()).await.unwrap();
    assert_eq!(users, 1);
    let trail =
        "select group_concat(event order by id) from audit_events where user_id is not null";
    let trail: String = sqlx::query_scalar(trail).fetch_one(auth.db()).await.unwrap();
    assert_eq!(trail, "user_created,user_create_fail");
    wait_until("the second mail is there", || auth.mails().len() == 2);
    assert!(!auth.mails()[1].contains(&token));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailed_token_works_for_a_day() {
    let auth = Service::start().await;
    auth.post("/register", newcomer("ada@example.com")).await.must_be(201);
    let ada = auth.mailed_token(0);
    auth.post("/register", newcomer("bob@example.com")).await.must_be(201);
    let bob = auth.mailed_token(1);
    auth.post("/verify-email", json!({ "token": ada })).await.must_be(200);
    auth.clock.advance(Duration::from_hours(24));
    auth.post("/verify-email", json!({ "token": bob })).await.must_be(422);
    let unknown = "A".repeat(43);
    for token in ["", "garbage", &unknown] {
        let answer = auth.post("/verify-email", json!({ "token": token })).await.must_be(422);
        assert_eq!(answer.json["code"], "invalid_email_token");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_mail_is_sent_and_tells_nothing_about_accounts() {
    let auth = Service::start().await;
    auth.post("/register", newcomer("ada@example.com")).await.must_be(201);
    auth.user("verified").await;
    let ask = async |email: &str| {
        auth.post("/resend-verification", json!({ "email": email })).await.must_be(200).text
    };
    let waiting = ask("ada@example.com").await;
    assert_eq!(ask("nobody@example.com").await, waiting);
    assert_eq!(ask("verified@example.com").await, waiting);

    assert_eq!(auth.all_mails().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_39_every_fault_of_a_newcomer_is_named_with_its_place() {
    let auth = Service::start().await;
    let body = json!({
        "email": "no address", "password": "short", "first_name": " ", "last_name": "x\u{0}y",
    });
    let answer = auth.post("/register", body).await.must_be(422);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(
        pointers(&answer),
        [
            ("#/email".to_owned(), "not_an_email".to_owned()),
            ("#/first_name".to_owned(), "not_a_name".to_owned()),
            ("#/last_name".to_owned(), "not_a_name".to_owned()),
            ("#/password".to_owned(), "password_too_short".to_owned()),
        ]
    );
    assert!(auth.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_proven_with_the_password_where_it_is_asked_for() {
    let auth = Service::start().await;
    auth.post("/register", newcomer("ada@example.com")).await.must_be(201);
    let token = auth.mailed_token(0);
    let prove = async |password: &str| {
        auth.post("/verify-email", json!({ "token": token, "password": password })).await
    };
    let credentials = json!({ "email": "ada@example.com", "password": PASSWORD });
    for wrong in ["", "not the one that was chosen"] {
        let refused = prove(wrong).await.must_be(422);
        assert_eq!(pointers(&refused), [("#/password".to_owned(), "wrong_password".to_owned())]);
        assert_eq!(refused.json["code"], "unacceptable");
        auth.post("/login-enhanced", credentials.clone()).await.must_be(401);
    }
    prove(PASSWORD).await.must_be(200);
    prove("not the one that was chosen").await.must_be(422);
    auth.post("/login-enhanced", credentials).await.must_be(200);
    let ada = auth.user("ada").await;
    let failed = auth.audit_trail(ada).await;
    assert_eq!(failed.iter().filter(|event| *event == "authn_login_fail").count(), 5, "{failed:?}");
}

/// Guessing by way of a link has an end, and what strangers guess is not its holder's.
#[tokio::test(flavor = "multi_thread")]
async fn guessing_beside_a_link_is_limited_by_itself() {
    let auth = Service::with(|settings| settings.limits.account_free_failures = 3).await;
    auth.post("/register", newcomer("ada@example.com")).await.must_be(201);
    let wrong = "not the one that was chosen";
    let login = json!({ "email": "ada@example.com", "password": wrong });
    let beside = json!({ "token": auth.mailed_token(0), "password": wrong });
    for (path, body, refused) in [("/login-enhanced", login, 401), ("/verify-email", beside, 422)] {
        let (mut answer, mut tries) = (auth.post(path, body.clone()).await, 1);
        while answer.status == refused && tries < 10 {
            (answer, tries) = (auth.post(path, body.clone()).await, tries + 1);
        }
        assert!(tries > 3 && answer.headers.contains_key("retry-after"), "{tries}: {answer:?}");
        answer.must_be(429);
    }
}

/// Whoever registers with an address of somebody else, or has their account for a while, is out once its
/// owner has chosen a password.
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_takes_an_account_over_from_whoever_registered_with_the_address() {
    let auth =
        Service::with(|settings| settings.accounts.email_verification_required = false).await;
    auth.post("/register", newcomer("ada@example.com")).await.must_be(201);
    let squatter = auth.logged_in("ada").await;
    auth.post_as(&squatter.access, "/change-email", json!({ "email": "mallory@example.com" }))
        .await
        .must_be(200);
    auth.post("/forgot-password", json!({ "email": "ada@example.com" })).await.must_be(200);
    auth.mails_are_out();
    let mails = auth.mails();
    let reset = mails.iter().position(|mail| mail.contains("Choose a new password")).unwrap();
    let mine = "four words of my own choice";
    let body = json!({ "token": auth.mailed_token(reset), "new_password": mine });
    auth.post("/reset-password", body).await.must_be(200);

    assert!(!auth.is_good(&squatter.access).await);
    auth.refresh(&squatter.refresh).await.must_be(401);
    auth.log_in("ada").await.must_be(401);
    let waiting = "select count(*) from email_changes where user_id = ?";
    assert_eq!(auth.count(waiting, squatter.user_id).await, 0, "nor does a change of address wait");
    let body = json!({ "email": "ada@example.com", "password": mine });
    auth.post("/login-enhanced", body).await.must_be(200);
}

fn newcomer(email: &str) -> Value {
    json!({
        "email": email, "password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace",
    })
}

fn pointers(answer: &Answer) -> Vec<(String, String)> {
    let errors = answer.json["errors"].as_array().expect("there are errors");
    let text = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
    errors.iter().map(|error| (text(error, "pointer"), text(error, "code"))).collect()
}
