//! Switches of the old system that are still there do what they say.

use std::time::Duration;

use portcullis_tests::{Answer, Service, send};
use reqwest::Method;
use serde_json::json;

async fn log_in_with_firefox(auth: &Service) -> Answer {
    auth.user("alice").await;
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
    let body = json!({ "email": "alice@example.com", "password": portcullis_tests::PASSWORD });
    let request = auth.request(Method::POST, "/login").header("User-Agent", agent);
    send(request.json(&body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_device_fingerprinting_no_device_is_recorded() {
    for (is_on, browser) in [(true, "Firefox"), (false, "Unknown")] {
        let auth = Service::with(|settings| settings.sessions.device_fingerprinting = is_on).await;
        let login = log_in_with_firefox(&auth).await.must_be(200);
        assert_eq!(login.text_at("/data/session/device_info/browser"), browser);
        let stored: String =
            sqlx::query_scalar("select cast(device_info as char) from user_sessions")
                .fetch_one(auth.db())
                .await
                .unwrap();
        assert!(stored.contains(browser), "{stored}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_activity_tracking_only_login_and_refresh_are_use_of_a_session() {
    for is_on in [true, false] {
        let auth =
            Service::with(|settings| settings.sessions.session_activity_tracking = is_on).await;
        let alice = auth.logged_in("alice").await;
        let last_activity = async || {
            let sql = "select cast(last_activity as char) from user_sessions where user_id = ?";
            let found = sqlx::query_scalar(sql).bind(alice.user_id).fetch_one(auth.db()).await;
            let at: String = found.unwrap();
            at
        };
        let at_login = last_activity().await;
        auth.clock.advance(Duration::from_mins(5));
        assert!(auth.is_good(&alice.access).await);
        auth.settle().await;
        assert_eq!(last_activity().await != at_login, is_on);
        let before = last_activity().await;
        auth.clock.advance(Duration::from_mins(5));
        auth.refresh(&alice.refresh).await.must_be(200);
        assert_ne!(last_activity().await, before);
    }
}
