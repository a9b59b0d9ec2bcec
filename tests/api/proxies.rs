//! What proxies send: forwarded addresses, paths, and bodies that they announce and keep.

use std::time::Duration;

use portcullis_api::settings::Limit;
use portcullis_tests::{Answer, Service, send};
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const AT_MOST: Duration = Duration::from_mins(1);

/// A login from behind a trusted proxy that sends this as `X-Forwarded-For`.
async fn log_in(auth: &Service, forwarded: &[u8]) -> Answer {
    let body = json!({ "email": "alice@example.com", "password": "a wrong password" });
    let request = auth.request(Method::POST, "/login-enhanced").json(&body);
    send(request.header("x-forwarded-for", HeaderValue::from_bytes(forwarded).unwrap())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn f_10_no_byte_in_x_forwarded_for_takes_a_client_for_its_proxy() {
    let auth = Service::with(|settings| {
        settings.server.trusted_proxies = "127.0.0.1, 10.0.0.0/8".parse().unwrap();
        settings.server.trusted_ip = "127.0.0.1".parse().unwrap();
        settings.limits.rate_limit_login =
            Limit::Quota { quota: 8, window: Duration::from_mins(15) };
    })
    .await;
    auth.user("alice").await;
    let spellings: [&[u8]; 8] = [
        b"203.0.113.7",
        b"\xe9, 203.0.113.7",
        b"caf\xc3\xa9, 203.0.113.7",
        b"203.0.113.7,",
        b"203.0.113.7,, 10.0.0.2",
        b"\xff, 203.0.113.7:49152, [::ffff:10.0.0.2%eth0]:80",
        b"unknown, ::ffff:203.0.113.7",
        b"fe80::1%eth0, 203.0.113.7 ,\t10.0.0.2",
    ];
    for (left, forwarded) in (0..8).rev().zip(spellings) {
        let standing = log_in(&auth, forwarded).await.must_be(401);
        let standing = standing.header("ratelimit");
        assert!(standing.starts_with(&format!(r#""login";r={left};"#)), "{forwarded:?} {standing}");
    }
    log_in(&auth, b"203.0.113.7").await.must_be(429);
    log_in(&auth, b"203.0.113.8").await.must_be(401);
}

/// Sends this to the service as it stands, and reads until the answer is complete.
async fn raw(auth: &Service, head: &str, body: &[u8]) -> (TcpStream, String) {
    let address = auth.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.replace('\n', "\r\n").as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let byte = timeout(AT_MOST, stream.read_u8()).await.expect("it answers");
        answer.push(byte.expect("it answers before it closes"));
    }
    (stream, String::from_utf8(answer).unwrap().to_lowercase())
}

#[tokio::test(flavor = "multi_thread")]
async fn f_24_the_root_of_what_a_proxy_guards_is_a_path_like_any_other() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    for target in
        ["/", "/?q", "/?page=2&x=%2F", "//", "//x", "/%ff", "/a%00b", "/../x", "/x/", "?q", ""]
    {
        for (token, status) in [(alice.access.as_str(), "200"), ("x", "401")] {
            let head = format!(
                "GET /api/v1/auth/verify{target} HTTP/1.1\nHost: example.com\n\
                 Authorization: Bearer {token}\n\n"
            );
            let (_, answer) = raw(&auth, &head, b"").await;
            assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{target}: {answer}");
        }
    }
    let path = "/verify/";
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = send(auth.request(method, path).bearer_auth(&alice.access)).await.must_be(200);
        assert_eq!(answer.header("x-auth-user"), alice.user_id.to_string());
    }
    send(auth.request(Method::GET, "/verifying")).await.must_be(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_25_forward_auth_answers_from_the_head_and_closes_what_it_does_not_read() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    for (body, path) in [
        ("Content-Length: 7\n", ""),
        ("Content-Length: 20000\n", "/orders"),
        ("Content-Length: 99999999999\n", "/"),
        ("Content-Length: 7\nExpect: 100-continue\n", ""),
        ("Transfer-Encoding: chunked\n", ""),
    ] {
        for (token, status) in [(alice.access.as_str(), "200"), ("x", "401")] {
            let head = format!(
                "POST /api/v1/auth/verify{path} HTTP/1.1\nHost: example.com\n{body}\
                 Authorization: Bearer {token}\n\n"
            );
            let (mut stream, answer) = raw(&auth, &head, b"").await;
            assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{body}: {answer}");
            assert!(answer.contains("\r\nconnection: close\r\n"), "{body}: {answer}");
            let mut rest = Vec::new();
            let end = timeout(AT_MOST, stream.read_to_end(&mut rest)).await;
            end.expect("it closes by itself").expect("and not with a reset");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_25_whoever_sends_a_long_body_to_forward_auth_gets_to_read_the_answer() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    for length in [1, 16 * 1024, 16 * 1024 + 1, 2_000_000] {
        let request = auth.request(Method::POST, "/verify/upload").bearer_auth(&alice.access);
        let answer = send(request.body("x".repeat(length))).await.must_be(200);
        assert_eq!(answer.header("x-auth-user"), alice.user_id.to_string());
        assert_eq!(answer.header("connection"), "close");
    }
    let without = auth.get_as(&alice.access, "/verify").await.must_be(200);
    assert_eq!(without.header("connection"), "", "a connection without a body is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_26_a_preflight_is_let_through_and_names_nobody() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let preflight = |method: Method, path: &str| {
        auth.request(method, path)
            .header("origin", "https://app.example.com")
            .header("access-control-request-method", "PUT")
    };
    for path in ["/verify", "/verify/", "/verify/orders?page=2"] {
        let answer = send(preflight(Method::OPTIONS, path)).await.must_be(200);
        for name in ["x-auth-user", "x-auth-session", "x-auth-role"] {
            assert_eq!(answer.headers[name], "", "what a client says of itself is replaced");
        }
    }
    send(preflight(Method::OPTIONS, "/verify").bearer_auth("x")).await.must_be(401);
    let somebody = preflight(Method::OPTIONS, "/verify").bearer_auth(&alice.access);
    assert_eq!(send(somebody).await.must_be(200).header("x-auth-role"), "user");
    send(preflight(Method::PUT, "/verify")).await.must_be(401);
    let told = preflight(Method::PUT, "/verify").header("x-forwarded-method", "OPTIONS");
    send(told).await.must_be(401);
    send(auth.request(Method::OPTIONS, "/verify")).await.must_be(401);
    let only = auth.request(Method::OPTIONS, "/verify").header("origin", "https://app.example.com");
    send(only).await.must_be(401);
}
