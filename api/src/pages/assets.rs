//! The few files that pages load: one style, one script, one icon. All are part of the program.

use portcullis_core::Digest;

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

    /// A file with its media type; none of another name.
    pub(super) fn file(&self, name: &str) -> Option<(&'static str, String)> {
        Some(match name {
            "pages.js" => ("text/javascript; charset=utf-8", SCRIPT.to_owned()),
            "pages.css" => ("text/css; charset=utf-8", self.style.clone()),
            "icon.svg" => ("image/svg+xml", self.icon.clone()),
            _ => return None,
        })
    }
}
