//! What every answer has, and what bad requests get.

use portcullis_tests::{PASSWORD, Service};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Every endpoint that reads a body, and a good one for it.
fn endpoints() -> [(&'static str, Value); 7] {
    [
        (
            "/register",
            json!({
                "email": "new@example.com", "password": PASSWORD, "first_name": "N",
                "last_name": "E",
            }),
        ),
        ("/verify-email", json!({ "token": "A".repeat(43) })),
        ("/resend-verification", json!({ "email": "alice@example.com" })),
        ("/login-enhanced", json!({ "email": "alice@example.com", "password": PASSWORD })),
        ("/login", json!({ "email": "alice@example.com", "password": PASSWORD })),
        ("/refresh", json!({ "refresh_token": "x" })),
        ("/logout", json!({ "logout_all": true })),
    ]
}

/// Every field of every body.
fn fields() -> impl Iterator<Item = (&'static str, String, Value)> {
    endpoints().into_iter().flat_map(|(path, body)| {
        let names: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
        names.into_iter().map(move |name| (path, name, body.clone()))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn r_39_every_error_is_a_problem_document_and_carries_the_security_headers() {
    let auth = Service::start().await;
    let answers = [
        auth.raw(Method::GET, "/nothing-here"),
        auth.raw(Method::GET, "/api/v1/auth/sessions"),
        auth.raw(Method::DELETE, "/health"),
        auth.raw(Method::POST, "/api/v1/auth/refresh").body("{"),
        auth.raw(Method::POST, "/api/v1/auth/refresh").json(&json!({})),
        auth.raw(Method::POST, "/api/v1/auth/refresh").json(&json!({ "refresh_token": 1 })),
        auth.raw(Method::POST, "/api/v1/auth/refresh").body("x".repeat(1_000_000)),
        auth.raw(Method::GET, "/metrics"),
    ];
    let mut statuses = Vec::new();
    for request in answers {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body: Value = answer.json().await.unwrap();
        let header = |name: &str| headers[name].to_str().unwrap();
        statuses.push(status.as_u16());
        assert_eq!(header("content-type"), "application/problem+json");
        assert_eq!(header("strict-transport-security"), "max-age=63072000; includeSubDomains");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(
            header("content-security-policy"),
            "default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
        );
        assert_eq!(body["status"], status.as_u16());
        assert_eq!(body["title"], status.canonical_reason().unwrap());
        assert_eq!((&body["status_text"], &body["type"]), (&json!("error"), &json!("about:blank")));
        assert_eq!(body["detail"], body["message"]);
        let code = body["code"].as_str().unwrap();
        assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code}");
    }
    assert_eq!(statuses, [404, 401, 405, 415, 400, 422, 413, 404]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_json_of_the_right_shape_is_refused_and_changes_nothing() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    for (path, good) in endpoints() {
        let send = async |body: Vec<u8>, content_type: &str| {
            let request = auth.request(Method::POST, path).bearer_auth(&alice.access);
            let request = request.header("content-type", content_type).body(body);
            request.send().await.unwrap().status().as_u16()
        };
        let good = serde_json::to_vec(&good).unwrap();
        let json = "application/json; charset=utf-8";
        let cut = good[..good.len() - 1].to_vec();
        let huge = [b" ".repeat(1_000_000), good.clone()].concat();
        assert_eq!(send(cut, json).await, 400, "{path}");
        assert_eq!(send([&good[..], b"{}"].concat(), json).await, 400, "{path}");
        assert_eq!(send(b"[1]".to_vec(), json).await, 400, "{path}");
        assert_eq!(send(b"\"\xff\"".to_vec(), json).await, 400, "{path}");
        assert_eq!(send(b"[".repeat(10_000), json).await, 400, "{path}");
        assert_eq!(send(huge, json).await, 413, "{path}");
        for other in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
            assert_eq!(send(good.clone(), other).await, 415, "{path}");
        }
    }
    assert!(auth.is_good(&alice.access).await);
    auth.refresh(&alice.refresh).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_39_a_missing_or_wrongly_typed_field_is_named() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let named = |answer: portcullis_tests::Answer| answer.json["errors"][0]["pointer"].clone();
    for (path, field, good) in fields() {
        let pointer = json!(format!("#/{field}"));
        if path != "/logout" {
            let mut body = good.clone();
            body.as_object_mut().unwrap().remove(&field);
            assert_eq!(named(auth.post(path, body).await.must_be(400)), pointer, "{path}");
        }
        for wrong in [json!({}), json!([]), json!(1.5)] {
            let mut body = good.clone();
            body[&field] = wrong;
            let answer = auth.post_as(&alice.access, path, body).await.must_be(422);
            assert_eq!(named(answer), pointer, "{path}");
        }
    }
    assert!(auth.is_good(&alice.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_id_of_its_request() {
    let auth = Service::start().await;
    let id_of = async |given: Option<&str>| {
        let mut request = auth.raw(Method::GET, "/livez");
        if let Some(given) = given {
            request = request.header("x-request-id", given);
        }
        let answer = request.send().await.unwrap();
        answer.headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(id_of(Some("abc-123.X_y")).await, "abc-123.X_y");
    let long = "a".repeat(65);
    for odd in [None, Some("a b"), Some("<script>"), Some(&long)] {
        let made = id_of(odd).await;
        assert_eq!(made.len(), 16, "{made}");
    }
    assert_ne!(id_of(None).await, id_of(None).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_names_each_part() {
    let auth = Service::start().await;
    let answer = auth.raw(Method::GET, "/health").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(
        body,
        json!({
            "status": "healthy",
            "timestamp": auth.clock.now(),
            "services": {
                "database": { "healthy": true, "message": "connected" },
                "redis": { "healthy": true, "message": "connected" },
                "auth": { "healthy": true, "message": "connected" },
            },
        })
    );
    for path in ["/livez", "/readyz"] {
        assert_eq!(auth.raw(Method::GET, path).send().await.unwrap().status(), 200);
    }
}
