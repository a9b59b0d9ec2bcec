//! Documents that anybody may read, keep for a while, and ask whether they have changed (RFC 9110
//! §13.1.2).

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH,
};
use axum::response::{IntoResponse as _, Response};
use portcullis_core::Digest;
use serde::Serialize;

/// Short, so that a new key is known everywhere well before the old one is retired.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The document, or 304 to whoever has it already.
pub(crate) fn document(asked: &HeaderMap, document: &impl Serialize) -> Response {
    let text = serde_json::to_vec(document).unwrap_or_default();
    let tag = String::from_utf8_lossy(&Digest::of(&text).to_hex()[..32]).into_owned();
    let tag = format!("\"{tag}\"");
    let mut response = if knows(asked, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let json = HeaderValue::from_static("application/json");
        let mut response = Response::new(Body::from(text));
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, KEPT);
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    response
}

/// Whether one of the tags is this one; that a cache calls it weak does not matter here.
fn knows(asked: &HeaderMap, tag: &str) -> bool {
    let lines = asked.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == tag || known == "*")
}
