//! Requests that are odd, whatever they ask for.

use portcullis_tests::{Client, send};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::site::site;

#[tokio::test(flavor = "multi_thread")]
async fn f_37_null_is_the_same_as_not_there() {
    let auth = site().await;
    let account = auth.person("alice").await;
    let mut body = account.body();
    body["mode"] = Value::Null;
    for path in ["/login", "/login-enhanced"] {
        let login = auth.post(path, body.clone()).await.must_be(200);
        let refresh = login.text_at("/data/tokens/refresh/token");
        let body = json!({ "refresh_token": refresh, "session_id": null, "device": null });
        let next = auth.post("/refresh", body).await.must_be(200);
        let access = next.text_at("/data/access/token");
        let body = json!({ "session_id": null, "logout_all": null, "refresh_token": null });
        auth.post_as(&access, "/logout", body).await.must_be(200);
        assert!(!auth.is_good(&access).await);
    }
    for path in ["/logout", "/logout-all-devices"] {
        let alice = auth.logged_in("alice").await;
        auth.post_as(&alice.access, path, Value::Null).await.must_be(200);
        let alice = auth.logged_in("alice").await;
        auth.post_as(&alice.access, path, json!({ "refresh_token": null })).await.must_be(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_37_a_null_where_something_is_required_is_missing() {
    let auth = site().await;
    let alice = auth.logged_in("alice").await;
    let missing = async |path: &str, mut body: Value| {
        let fields: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
        for field in fields {
            let value = body[&field].take();
            let answer = auth.post_as(&alice.access, path, body.clone()).await.must_be(400);
            assert_eq!(answer.json["code"], "missing_fields", "{path} {field}");
            assert_eq!(answer.json["errors"][0]["pointer"], format!("#/{field}"), "{path}");
            body[field] = value;
        }
    };
    missing("/login", json!({ "email": "a@example.com", "password": "x" })).await;
    missing("/verify-email", json!({ "token": "x" })).await;
    missing("/forgot-password", json!({ "email": "a@example.com" })).await;
    missing("/reset-password", json!({ "token": "x", "new_password": "x" })).await;
    missing("/change-password", json!({ "current_password": "x", "new_password": "x" })).await;
    missing("/revoke-refresh-token", json!({ "refresh_token": "x" })).await;
    missing("/resend-verification", json!({ "email": "a@example.com" })).await;
    let newcomer =
        json!({ "email": "a@example.com", "password": "x", "first_name": "a", "last_name": "b" });
    missing("/register", newcomer).await;
    let bare = json!({ "refresh_token": null, "session_id": "x" });
    let answer = auth.post("/refresh", bare).await.must_be(400);
    assert_eq!(answer.json["code"], "missing_fields");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_37_what_is_there_twice_or_is_not_asked_for_is_taken_as_before() {
    let auth = site().await;
    let post = async |body: String| {
        let request = auth.request(Method::POST, "/login").body(body);
        send(request.header("content-type", "application/json")).await
    };
    let account = auth.person("alice").await;
    let fields = format!(r#""email":"{}","password":"{}""#, account.email, account.password);
    post(format!(r#"{{{fields},"odd":[1e999,"\ud800",null,{{"a":null}}],"mode":null}}"#))
        .await
        .must_be(200);
    post(format!(r#"{{{fields},"email":"b"}}"#)).await.must_be(400);
    post(format!(r#"{{{fields},"mode":null,"mode": null }}"#)).await.must_be(200);
    let wrong = post(format!(r#"{{{fields},"mode":1}}"#)).await.must_be(422);
    assert_eq!(wrong.json["errors"][0]["pointer"], "#/mode");
    for broken in ["{\"email\":null", "{\"email\":null,}", "{\"email\":nul}", "[null]", "null null"]
    {
        let answer = post(broken.to_owned()).await.must_be(400);
        assert_eq!(answer.json["code"], "malformed_request", "{broken}");
    }
}

/// What is answered to these bytes, all of it.
async fn raw(auth: &Client, request: &str) -> String {
    let mut stream = TcpStream::connect(auth.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The status, and the headers and the problem document that every refusal has.
fn problem(answer: &str) -> (u16, Value) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let head = head.to_ascii_lowercase();
    for header in [
        "content-type: application/problem+json",
        "x-request-id: ",
        "strict-transport-security: ",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        "content-security-policy: ",
    ] {
        assert!(head.contains(header), "{header} in {answer}");
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_default(), serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn f_38_a_request_names_one_host() {
    let auth = site().await;
    let refused = async |hosts: &str, version: &str| {
        let request = format!("GET /livez HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n");
        let (status, body) = problem(&raw(&auth, &request).await);
        assert_eq!((status, &body["code"]), (400, &json!("malformed_request")), "{hosts}");
        assert!(body["detail"].as_str().unwrap().contains("Host"), "{hosts}");
    };
    refused("", "1.1").await;
    for version in ["1.0", "1.1"] {
        refused("Host: a.example\r\nHost: b.example\r\n", version).await;
        refused("Host: a.example\r\nHost: a.example\r\n", version).await;
        refused("Host: a.example, b.example\r\n", version).await;
        refused("Host: http://a.example/\r\n", version).await;
        refused("Host: somebody@a.example\r\n", version).await;
    }
    for (hosts, version) in [
        ("", "1.0"),
        ("Host:\r\n", "1.1"),
        ("Host: a_b.example:3000\r\n", "1.1"),
        ("Host: [2001:db8::1]:80\r\n", "1.1"),
        ("Host: 127.0.0.1\r\n", "1.0"),
    ] {
        let request = format!("GET /livez HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n");
        let answer = raw(&auth, &request).await;
        assert!(answer.split(' ').nth(1) == Some("200"), "{hosts}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_38_a_path_that_is_no_text_or_no_path_is_answered_like_any_other() {
    let auth = site().await;
    let alice = auth.logged_in("alice").await;
    let Some(root) = auth.admin().await else { return };
    for (line, access, status) in [
        ("DELETE /api/v1/auth/sessions/%ff", &alice.access, 404),
        ("DELETE /api/v1/auth/sessions/%c3%28", &alice.access, 404),
        ("GET /api/v1/auth/admin/users/%ff/sessions", &root.access, 404),
        ("DELETE /api/v1/auth/admin/users/%ff/sessions", &root.access, 404),
        ("DELETE /api/v1/auth/admin/users/%ff", &root.access, 404),
        ("POST /api/v1/auth/admin/users/%ff/disable", &root.access, 404),
        ("POST /api/v1/auth/admin/users/%ff/enable", &root.access, 404),
        ("GET /api/v1/auth/%ff", &alice.access, 404),
        ("GET /%ff", &alice.access, 404),
        ("GET /api/v1/auth/blacklist?after=%ff", &alice.access, 400),
        ("OPTIONS *", &alice.access, 404),
        ("CONNECT a.example:443", &alice.access, 404),
        ("GET http://a.example/nothing", &alice.access, 404),
    ] {
        let request = format!(
            "{line} HTTP/1.1\r\nHost: a.example\r\nAuthorization: Bearer {access}\r\n\
             Connection: close\r\n\r\n"
        );
        let answer = raw(&auth, &request).await;
        assert_eq!(problem(&answer).0, status, "{line}: {answer}");
    }
    let role = "POST /api/v1/auth/admin/users/%ff/role HTTP/1.1\r\nHost: a.example\r\n";
    let body = r#"{"role":"user"}"#;
    let request = format!(
        "{role}Authorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        root.access,
        body.len()
    );
    assert_eq!(problem(&raw(&auth, &request).await).0, 404);
}

/// What is no HTTP is refused before anything of ours is asked, as `operations.md` says.
#[tokio::test(flavor = "multi_thread")]
async fn f_38_what_is_no_http_is_refused_below_us_by_a_status_alone() {
    let auth = site().await;
    let many = "X-Many: 1\r\n".repeat(101);
    let long = format!("GET /{} HTTP/1.1\r\nHost: a.example\r\n\r\n", "a".repeat(70_000));
    for (request, status) in [
        ("nonsense\r\n\r\n".to_owned(), "400"),
        ("GET /livez\r\n\r\n".to_owned(), "400"),
        ("GET /livez HTTP/1.1\r\nHost: a.example\r\nno colon\r\n\r\n".to_owned(), "400"),
        ("GET /livez HTTP/1.1\r\nHost: a.example\r\nContent-Length: x\r\n\r\n".to_owned(), "400"),
        (format!("GET /livez HTTP/1.1\r\nHost: a.example\r\n{many}\r\n"), "431"),
        (long, "414"),
    ] {
        let answer = raw(&auth, &request).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{answer}");
        assert!(answer.contains("content-length: 0"), "{answer}");
    }
}
