//! What limits say of themselves on every answer of a limited route (R-49).

use portcullis_api::config::Limit;
use portcullis_tests::{PASSWORD, Service};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn r_49_every_answer_of_a_limited_route_tells_what_is_left() {
    let auth = Service::with(|settings| {
        settings.limits.rate_limit_login =
            Limit::Quota { quota: 3, window: Duration::from_mins(15) };
    })
    .await;
    auth.user("alice").await;
    for (password, status, left) in
        [(PASSWORD, 200, 2), ("a wrong password", 401, 1), (PASSWORD, 200, 0), (PASSWORD, 429, 0)]
    {
        let body = json!({ "email": "alice@example.com", "password": password });
        let answer = auth.post("/login-enhanced", body).await.must_be(status);
        assert_eq!(answer.header("ratelimit-policy"), r#""login";q=3;w=900"#);
        let standing = answer.header("ratelimit");
        let (before, seconds) = standing.split_once(";t=").expect("it says when");
        assert_eq!(before, format!(r#""login";r={left}"#));
        assert!((1..=900).contains(&seconds.parse::<u32>().unwrap()), "{standing}");
        assert_eq!(answer.headers.contains_key("retry-after"), status == 429);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_without_a_limit_says_nothing_of_one() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    for answer in [auth.get_as(&alice.access, "/me").await, auth.log_in("alice").await] {
        assert!(!answer.headers.contains_key("ratelimit"), "{answer:?}");
    }
}
