//! `/sessions`.

use std::time::Duration;

use portcullis_tests::Service;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_as_documented_field_by_field() {
    let auth = Service::start().await;
    let here = auth.logged_in("alice").await;
    let then = auth.clock.now();
    auth.clock.advance(Duration::from_millis(5));
    let there = auth.logged_in("alice").await;
    auth.logged_in("bob").await;

    let answer = auth.get_as(&here.access, "/sessions").await.must_be(200);

    let data = &answer.json["data"];
    let device = |session: &serde_json::Value| session["device_info"].clone();
    let session = |id: &str, seen, is_current, device| {
        json!({
            "id": id, "device_info": device, "ip_address": "127.0.0.1", "last_activity": seen,
            "is_current": is_current,
        })
    };
    // The request itself is the latest use of the session that asks.
    let now = auth.clock.now();
    assert!(now > then);
    let current = session(&here.session, now, true, device(&data["current_session"]));
    let other = session(&there.session, now, false, device(&data["other_sessions"][0]));
    assert_eq!(
        answer.json,
        json!({
            "status": "success",
            "data": { "current_session": current, "other_sessions": [other] },
        })
    );
    let mut fields: Vec<&str> = data["current_session"]["device_info"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    fields.sort_unstable();
    assert_eq!(fields, ["browser", "device", "ip", "os"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_the_others_spares_the_callers_own() {
    let auth = Service::start().await;
    let here = auth.logged_in("alice").await;
    let there = auth.logged_in("alice").await;
    let bob = auth.logged_in("bob").await;

    let answer = auth.delete_as(&here.access, "/sessions").await.must_be(200);

    assert_eq!(answer.json["data"], json!({ "sessions_revoked": 1, "tokens_revoked": 1 }));
    assert_eq!(answer.json["message"], "Revoked 1 sessions successfully");
    assert!(auth.is_good(&here.access).await && auth.is_good(&bob.access).await);
    assert!(!auth.is_good(&there.access).await);
    auth.refresh(&here.refresh).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_current_session_is_included_only_when_asked_for() {
    let auth = Service::start().await;
    let here = auth.logged_in("alice").await;
    auth.logged_in("alice").await;
    auth.delete_as(&here.access, "/sessions?include_current=maybe").await.must_be(400);

    let answer = auth.delete_as(&here.access, "/sessions?include_current=true").await.must_be(200);

    assert_eq!(answer.json["data"]["sessions_revoked"], 2);
    assert!(!auth.is_good(&here.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_session_is_not_listed() {
    let auth = Service::start().await;
    auth.logged_in("alice").await;
    auth.clock.advance(Duration::from_hours(24 * 7));
    let here = auth.logged_in("alice").await;
    let answer = auth.get_as(&here.access, "/sessions").await.must_be(200);
    assert_eq!(answer.json["data"]["other_sessions"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_that_was_used_last_is_listed_first() {
    let auth = Service::start().await;
    let here = auth.logged_in("alice").await;
    let (older, younger) = (auth.logged_in("alice").await, auth.logged_in("alice").await);
    for last in [&older, &younger, &older] {
        auth.clock.advance(Duration::from_mins(2));
        assert!(auth.is_good(&last.access).await);
        let list = auth.get_as(&here.access, "/sessions").await.must_be(200);
        assert_eq!(list.json["data"]["other_sessions"][0]["id"], last.session);
    }
}
