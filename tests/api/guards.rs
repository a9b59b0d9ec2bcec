//! Forward authentication with real proxies, set up as `api/docs/forward-auth.md` says.

mod proxy;

use portcullis_tests::{Answer, Login, PASSWORD, Service, send};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use proxy::{Proxy, proxies};

const FRONT_END: &str = "https://app.example.com";
const HTML: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

async fn service() -> Service {
    Service::with(|settings| {
        FRONT_END.clone_into(&mut settings.accounts.frontend_url);
        settings.server.trusted_proxies = "127.0.0.1".parse().unwrap();
    })
    .await
}

async fn get_as(proxy: &Proxy, login: &Login) -> Answer {
    send(proxy.request(Method::GET, "/orders?page=2").bearer_auth(&login.access)).await
}

/// The cookies of a new login, by their names, and the CSRF token.
struct Browser {
    access: String,
    refresh: String,
    csrf: String,
}

impl Browser {
    async fn logged_in(auth: &Service) -> Self {
        auth.user("alice").await;
        let login = json!({ "email": "alice@example.com", "password": PASSWORD, "mode": "cookie" });
        let login = auth.post("/login-enhanced", login).await.must_be(200);
        Self {
            access: cookie(&login, "__Host-access"),
            refresh: cookie(&login, "__Host-refresh"),
            csrf: login.text_at("/data/tokens/csrf_token"),
        }
    }
}

/// A cookie that an answer sets: `name=value`.
fn cookie(answer: &Answer, name: &str) -> String {
    let lines = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    let mut pairs = lines.filter_map(|line| line.split(';').next());
    let found = pairs.find(|pair| pair.split('=').next() == Some(name));
    found.unwrap_or_else(|| panic!("{name} is not set: {answer:?}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_an_application_hears_who_asks_until_the_token_is_revoked() {
    let auth = service().await;
    for proxy in proxies(&auth) {
        let alice = auth.logged_in("alice").await;
        let expected = format!("{} {} user /orders?page=2", alice.user_id, alice.session);
        assert_eq!(get_as(&proxy, &alice).await.must_be(200).text, expected, "{}", proxy.name);
        let lying = proxy.request(Method::GET, "/orders?page=2").bearer_auth(&alice.access);
        let lying = lying.header("x-auth-user", "1000000").header("x-auth-role", "admin");
        assert_eq!(
            send(lying).await.must_be(200).text,
            expected,
            "only the service says who it is"
        );
        let body = proxy.request(Method::POST, "/orders?page=2").bearer_auth(&alice.access);
        assert_eq!(send(body.body("x".repeat(50_000))).await.must_be(200).text, expected);

        auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);

        let answer = get_as(&proxy, &alice).await.must_be(401);
        let challenge = r#"Bearer realm="portcullis", error="invalid_token""#;
        assert_eq!(answer.header("www-authenticate"), challenge, "{}", proxy.name);
        let answer = send(proxy.request(Method::GET, "/")).await.must_be(401);
        assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="portcullis""#);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_nobody_asks_the_question_themselves() {
    let auth = service().await;
    let proxy = Proxy::nginx(&auth);
    send(proxy.request(Method::GET, "/_portcullis")).await.must_be(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_a_cookie_changes_something_only_if_that_was_meant() {
    let auth = service().await;
    for proxy in proxies(&auth) {
        let alice = Browser::logged_in(&auth).await;
        let ask = |method| proxy.request(method, "/orders").header("cookie", &alice.access);
        send(ask(Method::GET)).await.must_be(200);
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            send(ask(method.clone())).await.must_be(403);
            let meant = ask(method).header("origin", "http://app.example.com");
            send(meant.header("x-csrf-token", &alice.csrf)).await.must_be(200);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_an_outage_is_no_refusal_of_the_token() {
    let auth = service().await;
    let (proxies, alice) = (proxies(&auth), auth.logged_in("alice").await);
    for proxy in &proxies {
        get_as(proxy, &alice).await.must_be(200);
    }
    auth.app.shut_down().await;
    for proxy in &proxies {
        let answer = get_as(proxy, &alice).await.must_be(503);
        assert_eq!(answer.header("retry-after"), "2", "{}", proxy.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_26_behind_a_proxy_a_page_whose_access_cookie_has_died_comes_back() {
    let auth = service().await;
    for proxy in proxies(&auth) {
        let alice = Browser::logged_in(&auth).await;
        let page = "/orders?page=2&sort=%C3%A9";
        let visit = |path: &str, cookies: &str| {
            proxy.request(Method::GET, path).header("accept", HTML).header("cookie", cookies)
        };
        let sent = send(visit(page, &alice.refresh)).await.must_be(302);
        let way_back = sent.header("location").to_owned();
        assert_eq!(way_back, format!("/api/v1/auth/return?rd={page}"), "{}", proxy.name);

        let renewed = send(visit(&way_back, &alice.refresh)).await.must_be(303);
        assert_eq!(renewed.header("location"), page, "{}", proxy.name);
        let shown = send(visit(page, &cookie(&renewed, "__Host-access"))).await.must_be(200);
        assert!(shown.text.ends_with(page), "{}", shown.text);
        let csrf = cookie(&renewed, "__Host-csrf");
        assert_eq!(
            csrf,
            format!("__Host-csrf={}", alice.csrf),
            "the page may go on changing things"
        );

        let by_script = proxy.request(Method::GET, page).header("accept", "*/*");
        send(by_script).await.must_be(401);
        send(proxy.request(Method::POST, page).header("accept", HTML)).await.must_be(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_26_behind_a_proxy_who_is_not_logged_in_goes_to_the_login_page_and_comes_back() {
    let auth = service().await;
    for proxy in proxies(&auth) {
        let visit = |path: &str| proxy.request(Method::GET, path).header("accept", HTML);
        let sent = send(visit("/orders?page=2")).await.must_be(302);
        let sent = send(visit(sent.header("location"))).await.must_be(303);
        let login = "https://app.example.com/login?return_to=/orders%3Fpage%3D2";
        assert_eq!(sent.header("location"), login, "{}", proxy.name);

        let path = login.trim_start_matches(FRONT_END);
        let shown = send(visit(path).header("x-auth-user", "1").header("x-auth-role", "admin"));
        assert_eq!(shown.await.must_be(200).text, format!("   {path}"), "{}", proxy.name);

        let alice = Browser::logged_in(&auth).await;
        let back = path.replace("/login", "/api/v1/auth/return");
        let back = send(visit(&back).header("cookie", &alice.access)).await.must_be(303);
        assert_eq!(back.header("location"), "/orders?page=2");
        assert!(!back.headers.contains_key("set-cookie"), "a live access cookie is enough");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_26_behind_a_proxy_a_preflight_reaches_the_application_and_names_nobody() {
    let auth = service().await;
    for proxy in proxies(&auth) {
        let ask = |method| {
            let request = proxy.request(method, "/orders").header("x-auth-user", "1");
            request.header("origin", "https://other.example.com")
        };
        let preflight = ask(Method::OPTIONS).header("access-control-request-method", "PUT");
        assert_eq!(send(preflight).await.must_be(200).text, "   /orders", "{}", proxy.name);
        let disguised = ask(Method::PUT).header("access-control-request-method", "PUT");
        send(disguised.header("x-forwarded-method", "OPTIONS")).await.must_be(401);
        send(ask(Method::OPTIONS)).await.must_be(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_26_behind_a_proxy_a_request_with_a_fault_is_no_outage() {
    let auth = service().await;
    for proxy in proxies(&auth) {
        let alice = auth.logged_in("alice").await;
        let cookie = format!("__Host-access={}", alice.access);
        let request = proxy.request(Method::GET, "/orders").bearer_auth(&alice.access);
        let answer = send(request.header("cookie", cookie)).await.must_be(400);
        assert!(!answer.headers.contains_key("retry-after"), "{}: {answer:?}", proxy.name);
        let request = proxy.request(Method::GET, "/orders").bearer_auth(&alice.access);
        send(request.header("x-session-id", "session_of_somebody_else")).await.must_be(400);
    }
}

/// What a proxy that is not run here sends to ask about a request.
struct Asked {
    request: RequestBuilder,
    preflight: RequestBuilder,
}

/// Traefik 3: the method as it was, its own path, the request's in headers; no body.
fn traefik(auth: &Service, method: Method) -> Asked {
    let ask = |method: Method| {
        auth.request(method.clone(), "/verify")
            .header("accept-encoding", "gzip")
            .header("user-agent", "Mozilla/5.0")
            .header("x-forwarded-for", "203.0.113.7")
            .header("x-forwarded-host", "app.example.com")
            .header("x-forwarded-method", method.as_str())
            .header("x-forwarded-port", "443")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-server", "proxy")
            .header("x-forwarded-uri", "/orders?page=2")
            .header("x-real-ip", "203.0.113.7")
    };
    Asked { request: ask(method), preflight: ask(Method::OPTIONS) }
}

/// Envoy: method and path as they were, below ours, and an empty body.
fn envoy(auth: &Service, method: Method) -> Asked {
    let ask = |method: Method, path: &str| {
        auth.request(method, &format!("/verify{path}"))
            .header("host", "app.example.com")
            .header("content-length", "0")
            .header("x-envoy-internal", "true")
            .header("x-envoy-expected-rq-timeout-ms", "3000")
            .header("x-forwarded-for", "203.0.113.7")
            .header("user-agent", "Mozilla/5.0")
    };
    Asked { request: ask(method, "/?page=2"), preflight: ask(Method::OPTIONS, "/") }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_26_what_traefik_and_envoy_send_is_answered_as_they_need_it() {
    let auth = Service::with(|settings| {
        settings.server.trusted_proxies = "127.0.0.1".parse().unwrap();
        settings.server.cors_origins = "https://app.example.com".parse().unwrap();
    })
    .await;
    let alice = Browser::logged_in(&auth).await;
    for proxy in [traefik, envoy] {
        let ask = |method| proxy(&auth, method).request.header("cookie", &alice.access);
        let seen = send(ask(Method::GET)).await.must_be(200);
        assert_eq!(seen.header("x-auth-role"), "user");
        send(ask(Method::DELETE)).await.must_be(403);
        let meant = ask(Method::DELETE).header("origin", "https://app.example.com");
        send(meant.header("x-csrf-token", &alice.csrf)).await.must_be(200);
        let dead = proxy(&auth, Method::GET).request.bearer_auth("x");
        let challenge = r#"Bearer realm="portcullis", error="invalid_token""#;
        assert_eq!(send(dead).await.must_be(401).header("www-authenticate"), challenge);
        let preflight = proxy(&auth, Method::GET).preflight;
        let preflight = preflight.header("origin", "https://app.example.com");
        let preflight = preflight.header("access-control-request-method", "DELETE");
        assert_eq!(send(preflight).await.must_be(200).headers["x-auth-user"], "");
    }
    // Older ones ask with GET and say what they were asked.
    let older = auth.request(Method::GET, "/verify").header("cookie", &alice.access);
    let older = |method| older.try_clone().unwrap().header("x-forwarded-method", method);
    send(older("GET")).await.must_be(200);
    send(older("")).await.must_be(200);
    for change in ["DELETE", "GET, POST", "POST, GET", "PO ST", "get"] {
        let answer = send(older(change)).await;
        assert_eq!(answer.status, 403, "{change}");
    }
    send(older("GET").header("x-forwarded-method", "POST")).await.must_be(403);
}
