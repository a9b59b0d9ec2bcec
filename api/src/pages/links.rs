//! Where pages lead.

use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse as _, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What has a meaning in a query.
const IN_QUERIES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'/');

/// Somewhere else.
pub(super) fn see_other(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
}

/// A value of a query.
pub(super) fn in_query(value: &str) -> String {
    utf8_percent_encode(value, IN_QUERIES).to_string()
}

/// The page that a form stands on: some forms have a path of their own below it.
pub(super) fn page_of(path: &str) -> &str {
    match path {
        "/resend-verification" => "/verify-email",
        "/profile/email" | "/profile/delete" | "/profile/export" => "/profile",
        "/admin/logout-everyone" => "/admin",
        "/logout" => "/sessions",
        other => other,
    }
}
