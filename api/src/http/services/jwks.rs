//! `GET /.well-known/jwks.json`: the public keys, for services that verify tokens themselves.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::http::cached;
use crate::tokens::access::Jwk;

/// A key set (RFC 7517 §5).
#[derive(Serialize, ToSchema)]
pub struct JwkSet {
    /// The signing key first.
    keys: Vec<Jwk>,
}

/// The key set (RFC 7517); empty while a shared secret signs. Pages of any origin may read it.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "For services",
    summary = "Returns the public keys (RFC 7517)",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the set that the client has.")),
    responses(
        (status = 200, description = "The keys; none while tokens are signed with a shared secret", body = JwkSet),
        (status = 304, description = "The client has this set already"),
    ),
)]
pub async fn jwks(State(app): State<App>, headers: HeaderMap) -> Response {
    cached::document(&headers, &JwkSet { keys: app.keys.jwks() })
}
