//! The files that pages load, as browsers get them.

use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use super::shared::Pages;
use crate::base::error::{Error, Result};
use crate::http::segment::Segment;

/// `GET {PAGES_PATH}/assets/{name}`.
pub(super) async fn file(
    State(pages): State<Pages>,
    Segment(name): Segment,
    RawQuery(query): RawQuery,
) -> Result<Response> {
    let (media_type, text) = pages.assets.file(&name).ok_or(Error::NotFound)?;
    // While instances are replaced, one may be asked for what another knows.
    let version = query.as_deref().and_then(|query| query.strip_prefix("v="));
    let is_this = version == Some(&pages.assets.version);
    let kept = if is_this { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(([(CONTENT_TYPE, media_type), (CACHE_CONTROL, kept)], text).into_response())
}
