//! Refusals as OAuth clients read them: the problem document with the member `error` (RFC 6749 §5.2).

use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use axum::response::Response;
use serde_json::{Map, Value};

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

/// What refusals of this route are to call themselves, if it speaks OAuth. Libraries that ask for JSON
/// read nothing that says which kind of it it is.
pub(super) fn media_type(route: &str, headers: &HeaderMap) -> Option<&'static str> {
    let asked = |kind: &str| {
        headers.get_all(ACCEPT).iter().any(|line| line.to_str().is_ok_and(|it| it.contains(kind)))
    };
    ["/api/v1/auth/introspect", "/api/v1/auth/revoke"]
        .contains(&route)
        .then(|| if asked(JSON) && !asked(PROBLEM) { JSON } else { PROBLEM })
}

/// The same refusal with `error` in it.
pub(super) async fn add(refusal: Response, media_type: &'static str) -> Response {
    let (mut parts, body) = refusal.into_parts();
    let is_problem =
        parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == PROBLEM.as_bytes());
    // Every problem document is made here and short.
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let problem = serde_json::from_slice::<Map<String, Value>>(&bytes).ok();
    let Some(mut problem) = problem.filter(|_| is_problem) else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    problem.insert("error".to_owned(), error(parts.status).into());
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    Response::from_parts(parts, Body::from(Value::from(problem).to_string()))
}

/// The two last are not of §5.2, which knows no outages, but of §4.1.2.1.
const fn error(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "invalid_client",
        429 | 503 => "temporarily_unavailable",
        500.. => "server_error",
        _ => "invalid_request",
    }
}
