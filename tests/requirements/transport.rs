//! What every answer carries, and what is not on the public listener.

use portcullis_tests::{Answer, send};
use reqwest::Method;
use serde_json::json;

use crate::routes::{ROUTES, request, tokens, with_credentials};
use crate::site::{site, skip};

/// What every answer must carry, whatever it says (R-33 with one exception, R-35, R-36).
fn carries_the_headers(answer: &Answer, place: &str) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{place}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{place}");
    let hsts = answer.header("strict-transport-security");
    let age = hsts.split(';').find_map(|part| part.trim().strip_prefix("max-age="));
    assert!(age.unwrap_or("0").parse::<u64>().unwrap() >= 31_536_000, "{place}: {hsts}");
    assert!(hsts.split(';').any(|part| part.trim() == "includeSubDomains"), "{place}: {hsts}");
    let policy: Vec<&str> =
        answer.header("content-security-policy").split(';').map(str::trim).collect();
    for directive in ["default-src", "object-src", "base-uri", "frame-ancestors"] {
        assert!(policy.contains(&format!("{directive} 'none'").as_str()), "{place}: {policy:?}");
    }
    assert!(!answer.headers.contains_key("x-xss-protection"), "{place}");
    let cache = answer.header("cache-control");
    let may_be_kept = place.contains("/.well-known/") && answer.status == 200;
    assert_eq!(cache == "no-store", !may_be_kept, "{place}: {cache}");
    assert!(!answer.header("x-request-id").is_empty(), "{place}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r_33_r_35_r_36_bug_30_every_answer_carries_the_security_headers() {
    let site = site().await;
    let token = tokens(&site).await;
    for route in ROUTES.into_iter().filter(|route| route.1 != "/admin/logout-everyone") {
        let (method, path, ..) = route;
        carries_the_headers(&send(request(&site, "PROPFIND", path)).await, path);
        carries_the_headers(&send(request(&site, method, path)).await, path);
        let Some(access) = token(route).filter(|_| method == "GET") else { continue };
        carries_the_headers(&send(with_credentials(&site, route, &access)).await, path);
    }
    for (answer, place) in [
        (site.log_in("alice").await.must_be(200), "login"),
        (site.refresh("prt_x").await.must_be(401), "refresh"),
        (site.post("/register", json!({ "email": "x" })).await.must_be(400), "register"),
    ] {
        carries_the_headers(&answer, place);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_40_bug_29_what_operators_see_is_not_on_the_public_listener() {
    let site = site().await;
    for path in ["/metrics", "/openapi.json", "/docs", "/debug", "/status", "/api/v1/auth/metrics"]
    {
        send(site.raw(Method::GET, path)).await.must_be(404);
    }
    let Some(operations) = site.operations() else {
        return skip("PORTCULLIS_OPS_URL is not set");
    };
    let metrics = send(site.http.get(operations + "/metrics")).await.must_be(200);
    assert!(metrics.text.contains("portcullis_sessions_created_total"), "{}", metrics.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_29_health_tells_people_and_orchestrators_apart_and_no_causes() {
    let site = site().await;
    let health = send(site.raw(Method::GET, "/health")).await.must_be(200).json;
    for part in ["database", "redis", "auth"] {
        assert_eq!(health["services"][part]["healthy"], true, "{health}");
        let message = health["services"][part]["message"].as_str().unwrap();
        assert!(!message.contains("://") && message.len() < 40, "{message}");
    }
    for path in ["/livez", "/readyz"] {
        send(site.raw(Method::GET, path)).await.must_be(200);
    }
}
