//! `GET /.well-known/oauth-authorization-server`: where clients of RFC 7009, 7662 and 7517 find what
//! they need (RFC 8414).

use axum::extract::State;
use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::http::cached;

/// What this service offers (RFC 8414 §2).
#[derive(Serialize, ToSchema)]
pub struct Metadata {
    /// `JWT_ISSUER`, which access tokens name as `iss`.
    issuer: String,
    /// Where the public keys are.
    jwks_uri: String,
    /// Where tokens are introspected (RFC 7662).
    introspection_endpoint: String,
    /// How services authenticate there.
    introspection_endpoint_auth_methods_supported: [&'static str; 2],
    /// Where tokens are revoked (RFC 7009).
    revocation_endpoint: String,
    /// How services authenticate there.
    revocation_endpoint_auth_methods_supported: [&'static str; 2],
    /// None: people log in here, no client does so for them.
    response_types_supported: [&'static str; 0],
    /// None: there is no token endpoint.
    grant_types_supported: [&'static str; 0],
}

const METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

/// The metadata of the service. The endpoints are below `JWT_ISSUER` if that is a URL, as clients
/// that discover them want it; otherwise on the host that was asked. Pages of any origin may read it.
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "For services",
    summary = "Tells where keys, introspection and revocation are (RFC 8414)",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of what the client has.")),
    responses(
        (status = 200, description = "The metadata", body = Metadata),
        (status = 304, description = "The client has it already"),
    ),
)]
pub async fn metadata(State(app): State<App>, headers: HeaderMap) -> Response {
    let issuer = &app.settings.tokens.jwt_issuer;
    let base =
        if is_url(issuer) { issuer.trim_end_matches('/').to_owned() } else { base_of(&headers) };
    let metadata = Metadata {
        issuer: issuer.clone(),
        jwks_uri: format!("{base}/.well-known/jwks.json"),
        introspection_endpoint: format!("{base}/api/v1/auth/introspect"),
        introspection_endpoint_auth_methods_supported: METHODS,
        revocation_endpoint: format!("{base}/api/v1/auth/revoke"),
        revocation_endpoint_auth_methods_supported: METHODS,
        response_types_supported: [],
        grant_types_supported: [],
    };
    cached::document(&headers, &metadata)
}

fn is_url(issuer: &str) -> bool {
    issuer.starts_with("https://") || issuer.starts_with("http://")
}

/// Where whoever asks has reached us; a proxy ends TLS everywhere but on one's own machine.
fn base_of(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).map(HeaderValue::to_str).and_then(Result::ok).unwrap_or_default();
    let is_here = ["localhost", "127.", "[::1]"].iter().any(|here| host.starts_with(here));
    format!("{}://{host}", if is_here { "http" } else { "https" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_url_of_its_own_the_service_is_where_it_was_asked() {
        for (host, base) in [
            ("127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("[::1]:3000", "http://[::1]:3000"),
            ("auth.example.com", "https://auth.example.com"),
        ] {
            let headers = HeaderMap::from_iter([(HOST, host.parse().unwrap())]);
            assert_eq!(base_of(&headers), base);
        }
    }
}
