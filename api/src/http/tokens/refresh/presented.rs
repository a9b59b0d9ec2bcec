//! Where a refresh token may come from.

use axum::http::HeaderMap;

use crate::base::error::{Error, Result, Violation};
use crate::http::caller::bearer;
use crate::http::cookies;

/// The one refresh token of a request, and whether a cookie brought it.
pub(super) fn presented<'a>(
    headers: &'a HeaderMap,
    in_body: Option<&'a str>,
) -> Result<(&'a str, bool)> {
    match (in_body, cookies::value(headers, cookies::REFRESH)) {
        (Some(_), Some(_)) => Err(Error::TwoTokens),
        (None, Some(_)) if bearer(headers)?.is_some() => Err(Error::TwoTokens),
        (Some(token), None) => Ok((token, false)),
        (None, Some(token)) => Ok((token, true)),
        (None, None) => Err(Error::Incomplete(vec![Violation::new(
            "refresh_token",
            "required",
            "This is required.",
        )])),
    }
}
