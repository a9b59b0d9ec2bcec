//! Nonsense on every route that reads something.

use portcullis_tests::{Answer, send};
use serde_json::Value;

use crate::routes::{Kind, ROUTES, request, tokens, with_credentials};
use crate::site::site;

/// Bodies that nobody should send.
fn hostile_bodies() -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = ["", "{", "null", "[]", "1", "\"x\"", "{}}", "\u{feff}{}"]
        .map(|text| text.as_bytes().to_vec())
        .to_vec();
    let values = [
        "null",
        "0",
        "-1",
        "1e400",
        "18446744073709551616",
        "true",
        "[]",
        "{}",
        "\"\"",
        r#""' or 1=1 -- ""#,
        r#""\u0000""#,
        r#""\ud83e\udd80""#,
        r#""\ud800""#,
        "\"\u{202e}\"",
        r#""../../etc/passwd""#,
        r#""%00""#,
        r#""\r\nX-Injected: 1""#,
    ];
    let fields = [
        "email",
        "password",
        "first_name",
        "last_name",
        "token",
        "refresh_token",
        "session_id",
        "logout_all",
        "current_password",
        "new_password",
        "role",
        "mode",
        "locale",
    ];
    for value in values {
        let pairs: Vec<String> =
            fields.iter().map(|field| format!("\"{field}\":{value}")).collect();
        bodies.push(format!("{{{}}}", pairs.join(",")).into_bytes());
    }
    bodies.push(b"{\"email\":\"\xff\xfe\"}".to_vec());
    bodies.push(b"[".repeat(12_000));
    bodies.push(b"{\"email\":\"a\",\"email\":\"b\"}".to_vec());
    bodies.push(format!("{{\"refresh_token\":\"{}\"}}", "A".repeat(15_000)).into_bytes());
    bodies.push(b" ".repeat(17_000));
    bodies
}

#[track_caller]
fn is_a_problem(answer: &Answer, place: &str) {
    let status = answer.status.as_u16();
    assert!((400..500).contains(&status), "{place}: {answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json", "{place}: {answer:?}");
    let problem = &answer.json;
    assert_eq!(problem["status"], status, "{place}");
    for field in ["type", "title", "detail", "code", "message"] {
        assert!(problem[field].is_string(), "{place} {field}: {problem}");
    }
    for error in problem["errors"].as_array().into_iter().flatten() {
        assert!(error["pointer"].as_str().unwrap().starts_with("#/"), "{place}: {problem}");
    }
    for inside in ["select ", "insert ", "sqlx", "mysql", "redis", "panicked", ".rs:", "stack"] {
        assert!(!answer.text.to_lowercase().contains(inside), "{place}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_39_whatever_is_sent_the_refusal_is_a_problem_document_and_shows_no_insides() {
    let site = site().await;
    let token = tokens(&site).await;
    let bodies = hostile_bodies();
    for route in ROUTES.into_iter().filter(|route| route.3 == Kind::Json) {
        let Some(access) = token(route) else { continue };
        for body in bodies.iter().filter(|body| !is_a_good_logout(route.1, body)) {
            let request = with_credentials(&site, route, &access).body(body.clone());
            let answer = send(request.header("content-type", "application/json")).await;
            is_a_problem(&answer, &format!("{} {}", route.1, String::from_utf8_lossy(body)));
        }
    }
    let alice = site.logged_in("alice").await;
    for path in [
        "/sessions/%00",
        "/sessions/%F0%9F%A6%80",
        "/sessions/..%2f",
        "/blacklist?limit=-1",
        "/blacklist?limit=99999999999999999999",
        "/blacklist?after=x",
    ] {
        let method = if path.starts_with("/sessions") { "DELETE" } else { "GET" };
        is_a_problem(&send(request(&site, method, path).bearer_auth(&alice.access)).await, path);
    }
    let Some(admin) = site.admin().await else { return };
    for path in [
        "/admin/users/-1/sessions",
        "/admin/users/99999999999999999999/sessions",
        "/admin/users/%00/sessions",
        "/admin/users?limit=x",
        "/admin/audit?user_id=-1",
    ] {
        is_a_problem(&site.get_as(&admin.access, path).await, path);
    }
}

/// A logout needs no body, and fields that it does not know mean nothing to it.
fn is_a_good_logout(path: &str, body: &[u8]) -> bool {
    let json = serde_json::from_slice(body);
    let known = ["logout_all", "refresh_token"];
    let is_empty = |json: Value| {
        let is_absent = |field: &&str| json.get(field).is_none_or(Value::is_null);
        json.is_null() || json.is_object() && known.iter().all(is_absent)
    };
    ["/logout", "/logout-all-devices"].contains(&path) && json.map_or(body.is_empty(), is_empty)
}
