//! `POST /change-email` and `/confirm-email`, and `PATCH /me`: what people change about their account.

use std::time::Duration;

use portcullis_tests::{Login, PASSWORD, Service, wait_until};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// The token in the newest mail to an address.
fn mailed_to(auth: &Service, email: &str) -> String {
    auth.mails_are_out();
    let to = format!("To: {email}\r\n");
    let found = || auth.mails().into_iter().rev().find(|mail| mail.contains(&to));
    wait_until("the mail is there", || found().is_some());
    let mail = found().unwrap();
    let words = mail.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)));
    words.max_by_key(|word| word.len()).unwrap_or_default().to_owned()
}

async fn ask(auth: &Service, who: &Login, email: &str) {
    auth.post_as(&who.access, "/change-email", json!({ "email": email })).await.must_be(200);
}

async fn confirm(auth: &Service, token: &str) -> (StatusCode, Value) {
    let answer = auth.post("/confirm-email", json!({ "token": token })).await;
    (answer.status, answer.json["data"]["changed"].clone())
}

async fn email(auth: &Service, who: &Login) -> String {
    auth.get_as(&who.access, "/me").await.must_be(200).text_at("/data/user/email")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_changes_with_the_second_confirmation_whichever_that_is() {
    let auth = Service::start().await;
    for (name, first, second) in [("ann", "ann", "ann-new"), ("ben", "ben-new", "ben")] {
        let here = auth.logged_in(name).await;
        let there = auth.logged_in(name).await;
        let new = format!("{name}-new@example.com");
        ask(&auth, &here, &new.to_uppercase()).await;
        let tokens = [first, second].map(|it| mailed_to(&auth, &format!("{it}@example.com")));
        for _ in 0..2 {
            assert_eq!(confirm(&auth, &tokens[0]).await, (StatusCode::OK, json!(false)));
        }
        assert_eq!(email(&auth, &here).await, format!("{name}@example.com"));
        assert_eq!(confirm(&auth, &tokens[1]).await, (StatusCode::OK, json!(true)));
        assert_eq!(email(&auth, &here).await, new);
        assert!(auth.is_good(&here.access).await && !auth.is_good(&there.access).await);
        for token in &tokens {
            assert_eq!(confirm(&auth, token).await.0, 422, "a change happens once");
        }
        let trail = auth.audit_trail(here.user_id).await;
        assert!(
            trail.ends_with(&["user_email_change_asked".into(), "user_email_changed".into()]),
            "{trail:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_has_an_account_is_told_so_and_nobody_else() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    auth.user("bob").await;
    ask(&auth, &alice, "bob@example.com").await;
    auth.mails_are_out();
    let mails = auth.mails();
    let to_bob: Vec<_> = mails.iter().filter(|mail| mail.contains("To: bob@")).collect();
    assert_eq!(to_bob.len(), 1);
    assert!(to_bob[0].contains("Subject: You already have an account"), "{}", to_bob[0]);
    let token = mailed_to(&auth, "alice@example.com");
    assert_eq!(confirm(&auth, &token).await, (StatusCode::OK, json!(false)), "as ever");
    assert_eq!(email(&auth, &alice).await, "alice@example.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_meanwhile_is_not_taken_away() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    ask(&auth, &alice, "carol@example.com").await;
    let tokens = ["alice", "carol"].map(|it| mailed_to(&auth, &format!("{it}@example.com")));
    auth.user("carol").await;
    assert_eq!(confirm(&auth, &tokens[0]).await.0, 200);
    assert_eq!(confirm(&auth, &tokens[1]).await.0, 422);
    assert_eq!(email(&auth, &alice).await, "alice@example.com");
    auth.log_in("carol").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_again_replaces_what_was_asked_and_its_tokens() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    ask(&auth, &alice, "first@example.com").await;
    let [old, first] = ["alice", "first"].map(|it| mailed_to(&auth, &format!("{it}@example.com")));
    assert_eq!(confirm(&auth, &old).await.0, 200);
    ask(&auth, &alice, "second@example.com").await;
    let [again, second] =
        ["alice", "second"].map(|it| mailed_to(&auth, &format!("{it}@example.com")));
    assert_ne!(old, again);
    for dead in [&old, &first] {
        assert_eq!(confirm(&auth, dead).await.0, 422);
    }
    assert_eq!(confirm(&auth, &second).await, (StatusCode::OK, json!(false)));
    assert_eq!(confirm(&auth, &first).await.0, 200, "it counts for nothing");
    assert_eq!(email(&auth, &alice).await, "alice@example.com");
    assert_eq!(confirm(&auth, &again).await, (StatusCode::OK, json!(true)));
    assert_eq!(email(&auth, &alice).await, "second@example.com");
}

/// Who changes the password because somebody else is in the account must not leave them a way back.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_takes_back_a_change_that_waits() {
    let auth = Service::start().await;
    let (thief, alice) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    ask(&auth, &thief, "thief@example.com").await;
    let tokens = ["alice", "thief"].map(|it| mailed_to(&auth, &format!("{it}@example.com")));
    assert_eq!(confirm(&auth, &tokens[1]).await, (StatusCode::OK, json!(false)));
    let body = json!({ "current_password": PASSWORD, "new_password": "four words of my own" });
    let changed = auth.post_as(&alice.access, "/change-password", body).await.must_be(200);
    for token in &tokens {
        assert_eq!(confirm(&auth, token).await.0, 422);
    }
    let alice = Login { access: changed.text_at("/data/access/token"), ..alice };
    assert_eq!(email(&auth, &alice).await, "alice@example.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_expires_and_a_disabled_user_changes_nothing() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    ask(&auth, &alice, "new@example.com").await;
    let [old, new] = ["alice", "new"].map(|it| mailed_to(&auth, &format!("{it}@example.com")));
    assert_eq!(confirm(&auth, &old).await.0, 200);
    let disable = "update users set is_active = ? where id = ?";
    for (is_active, status) in [(false, 422), (true, 422)] {
        sqlx::query(disable).bind(is_active).bind(alice.user_id).execute(auth.db()).await.unwrap();
        if is_active {
            auth.clock.advance(auth.app.settings.accounts.email_token_expires_in);
        }
        assert_eq!(confirm(&auth, &new).await.0, status, "active: {is_active}");
    }
    auth.log_in("alice").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_11_a_change_of_address_wants_a_recent_login_and_one_of_ones_own() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    for wrong in ["alice@example.com", "Alice@EXAMPLE.com", "nobody", ""] {
        let change = json!({ "email": wrong });
        let answer = auth.post_as(&alice.access, "/change-email", change).await.must_be(422);
        assert_eq!(answer.text_at("/errors/0/pointer"), "#/email", "{wrong}");
    }
    auth.clock.advance(Duration::from_mins(14));
    let later = auth.refresh(&alice.refresh).await.must_be(200).text_at("/data/access/token");
    auth.clock.advance(Duration::from_mins(2));
    let change = json!({ "email": "new@example.com" });
    let answer = auth.post_as(&later, "/change-email", change.clone()).await.must_be(401);
    assert_eq!(answer.text_at("/code"), "insufficient_user_authentication");
    auth.post("/change-email", change).await.must_be(401);
    auth.mails_are_out();
    assert!(auth.mails().iter().all(|mail| !mail.contains("To: new@")));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_one_kind_are_no_good_for_another() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    auth.post("/forgot-password", json!({ "email": "alice@example.com" })).await.must_be(200);
    let reset = auth.mailed_token(0);
    assert_eq!(confirm(&auth, &reset).await.0, 422);
    ask(&auth, &alice, "new@example.com").await;
    let token = mailed_to(&auth, "new@example.com");
    let body = json!({ "token": token, "new_password": "four unrelated new words" });
    auth.post("/reset-password", body).await.must_be(422);
    auth.post("/verify-email", json!({ "token": token })).await.must_be(422);
    assert_eq!(confirm(&auth, &token).await.0, 200, "and it was not used up");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_language_change_one_by_one_or_together() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let patch = async |body: Value| {
        let request = auth.request(Method::PATCH, "/me").bearer_auth(&alice.access).json(&body);
        portcullis_tests::send(request).await
    };
    let user =
        patch(json!({ "first_name": " Alicia " })).await.must_be(200).json["data"]["user"].clone();
    assert_eq!(
        (&user["first_name"], &user["last_name"], &user["locale"]),
        (&json!("Alicia"), &json!("Tester"), &Value::Null)
    );
    let user = patch(json!({ "last_name": "L", "locale": "de-CH" })).await.must_be(200).json["data"]["user"].clone();
    assert_eq!(
        (&user["first_name"], &user["last_name"], &user["locale"]),
        (&json!("Alicia"), &json!("L"), &json!("de"))
    );
    let wrong =
        patch(json!({ "first_name": "", "last_name": "\u{7}", "locale": "xx" })).await.must_be(422);
    assert_eq!(wrong.json["errors"].as_array().unwrap().len(), 3, "{wrong:?}");
    patch(json!({ "first_name": null })).await.must_be(400);
    let body = json!({ "email": "alice@example.com", "password": PASSWORD, "mode": "cookie" });
    let login = auth.post("/login-enhanced", body).await.must_be(200);
    let cookie = login.headers.get_all("set-cookie").iter().find_map(|it| {
        it.to_str().unwrap().split(';').next().filter(|it| it.starts_with("__Host-access"))
    });
    let forged = auth.request(Method::PATCH, "/me").header("cookie", cookie.unwrap());
    let forged = portcullis_tests::send(forged.json(&json!({ "first_name": "Mallory" }))).await;
    assert_eq!(forged.status, 403, "a cookie alone changes nothing");
}
