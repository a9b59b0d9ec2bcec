//! The table of routes, so that none appears or disappears unnoticed.

use std::fmt::Write as _;

use portcullis_tests::Service;
use reqwest::Method;

#[tokio::test(flavor = "multi_thread")]
async fn the_routes_and_their_methods_are_these() {
    let auth = Service::start().await;
    let mut table = String::new();
    for path in paths() {
        let allowed = allowed_methods(&auth, &path).await;
        let allowed = allowed.map_or_else(|| "any".to_owned(), |methods| methods.join(" "));
        writeln!(table, "{path}: {allowed}").unwrap();
    }
    insta::assert_snapshot!(table, @r"
    /api/v1/auth/admin/overview: GET HEAD
    /api/v1/auth/admin/blacklist-stats: GET HEAD
    /api/v1/auth/admin/users: GET HEAD
    /api/v1/auth/admin/users/{id}: DELETE
    /api/v1/auth/admin/users/{id}/sessions: DELETE GET HEAD
    /api/v1/auth/admin/users/{id}/disable: POST
    /api/v1/auth/admin/users/{id}/enable: POST
    /api/v1/auth/admin/users/{id}/role: POST
    /api/v1/auth/admin/logout-everyone: POST
    /api/v1/auth/admin/audit: GET HEAD
    /api/v1/auth/register: POST
    /api/v1/auth/verify-email: POST
    /api/v1/auth/resend-verification: POST
    /api/v1/auth/login-enhanced: POST
    /api/v1/auth/login: POST
    /api/v1/auth/forgot-password: POST
    /api/v1/auth/reset-password: POST
    /api/v1/auth/change-password: POST
    /api/v1/auth/refresh: POST
    /api/v1/auth/return: GET HEAD
    /api/v1/auth/revoke-refresh-token: POST
    /api/v1/auth/logout: POST
    /api/v1/auth/logout-all-devices: POST
    /api/v1/auth/sessions: DELETE GET HEAD
    /api/v1/auth/sessions/{id}: DELETE
    /api/v1/auth/change-email: POST
    /api/v1/auth/confirm-email: POST
    /api/v1/auth/me: DELETE GET HEAD PATCH
    /api/v1/auth/me/export: GET HEAD
    /api/v1/auth/blacklist: GET HEAD
    /api/v1/auth/token-stats: GET HEAD
    /api/v1/auth/introspect: POST
    /api/v1/auth/revoke: POST
    /api/v1/auth/verify: any
    /api/v1/auth/verify/: any
    /api/v1/auth/verify/{*rest}: any
    /health: GET HEAD
    /livez: GET HEAD
    /readyz: GET HEAD
    /.well-known/jwks.json: GET HEAD
    /.well-known/oauth-authorization-server: GET HEAD
    ");
}

/// The methods that a route takes, in order; none if it takes any.
pub(crate) async fn allowed_methods(auth: &Service, path: &str) -> Option<Vec<String>> {
    let unheard_of = Method::from_bytes(b"PROPFIND").unwrap();
    let concrete = path.replace("{*rest}", "rest").replace("{id}", "1");
    let answer = auth.raw(unheard_of, &concrete).send().await.unwrap();
    let allow = answer.headers().get("allow")?.to_str().unwrap();
    assert_eq!(answer.status(), 405);
    let mut methods: Vec<String> = allow.split(',').map(str::to_owned).collect();
    methods.sort_unstable();
    Some(methods)
}

/// The paths as the source of the routes has them.
pub(crate) fn paths() -> Vec<String> {
    let source = include_str!("../../api/src/http/routes.rs");
    let (auth, nested) =
        (source.find("let auth").unwrap(), source.find("\n    Router::new()").unwrap());
    let routes = source.match_indices(".route(\"").map(|(at, start)| {
        let path = source[at + start.len()..].split('"').next().unwrap();
        match at {
            at if at < auth => format!("/api/v1/auth/admin{path}"),
            at if at < nested => format!("/api/v1/auth{path}"),
            _ => path.to_owned(),
        }
    });
    routes.collect()
}
