//! Which other sites' pages may call the service: those in `CORS_ORIGINS`, nobody else. What is
//! published may be read by all.

use std::time::Duration;

use axum::http::Method;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, RETRY_AFTER};
use axum::http::request::Parts;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use crate::settings::{Origin, Server};

/// How long a browser may remember the answer to its question beforehand.
const REMEMBERED: Duration = Duration::from_mins(10);

/// For documents that are the same for everybody: any page may read them, and no cookie counts.
pub(crate) fn for_everybody() -> CorsLayer {
    CorsLayer::new().allow_origin(Any).allow_methods([Method::GET]).expose_headers([ETAG])
}

/// Allows the listed origins, cookies included. An origin is compared, never repeated unseen.
///
/// The layer answers every `OPTIONS` itself, so it must not stand before `/verify`: those asked there are
/// of the services behind a proxy.
pub(crate) fn layer(server: &Server) -> Option<CorsLayer> {
    let origins = server.cors_origins.0.clone();
    if origins.is_empty() {
        return None;
    }
    let is_listed = move |origin: &HeaderValue, _: &Parts| {
        origin.to_str().ok().and_then(Origin::of_page).is_some_and(|page| origins.contains(&page))
    };
    let named = HeaderName::from_static;
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_listed))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            named("x-csrf-token"),
            named("x-device-id"),
            named("x-request-id"),
            named("x-session-id"),
        ])
        .expose_headers([
            RETRY_AFTER,
            named("ratelimit"),
            named("ratelimit-policy"),
            named("x-request-id"),
        ])
        .max_age(REMEMBERED);
    Some(layer)
}
