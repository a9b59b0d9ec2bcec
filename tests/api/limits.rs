//! What limits say of themselves on every answer of a limited route (R-49).

use portcullis_api::settings::Limit;
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
async fn each_limited_route_takes_from_the_limit_that_it_is_named_under() {
    let limit = |quota| Limit::Quota { quota, window: Duration::from_mins(15) };
    let auth = Service::with(|settings| {
        settings.limits.rate_limit_login = limit(101);
        settings.limits.rate_limit_refresh = limit(102);
        settings.limits.rate_limit_logout = limit(103);
        settings.limits.rate_limit_register = limit(104);
        settings.limits.rate_limit_mail = limit(105);
    })
    .await;
    let (email, token) = ("alice@example.com", "x");
    let newcomer = json!({
        "email": email, "password": PASSWORD, "first_name": "A", "last_name": "B",
    });
    let login = json!({ "email": email, "password": PASSWORD });
    let reset = json!({ "token": token, "new_password": PASSWORD });
    for (path, body, policy) in [
        ("/login", login.clone(), r#""login";q=101;w=900"#),
        ("/login-enhanced", login, r#""login";q=101;w=900"#),
        ("/refresh", json!({ "refresh_token": token }), r#""refresh";q=102;w=900"#),
        ("/logout", json!({}), r#""logout";q=103;w=900"#),
        ("/logout-all-devices", json!({}), r#""logout";q=103;w=900"#),
        ("/register", newcomer, r#""register";q=104;w=900"#),
        ("/verify-email", json!({ "token": token }), r#""mail";q=105;w=900"#),
        ("/resend-verification", json!({ "email": email }), r#""mail";q=105;w=900"#),
        ("/forgot-password", json!({ "email": email }), r#""mail";q=105;w=900"#),
        ("/reset-password", reset, r#""mail";q=105;w=900"#),
    ] {
        let caller = auth.logged_in("bob").await;
        let answer = auth.post_as(&caller.access, path, body).await;
        assert_eq!(answer.header("ratelimit-policy"), policy, "{path}: {answer:?}");
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
