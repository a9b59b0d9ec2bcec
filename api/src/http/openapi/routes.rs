//! Where the description is to be had.

use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderName, X_CONTENT_TYPE_OPTIONS};
use axum::response::{Html, IntoResponse};
use axum::{Json, Router, routing::get};

use super::document::document;
use super::page;

/// `/openapi.json` and `/docs`.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = async || {
        let headers: [(HeaderName, &str); 2] =
            [(CONTENT_SECURITY_POLICY, page::POLICY.as_str()), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
        (headers, Html(page::PAGE.as_str())).into_response()
    };
    Router::new().route("/openapi.json", get(async || Json(document()))).route("/docs", get(page))
}
