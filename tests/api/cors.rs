//! Which other sites' pages may call.

use portcullis_tests::Service;
use reqwest::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use reqwest::{Method, Response};

async fn service() -> Service {
    Service::with(|settings| {
        settings.server.cors_origins = "https://app.example.com".parse().unwrap();
    })
    .await
}

async fn asked(auth: &Service, method: Method, path: &str, origin: &str) -> Response {
    let request = auth.raw(method, path).header(ORIGIN, origin);
    request.header(ACCESS_CONTROL_REQUEST_METHOD, "POST").send().await.unwrap()
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn r_37_a_listed_origin_may_call_with_cookies() {
    let auth = service().await;
    let before =
        asked(&auth, Method::OPTIONS, "/api/v1/auth/refresh", "https://app.example.com").await;
    assert_eq!(before.status(), 200);
    assert_eq!(header(&before, "access-control-allow-origin"), "https://app.example.com");
    assert_eq!(header(&before, "access-control-allow-credentials"), "true");
    let call = asked(&auth, Method::GET, "/api/v1/auth/me", "https://app.example.com").await;
    assert_eq!(call.status(), 401);
    assert_eq!(header(&call, "access-control-allow-origin"), "https://app.example.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn r_37_no_other_origin_is_told_anything() {
    let auth = service().await;
    for origin in [
        "https://evil.example",
        "null",
        "https://app.example.com.evil.example",
        "http://app.example.com",
    ] {
        for method in [Method::OPTIONS, Method::GET] {
            let answer = asked(&auth, method, "/api/v1/auth/me", origin).await;
            assert_eq!(header(&answer, "access-control-allow-origin"), "", "{origin}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forward_authentication_refuses_a_stranger_whatever_the_method() {
    let auth = service().await;
    for path in ["/api/v1/auth/verify", "/api/v1/auth/verify/some/page"] {
        // With the method that shall follow it would be a preflight, which is the service's to answer.
        let answer = auth.raw(Method::OPTIONS, path).header(ORIGIN, "https://app.example.com");
        assert_eq!(answer.send().await.unwrap().status(), 401, "{path}");
        for method in [Method::GET, Method::POST, Method::HEAD, Method::TRACE] {
            let answer = asked(&auth, method.clone(), path, "https://app.example.com").await;
            assert_eq!(answer.status(), 401, "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_origins_nobody_is_allowed() {
    let auth = Service::start().await;
    let answer =
        asked(&auth, Method::OPTIONS, "/api/v1/auth/refresh", "https://app.example.com").await;
    assert_eq!(answer.status(), 405);
    assert_eq!(header(&answer, "access-control-allow-origin"), "");
}
