//! The few files that pages load: one style, one script, one icon. All are part of the program.

use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use portcullis_core::Digest;

use super::shared::Pages;
use crate::base::error::{Error, Result};
use crate::http::segment::Segment;
use crate::settings::Color;

const SCRIPT: &str = include_str!("assets/pages.js");
const STYLE: &str = include_str!("assets/pages.css");
const ICON: &str = include_str!("assets/icon.svg");

/// The files, in the operator's colour.
pub(super) struct Assets {
    style: String,
    icon: String,
    /// Names this state of all of them.
    pub(super) version: String,
}

impl Assets {
    pub(super) fn new(color: Color) -> Self {
        let (brand, on_it) = (color.css(), color.text_on_it());
        let style = format!(":root{{--brand:{brand};--on-brand:{on_it}}}\n{STYLE}");
        let icon = ICON.replace("#1d4ed8", &brand);
        let all = [SCRIPT, &style, &icon].join("\0");
        let version =
            String::from_utf8_lossy(&Digest::of(all.as_bytes()).to_hex()[..16]).into_owned();
        Self { style, icon, version }
    }
}

/// `GET {PAGES_PATH}/assets/{name}`.
pub(super) async fn asset(
    State(pages): State<Pages>,
    Segment(name): Segment,
    RawQuery(query): RawQuery,
) -> Result<Response> {
    let Assets { style, icon, version } = &pages.assets;
    let (media_type, text) = match name.as_str() {
        "pages.js" => ("text/javascript; charset=utf-8", SCRIPT.to_owned()),
        "pages.css" => ("text/css; charset=utf-8", style.clone()),
        "icon.svg" => ("image/svg+xml", icon.clone()),
        _ => return Err(Error::NotFound),
    };
    // While instances are replaced, one may be asked for what another knows.
    let is_this = query.as_deref().and_then(|query| query.strip_prefix("v=")) == Some(version);
    let kept = if is_this { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(([(CONTENT_TYPE, media_type), (CACHE_CONTROL, kept)], text).into_response())
}
