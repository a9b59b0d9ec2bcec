//! What is written down and whom it is told, and that no secret is among it.

use std::time::Duration;

use portcullis_tests::{PASSWORD, captured_log, send};
use reqwest::Method;
use serde_json::{Value, json};

use crate::site::own;

#[tokio::test(flavor = "multi_thread")]
async fn r_50_no_client_writes_lines_of_its_own_into_log_or_trail() {
    let Some(auth) = own(|_| ()).await else { return };
    let user_id = auth.user("alice").await;
    let fake = "\r\n{\"event\":\"fake_event_of_a_client\"}";
    for agent in ["Mozilla/5.0\t{\"event\":\"fake_event_of_a_client\"}", "\u{85}\u{2028}x"] {
        let request = auth.request(Method::POST, "/login-enhanced").header("user-agent", agent);
        let body = json!({ "email": "alice@example.com", "password": PASSWORD });
        send(request.json(&body)).await.must_be(200);
    }
    let email = format!("alice@example.com{fake}");
    let body = json!({ "email": email, "password": PASSWORD, "mode": fake });
    auth.post("/login-enhanced", body).await;
    auth.post("/login-enhanced", json!({ "email": email, "password": PASSWORD })).await;
    let odd = format!("/sessions/{}", fake.replace('\r', "%0d").replace('\n', "%0a"));
    auth.delete_as("x", &odd).await.must_be(401);

    for line in captured_log().lines() {
        let line: Value = serde_json::from_str(line).expect("one JSON object a line");
        assert_ne!(line["event"], "fake_event_of_a_client");
        assert_ne!(line["fields"]["event"], "fake_event_of_a_client");
    }
    let agents = "select user_agent from audit_events where user_id = ?";
    let agents: Vec<String> =
        sqlx::query_scalar(agents).bind(user_id).fetch_all(auth.db()).await.unwrap();
    assert_eq!(agents.len(), 2);
    assert!(agents.iter().all(|agent| !agent.contains(char::is_control)), "{agents:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r_50_the_trail_says_who_did_what_when_and_from_where() {
    let Some(auth) = own(|_| ()).await else { return };
    let root = auth.admin("root").await;
    let alice = auth.logged_in("alice").await;
    let wrong = json!({ "email": "alice@example.com", "password": "a wrong one" });
    auth.post("/login-enhanced", wrong).await.must_be(401);
    let next = auth.refresh(&alice.refresh).await.must_be(200);
    auth.refresh(&next.text_at("/data/refresh/token")).await.must_be(200);
    auth.refresh(&alice.refresh).await.must_be(401);

    let path = format!("/admin/audit?user_id={}", alice.user_id);
    let trail = auth.get_as(&root.access, &path).await.must_be(200).json["data"]["events"].clone();

    let events = trail.as_array().unwrap();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["authn_token_reuse", "authn_login_fail", "authn_login_success"]);
    for event in events {
        assert_eq!(event["user_id"], alice.user_id);
        assert_eq!(event["ip_address"], "127.0.0.1");
        assert_eq!(event["at"], json!(auth.clock.now()));
        for known in ["request_id", "user_agent"] {
            assert!(event[known].is_string(), "{known}: {event}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_50_the_owner_hears_of_what_happens_to_the_account() {
    let Some(auth) = own(|_| ()).await else { return };
    let alice = auth.logged_in("alice").await;
    let next = auth.refresh(&alice.refresh).await.must_be(200);
    auth.clock.advance(Duration::from_mins(1));
    auth.refresh(&alice.refresh).await.must_be(401);
    drop(next);
    let here = auth.logged_in("alice").await;
    let new = "seven new words for an old gate";
    let body = json!({ "current_password": PASSWORD, "new_password": new });
    auth.post_as(&here.access, "/change-password", body).await.must_be(200);
    let mails = auth.all_mails().await;
    assert_eq!(mails.len(), 2, "{mails:#?}");
    assert!(mails.iter().all(|mail| mail.contains("To: alice@example.com")));
    assert!(mails.iter().all(|mail| !mail.contains(new) && !mail.contains("prt_")));
}
