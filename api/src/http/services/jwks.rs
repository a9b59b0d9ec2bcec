//! `GET /.well-known/jwks.json`: the public keys, for services that verify tokens themselves.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::tokens::access::Jwk;

/// A key set (RFC 7517 §5).
#[derive(Serialize, ToSchema)]
pub struct JwkSet {
    /// The signing key first.
    keys: Vec<Jwk>,
}

/// The key set (RFC 7517); empty while a shared secret signs.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "For services",
    summary = "Returns the public keys (RFC 7517)",
    responses((status = 200, description = "The keys; none while tokens are signed with a shared secret", body = JwkSet)),
)]
pub async fn jwks(State(app): State<App>) -> ([(HeaderName, &'static str); 1], Json<JwkSet>) {
    // Short, so that a new key is known everywhere well before the old one is retired.
    ([(CACHE_CONTROL, "public, max-age=300")], Json(JwkSet { keys: app.keys.jwks() }))
}
