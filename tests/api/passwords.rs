//! `/forgot-password`, `/reset-password`, `/change-password`.

use std::time::Duration;

use portcullis_tests::{Answer, PASSWORD, Service, wait_until};
use serde_json::json;

const NEW: &str = "seven new words for an old gate";

#[tokio::test(flavor = "multi_thread")]
async fn r_08_bug_36_a_reset_ends_every_session_and_lets_the_new_password_in() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let bob = auth.logged_in("bob").await;
    let token = reset_token(&auth, 0, "alice@example.com").await;

    let body = json!({ "token": token, "new_password": NEW });
    auth.post("/reset-password", body.clone()).await.must_be(200);

    assert!(!auth.is_good(&alice.access).await);
    assert_eq!(auth.verdict(&alice), "NO_SESSION");
    auth.refresh(&alice.refresh).await.must_be(401);
    auth.log_in("alice").await.must_be(401);
    auth.clock.advance(Duration::from_secs(1));
    log_in_with(&auth, NEW).await.must_be(200);
    auth.post("/reset-password", body).await.must_be(422);
    assert!(auth.is_good(&bob.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weak_new_password_does_not_cost_the_token() {
    let auth = Service::start().await;
    auth.user("alice").await;
    let token = reset_token(&auth, 0, "alice@example.com").await;
    let weak = json!({ "token": token, "new_password": "password12345678" });
    let answer = auth.post("/reset-password", weak).await.must_be(422);
    assert_eq!(answer.json["errors"][0]["pointer"], "#/new_password");
    let good = json!({ "token": token, "new_password": NEW });
    auth.post("/reset-password", good).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_token_dies_after_its_hour_and_is_no_verification_token() {
    let auth = Service::start().await;
    auth.user("alice").await;
    let token = reset_token(&auth, 0, "alice@example.com").await;
    auth.post("/verify-email", json!({ "token": token })).await.must_be(422);
    auth.clock.advance(Duration::from_hours(1));
    let body = json!({ "token": token, "new_password": NEW });
    auth.post("/reset-password", body).await.must_be(422);
    auth.log_in("alice").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_08_a_changed_password_replaces_every_token_of_the_account() {
    let auth = Service::start().await;
    let here = auth.logged_in("alice").await;
    let there = auth.logged_in("alice").await;

    let answer = change(&auth, &here.access, PASSWORD, NEW).await.must_be(200);

    let access = answer.text_at("/data/access/token");
    assert_eq!(answer.json["data"]["access"]["expires_in"], 900);
    for old in [&here, &there] {
        assert!(!auth.is_good(&old.access).await);
        assert_eq!(auth.verdict(old), "NO_SESSION");
        auth.refresh(&old.refresh).await.must_be(401);
    }
    assert!(auth.is_good(&access).await);
    auth.refresh(&answer.text_at("/data/refresh/token")).await.must_be(200);
    assert_eq!(auth.live_sessions(here.user_id).await, 1);
    auth.log_in("alice").await.must_be(401);
    log_in_with(&auth, NEW).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_needs_the_current_password_and_a_good_new_one() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    change(&auth, &alice.access, "not the current one", NEW).await.must_be(422);
    let weak = change(&auth, &alice.access, PASSWORD, "short").await.must_be(422);
    assert_eq!(weak.json["errors"][0]["pointer"], "#/new_password");
    assert!(auth.is_good(&alice.access).await);
    auth.log_in("alice").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_current_password_is_no_new_one_however_it_is_typed() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let (composed, decomposed) = ("caf\u{e9} on the old gate", "cafe\u{301} on the old gate");
    let changed = change(&auth, &alice.access, PASSWORD, composed).await.must_be(200);
    let access = changed.text_at("/data/access/token");
    for same in [composed, decomposed] {
        let refused = change(&auth, &access, decomposed, same).await.must_be(422);
        assert_eq!(refused.json["code"], "unacceptable");
        assert_eq!(refused.json["errors"][0]["pointer"], "#/new_password");
        assert_eq!(refused.json["errors"][0]["code"], "password_unchanged");
    }
    let wrong = change(&auth, &access, NEW, NEW).await.must_be(422);
    assert_eq!(wrong.json["code"], "wrong_password", "nothing is told of a password by guessing");
    assert!(auth.is_good(&access).await);
    change(&auth, &access, composed, PASSWORD).await.must_be(200);
}

/// It would tell whoever has found a link what the password is that somebody has forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_compares_the_new_password_with_no_other() {
    let auth = Service::start().await;
    auth.user("alice").await;
    let token = reset_token(&auth, 0, "alice@example.com").await;
    let body = json!({ "token": token, "new_password": PASSWORD });
    auth.post("/reset-password", body).await.must_be(200);
}

async fn change(auth: &Service, access: &str, current: &str, new: &str) -> Answer {
    let body = json!({ "current_password": current, "new_password": new });
    auth.post_as(access, "/change-password", body).await
}

async fn log_in_with(auth: &Service, password: &str) -> Answer {
    let body = json!({ "email": "alice@example.com", "password": password });
    auth.post("/login-enhanced", body).await
}

/// Asks for a reset and reads the token from the mail, which is number `number`.
async fn reset_token(auth: &Service, number: usize, email: &str) -> String {
    auth.post("/forgot-password", json!({ "email": email })).await.must_be(200);
    wait_until("the mail is there", || auth.mails().len() > number);
    auth.mailed_token(number)
}

#[tokio::test(flavor = "multi_thread")]
async fn f_34_a_wrong_current_password_is_a_value_to_correct_and_no_dead_token() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let answer = change(&auth, &alice.access, "not the current one", NEW).await.must_be(422);
    assert_eq!(answer.json["code"], "wrong_password");
    assert_eq!(answer.json["errors"][0]["pointer"], "#/current_password");
    assert_eq!(answer.header("www-authenticate"), "");
    assert!(auth.is_good(&alice.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_34_a_dead_link_is_a_value_to_correct_and_no_dead_token() {
    let auth = Service::start().await;
    auth.user("alice").await;
    let used = reset_token(&auth, 0, "alice@example.com").await;
    let body = json!({ "token": used, "new_password": NEW });
    auth.post("/reset-password", body).await.must_be(200);
    for token in [used, "garbage".to_owned(), String::new(), "A".repeat(43)] {
        for (path, body) in [
            ("/verify-email", json!({ "token": token })),
            ("/reset-password", json!({ "token": token, "new_password": NEW })),
        ] {
            let answer = auth.post(path, body).await.must_be(422);
            assert_eq!(answer.json["code"], "invalid_email_token", "{path}");
            assert_eq!(answer.json["errors"][0]["pointer"], "#/token", "{path}");
            assert_eq!(answer.header("www-authenticate"), "", "{path}");
        }
    }
}
