//! Rules that hold for every route, tried on every route.

use portcullis_tests::{Client, send};
use reqwest::Method;

use crate::site::{Site, site};

/// Who may call.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Who {
    Anyone,
    Bearer,
    Service,
    Admin,
}

/// What is expected in the body.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Nothing,
    Json,
    Form,
}

use Kind::{Form, Json, Nothing};
use Who::{Admin, Anyone, Bearer, Service};

pub(crate) type Route = (&'static str, &'static str, Who, Kind);

/// Method and path; paths that begin with `=` are not below `/api/v1/auth`.
pub(crate) const ROUTES: [Route; 44] = [
    ("POST", "/register", Anyone, Json),
    ("POST", "/verify-email", Anyone, Json),
    ("POST", "/resend-verification", Anyone, Json),
    ("POST", "/forgot-password", Anyone, Json),
    ("POST", "/reset-password", Anyone, Json),
    ("POST", "/login-enhanced", Anyone, Json),
    ("POST", "/login", Anyone, Json),
    ("POST", "/refresh", Anyone, Json),
    ("GET", "/return", Anyone, Nothing),
    ("POST", "/logout", Bearer, Json),
    ("POST", "/logout-all-devices", Bearer, Json),
    ("GET", "/sessions", Bearer, Nothing),
    ("DELETE", "/sessions", Bearer, Nothing),
    ("DELETE", "/sessions/1", Bearer, Nothing),
    ("POST", "/revoke-refresh-token", Bearer, Json),
    ("GET", "/blacklist", Bearer, Nothing),
    ("GET", "/token-stats", Bearer, Nothing),
    ("POST", "/change-password", Bearer, Json),
    ("POST", "/change-email", Bearer, Json),
    ("POST", "/confirm-email", Anyone, Json),
    ("GET", "/me", Bearer, Nothing),
    ("PATCH", "/me", Bearer, Json),
    ("DELETE", "/me", Bearer, Nothing),
    ("GET", "/me/export", Bearer, Nothing),
    ("GET", "/verify", Bearer, Nothing),
    ("PUT", "/verify/some/path", Bearer, Nothing),
    ("POST", "/introspect", Service, Form),
    ("POST", "/revoke", Service, Form),
    ("GET", "/admin/overview", Admin, Nothing),
    ("GET", "/admin/blacklist-stats", Admin, Nothing),
    ("GET", "/admin/users", Admin, Nothing),
    ("GET", "/admin/users/0/sessions", Admin, Nothing),
    ("DELETE", "/admin/users/0/sessions", Admin, Nothing),
    ("POST", "/admin/users/0/disable", Admin, Nothing),
    ("POST", "/admin/users/0/enable", Admin, Nothing),
    ("POST", "/admin/users/0/role", Admin, Json),
    ("DELETE", "/admin/users/0", Admin, Nothing),
    ("POST", "/admin/logout-everyone", Admin, Nothing),
    ("GET", "/admin/audit", Admin, Nothing),
    ("GET", "=/.well-known/jwks.json", Anyone, Nothing),
    ("GET", "=/.well-known/oauth-authorization-server", Anyone, Nothing),
    ("GET", "=/health", Anyone, Nothing),
    ("GET", "=/livez", Anyone, Nothing),
    ("GET", "=/readyz", Anyone, Nothing),
];

/// A request without credentials or body.
pub(crate) fn request(client: &Client, method: &str, path: &str) -> reqwest::RequestBuilder {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    match path.strip_prefix('=') {
        Some(path) => client.raw(method, path),
        None => client.request(method, path),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_38_a_wrong_method_is_refused_with_the_right_ones() {
    let site = site().await;
    for (_, path, ..) in
        ROUTES.into_iter().filter(|route| !route.1.starts_with("/verify/") && route.1 != "/verify")
    {
        let mut allowed: Vec<&str> =
            ROUTES.into_iter().filter(|route| route.1 == path).map(|route| route.0).collect();
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        allowed.sort_unstable();
        let all = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"];
        for method in all.into_iter().filter(|method| !allowed.contains(method)) {
            let answer = send(request(&site, method, path)).await.must_be(405);
            let mut told: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
            told.sort_unstable();
            assert_eq!(told, allowed, "{method} {path}");
        }
    }
}

/// A request that is good but for its body.
pub(crate) fn with_credentials(site: &Site, route: Route, access: &str) -> reqwest::RequestBuilder {
    let (method, path, who, _) = route;
    let request = request(site, method, path);
    match who {
        Anyone => request,
        Bearer | Admin => request.bearer_auth(access),
        Service => {
            let (id, secret) = site.introspector().unwrap_or_default();
            request.basic_auth(id, Some(secret))
        }
    }
}

/// A token for each route that wants one.
pub(crate) async fn tokens(site: &Site) -> impl Fn(Route) -> Option<String> {
    let user = site.logged_in("alice").await.access;
    let admin = site.admin().await.map(|admin| admin.access);
    let may_introspect = site.introspector().is_some();
    move |route| match route.2 {
        Anyone => Some(String::new()),
        Service => may_introspect.then(String::new),
        Bearer => Some(user.clone()),
        Admin => admin.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_38_a_body_of_another_type_is_refused_and_the_type_is_always_told() {
    let site = site().await;
    let token = tokens(&site).await;
    for route in ROUTES.into_iter().filter(|route| route.3 != Nothing) {
        let Some(access) = token(route) else { continue };
        let wrong =
            if route.3 == Json { "application/x-www-form-urlencoded" } else { "application/json" };
        for declared in [wrong, "text/plain", "application/jsonp", ""] {
            let request = with_credentials(&site, route, &access).body("a=1");
            let answer = send(request.header("content-type", declared)).await.must_be(415);
            assert_eq!(
                answer.header("content-type"),
                "application/problem+json",
                "{route:?}",
                route = route.1
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c_27_bug_15_r_29_every_closed_route_asks_for_credentials() {
    let site = site().await;
    for route in ROUTES.into_iter().filter(|route| route.2 != Anyone) {
        let (method, path, who, kind) = route;
        let mut request = request(&site, method, path);
        if kind == Form {
            request = request.form(&[("token", "x")]);
        }
        let answer = send(request).await.must_be(401);
        let challenge = match who {
            Service => r#"Basic realm="portcullis", charset="UTF-8""#,
            _ => r#"Bearer realm="portcullis""#,
        };
        assert_eq!(answer.header("www-authenticate"), challenge, "{method} {path}");
    }
}
