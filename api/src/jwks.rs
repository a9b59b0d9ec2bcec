//! `GET /.well-known/jwks.json`: the public keys, for services that verify tokens themselves.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, HeaderName};

use crate::App;

/// The key set (RFC 7517); empty while a shared secret signs.
pub async fn jwks(
    State(app): State<App>,
) -> ([(HeaderName, &'static str); 1], Json<serde_json::Value>) {
    // Short, so that a new key is known everywhere well before the old one is retired.
    ([(CACHE_CONTROL, "public, max-age=300")], Json(app.keys.jwks()))
}
