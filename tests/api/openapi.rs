//! The description of the API, compared with what the service does.

mod described;

use std::collections::BTreeSet;
use std::time::Duration;

use portcullis_tests::{PASSWORD, Service, send};
use reqwest::Method;
use serde_json::{Value, json};

use crate::routes::{allowed_methods, paths};
use crate::tokens::{SECRET, with_client};
use described::Api;

async fn document(auth: &Service) -> Value {
    let url = auth.operations().await + "/openapi.json";
    send(auth.http.get(url)).await.must_be(200).json
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_described_with_its_methods_and_nothing_else_is() {
    let auth = Service::start().await;
    let document = document(&auth).await;
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        described.extend(item.as_object().unwrap().keys().map(|m| format!("{m} {path}")));
    }
    let mut routed = BTreeSet::new();
    for path in paths() {
        let any = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"];
        let methods = allowed_methods(&auth, &path).await;
        // Whoever may GET may also ask for the head alone; that goes without saying.
        let methods: Vec<&str> = match &methods {
            Some(methods) => methods.iter().map(String::as_str).filter(|m| *m != "HEAD").collect(),
            None => any.to_vec(),
        };
        let path = path.replace("{*rest}", "{rest}");
        routed.extend(methods.iter().map(|m| format!("{} {path}", m.to_lowercase())));
    }
    assert_eq!(described, routed);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_every_operation_and_runs_no_script() {
    let auth = Service::start().await;
    let page = send(auth.http.get(auth.operations().await + "/docs")).await.must_be(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src"));
    for (path, item) in document(&auth).await["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            must_show(&page.text, &format!("{} {path}", method.to_uppercase()), operation);
        }
    }
}

/// In the list, and by itself with each of its answers.
fn must_show(page: &str, name: &str, operation: &Value) {
    let id = operation["operationId"].as_str().unwrap();
    assert!(page.contains(&format!("<a href=\"#{id}\">{name}</a>")), "{name}");
    let (_, rest) = page.split_once(&format!("<article id=\"{id}\">")).expect(name);
    let (article, _) = rest.split_once("</article>").expect(name);
    let (method, path) = name.split_once(' ').expect(name);
    let title = format!("<span class=\"method\">{method}</span><code>{path}</code>");
    assert!(article.contains(&title), "{name}");
    for status in operation["responses"].as_object().unwrap().keys() {
        assert!(article.contains(&format!("<tr><td>{status} ")), "{name}: {status}");
    }
    assert!(!article.contains("<td></td>"), "{name}: nothing is said of an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_is_what_is_described() {
    let mut auth = with_client().await;
    // Without a login page `/return` refuses whoever is not logged in.
    auth.restart_with(|settings| settings.pages.pages = false).await;
    let mut api = Api::new(document(&auth).await, auth);
    for_anyone(&mut api).await;
    for_accounts(&mut api).await;
    for_tokens(&mut api).await;
    for_sessions(&mut api).await;
    for_services(&mut api).await;
    for_administrators(&mut api).await;
    assert_eq!(api.tried, api.operations(), "tried with success, and described");
}

async fn for_anyone(api: &mut Api) {
    let published = ["/.well-known/jwks.json", "/.well-known/oauth-authorization-server"];
    for path in ["/health", "/livez", "/readyz"].into_iter().chain(published) {
        api.ask(api.auth.raw(Method::GET, path), 200).await;
    }
}

async fn for_accounts(api: &mut Api) {
    let newcomer = json!({
        "email": "new@example.com", "password": PASSWORD, "first_name": "N", "last_name": "E",
    });
    api.post("/register", newcomer, 201).await;
    let weak = json!({
        "email": "no", "password": "password", "first_name": "", "last_name": "E",
    });
    api.post("/register", weak, 422).await;
    api.post("/resend-verification", json!({ "email": "new@example.com" }), 200).await;
    let token = api.auth.mailed_token(1);
    api.post("/verify-email", json!({ "token": "A".repeat(43) }), 422).await;
    api.post("/verify-email", json!({ "token": token }), 200).await;
    api.post("/forgot-password", json!({ "email": "new@example.com" }), 200).await;
    let reset =
        json!({ "token": api.auth.mailed_token(2), "new_password": "another long password" });
    api.post("/reset-password", reset.clone(), 200).await;
    api.post("/reset-password", reset, 422).await;
    api.post("/reset-password", json!({}), 400).await;

    let alice = api.auth.logged_in("alice").await;
    api.as_user("GET /me", &alice.access, None, 200).await;
    let change = json!({ "current_password": PASSWORD, "new_password": "another long password" });
    let wrong = json!({ "current_password": "wrong", "new_password": "another long password" });
    api.as_user("POST /change-password", &alice.access, Some(wrong), 422).await;
    api.auth.clock.advance(Duration::from_mins(14));
    api.as_user("POST /change-password", &alice.access, Some(change.clone()), 200).await;
    api.as_user("POST /change-password", &alice.access, Some(change), 401).await;
    for_people(api).await;
}

async fn for_people(api: &mut Api) {
    let gina = api.auth.logged_in("gina").await;
    let names = json!({ "first_name": "Gina", "locale": "de-AT" });
    api.as_user("PATCH /me", &gina.access, Some(names), 200).await;
    let wrong = json!({ "last_name": "", "locale": "tlh" });
    api.as_user("PATCH /me", &gina.access, Some(wrong), 422).await;
    api.auth.mails_are_out();
    let mails = api.auth.mails().len();
    for (email, status) in [("gina@example.com", 422), ("other@example.com", 200)] {
        let change = json!({ "email": email });
        api.as_user("POST /change-email", &gina.access, Some(change), status).await;
    }
    for number in [mails, mails + 1] {
        api.post("/confirm-email", json!({ "token": api.auth.mailed_token(number) }), 200).await;
    }
    api.post("/confirm-email", json!({ "token": "A".repeat(43) }), 422).await;
    api.as_user("GET /me/export", &gina.access, None, 200).await;
    api.as_user("DELETE /me", &gina.access, None, 200).await;
    let last = api.auth.admin("last").await;
    api.as_user("DELETE /me", &last.access, None, 409).await;
    api.auth.clock.advance(Duration::from_mins(14));
    let refreshed = api.auth.refresh(&last.refresh).await.must_be(200);
    api.auth.clock.advance(Duration::from_mins(2));
    for what in ["GET /me/export", "DELETE /me"] {
        api.as_user(what, &refreshed.text_at("/data/access/token"), None, 401).await;
    }
    let demote = sqlx::query("update users set role = 'user' where id = ?").bind(last.user_id);
    demote.execute(api.auth.db()).await.unwrap();
}

async fn for_tokens(api: &mut Api) {
    let bob = api.auth.logged_in("bob").await;
    let login = json!({ "email": "bob@example.com", "password": PASSWORD });
    for path in ["/login", "/login-enhanced"] {
        api.post(path, login.clone(), 200).await;
        let cookie = json!({ "email": "bob@example.com", "password": PASSWORD, "mode": "cookie" });
        api.post(path, cookie, 200).await;
        api.post(path, json!({ "email": "bob@example.com", "password": "wrong" }), 401).await;
        api.post(path, json!({ "email": "bob@example.com" }), 400).await;
    }
    let text = api.auth.request(Method::POST, "/login").body("x");
    api.ask(text, 415).await;
    let long = api.auth.request(Method::POST, "/login").body("x".repeat(20_000));
    api.ask(long, 413).await;

    let refresh = json!({ "refresh_token": bob.refresh });
    api.post("/refresh", json!({ "refresh_token": bob.refresh, "session_id": "x" }), 400).await;
    api.post("/refresh", refresh.clone(), 200).await;
    api.post("/refresh", json!({ "refresh_token": "prt_x" }), 401).await;
    api.post("/refresh", json!({}), 400).await;
    let by_cookie = api.auth.request(Method::POST, "/refresh");
    let by_cookie = by_cookie.header("cookie", format!("__Host-refresh={}", bob.refresh));
    api.ask(by_cookie, 403).await;

    let page = api.auth.request(Method::GET, "/return?rd=/orders").bearer_auth(&bob.access);
    api.ask(page, 303).await;
    api.ask(api.auth.request(Method::GET, "/return?rd=//elsewhere.example"), 400).await;
    api.ask(api.auth.request(Method::GET, "/return?rd=/orders"), 401).await;

    for path in ["GET /token-stats", "GET /blacklist", "GET /blacklist?limit=1"] {
        api.as_user(path, &bob.access, None, 200).await;
    }
    api.as_user("GET /blacklist?limit=x", &bob.access, None, 400).await;
    let other = json!({ "refresh_token": "prt_x" });
    api.as_user("POST /revoke-refresh-token", &bob.access, Some(other), 404).await;
    api.as_user("POST /revoke-refresh-token", &bob.access, Some(refresh), 200).await;
}

async fn for_sessions(api: &mut Api) {
    let here = api.auth.logged_in("carol").await;
    let there = api.auth.logged_in("carol").await;
    api.as_user("GET /sessions", &here.access, None, 200).await;
    let path = format!("DELETE /sessions/{}", there.session);
    api.as_user(&path, &here.access, None, 200).await;
    api.as_user(&path, &here.access, None, 404).await;
    api.as_user("DELETE /sessions", &here.access, None, 200).await;
    api.as_user("DELETE /sessions?include_current=1", &here.access, None, 400).await;
    api.as_user("POST /logout", &here.access, Some(json!({ "session_id": "x" })), 404).await;
    api.as_user("POST /logout", &here.access, None, 200).await;
    api.as_user("POST /logout", &here.access, None, 401).await;
    let here = api.auth.logged_in("carol").await;
    api.as_user("POST /logout", &here.access, Some(json!({ "logout_all": true })), 200).await;
    let here = api.auth.logged_in("carol").await;
    api.as_user("POST /logout-all-devices", &here.access, None, 200).await;
    api.ask(api.auth.request(Method::GET, "/sessions"), 401).await;
    let here = api.auth.logged_in("carol").await;
    let refresh = json!({ "refresh_token": here.refresh });
    api.post("/logout", refresh.clone(), 200).await;
    for path in ["/logout", "/logout-all-devices", "/refresh"] {
        api.post(path, refresh.clone(), 401).await;
    }
    api.post("/logout", json!({}), 401).await;
    let here = api.auth.logged_in("carol").await;
    let other = Some(json!({ "refresh_token": "prt_x" }));
    api.as_user("POST /logout", &here.access, other, 400).await;
    let cookie = format!("__Host-access={}", here.access);
    for page in ["same-origin", "cross-site"] {
        let meant = api.auth.request(Method::POST, "/logout").header("sec-fetch-site", page);
        api.ask(meant.header("cookie", &cookie), 403).await;
    }
    let shown = api.auth.request(Method::GET, "/me").header("cookie", &cookie);
    api.ask(shown, 200).await;
    let twice = api.auth.request(Method::GET, "/sessions").bearer_auth(&here.access);
    api.ask(twice.header("cookie", format!("__Host-access={}", here.access)), 400).await;
    let nothing = api.auth.request(Method::GET, "/sessions").header("authorization", "Bearer");
    api.ask(nothing, 400).await;
}

async fn for_services(api: &mut Api) {
    let dave = api.auth.logged_in("dave").await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"] {
        for path in ["/verify", "/verify/", "/verify/what/ever"] {
            api.as_user(&format!("{method} {path}"), &dave.access, None, 200).await;
        }
    }
    api.as_user("GET /verify", "x", None, 401).await;
    for path in ["/introspect", "/revoke"] {
        for token in [&dave.access, &dave.refresh, "x"] {
            let fields = [("token", token), ("token_type_hint", "refresh_token")];
            let form = api.auth.request(Method::POST, path).form(&fields);
            api.ask(form.basic_auth("gateway", Some(SECRET)), 200).await;
            let own = [("token", token), ("client_id", "gateway"), ("client_secret", SECRET)];
            api.ask(api.auth.request(Method::POST, path).form(&own), 200).await;
        }
        let empty = api.auth.request(Method::POST, path).form(&[("token", "")]);
        api.ask(empty.basic_auth("gateway", Some(SECRET)), 400).await;
        let request = api.auth.request(Method::POST, path);
        api.ask(request.form(&[("token", "x")]), 401).await;
        let request = api.auth.request(Method::POST, path).basic_auth("gateway", Some(SECRET));
        api.ask(request.json(&json!({})), 415).await;
    }
}

async fn for_administrators(api: &mut Api) {
    let root = api.auth.admin("root").await;
    let erin = api.auth.logged_in("erin").await;
    let user = format!("/admin/users/{}", erin.user_id);
    for (request, body) in [
        ("GET /admin/overview".to_owned(), None),
        ("GET /admin/users?search=erin".to_owned(), None),
        ("GET /admin/blacklist-stats".to_owned(), None),
        ("GET /admin/audit?limit=100".to_owned(), None),
        ("GET /admin/users".to_owned(), None),
        (format!("GET {user}/sessions"), None),
        (format!("DELETE {user}/sessions"), None),
        (format!("POST {user}/disable"), None),
        (format!("POST {user}/enable"), None),
        (format!("POST {user}/role"), Some(json!({ "role": "user" }))),
    ] {
        let other = api.auth.logged_in("frank").await;
        api.as_user(&request, &other.access, body.clone(), 403).await;
        api.as_user(&request, &root.access, body, 200).await;
    }
    api.as_user(&format!("DELETE {user}"), &root.access, None, 200).await;
    api.as_user(&format!("DELETE {user}"), &root.access, None, 404).await;
    let own = format!("POST /admin/users/{}/disable", root.user_id);
    api.as_user(&own, &root.access, None, 409).await;
    api.auth.clock.advance(Duration::from_mins(16));
    let late = api.auth.log_in("root").await;
    api.as_user(
        "POST /admin/logout-everyone",
        &late.text_at("/data/tokens/access/token"),
        None,
        200,
    )
    .await;
}
