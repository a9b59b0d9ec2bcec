//! The pages for people: whether there are any, where, and what they look like.

use std::str::FromStr;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};

use super::address;
use super::invalid::Invalid;

/// The pages for people.
#[derive(Args, Clone)]
#[command(next_help_heading = "Pages")]
pub struct Pages {
    /// Whether the service shows pages for people: login, registration, sessions, profile, administration.
    #[arg(long, env, default_value_t = true, action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub pages: bool,
    /// Path that the pages are below.
    #[arg(long, env, default_value = "/account")]
    pub pages_path: PagesPath,
    /// Colour of buttons on the pages and in mails, as `#rrggbb`.
    #[arg(long, env, default_value = "#1d4ed8")]
    pub brand_color: Color,
    /// Where people reach the service, such as `https://auth.example.com`. Links in mails lead to its pages
    /// there, unless `FRONTEND_URL` is set.
    #[arg(long, env, default_value = "")]
    pub public_url: String,
}

impl Pages {
    /// Refuses an address that links cannot begin with.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        if self.public_url.is_empty() {
            return Ok(());
        }
        address::page("PUBLIC_URL", &self.public_url)
    }

    /// Where the pages are for whoever reads a mail, if there are any and it is known.
    #[must_use]
    pub fn url(&self) -> Option<String> {
        let is_known = self.pages && !self.public_url.is_empty();
        is_known.then(|| {
            format!("{}{}", self.public_url.trim_end_matches('/'), self.pages_path.as_str())
        })
    }
}

/// A path of ours: one or more plain segments, and none that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PagesPath(String);

impl PagesPath {
    /// The path, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PagesPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const TAKEN: [&str; 6] = ["api", "health", "livez", "readyz", ".well-known", "metrics"];
        let is_plain = |segment: &str| {
            let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            !segment.is_empty() && segment.bytes().all(is_legal)
        };
        let path = text.strip_suffix('/').unwrap_or(text);
        let segments = path.strip_prefix('/').map(|path| path.split('/').collect::<Vec<_>>());
        segments
            .filter(|segments| segments.iter().all(|segment| is_plain(segment)))
            .filter(|segments| !segments.first().is_some_and(|first| TAKEN.contains(first)))
            .map(|_| Self(path.to_owned()))
            .ok_or_else(|| {
                format!(
                    "{text:?} must be a path such as /account, of letters, digits, - and _, and not \
                     below /api, /health, /livez, /readyz or /metrics"
                )
            })
    }
}

/// A colour, `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color([u8; 3]);

impl Color {
    /// As CSS writes it.
    #[must_use]
    pub fn css(self) -> String {
        let [red, green, blue] = self.0;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// Black or white: whichever is easier to read on it (WCAG 2.2, relative luminance).
    #[must_use]
    pub fn text_on_it(self) -> &'static str {
        let linear = |channel: u8| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        let luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        let (on_white, on_black) = (1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05);
        if on_white >= on_black { "#ffffff" } else { "#000000" }
    }
}

impl FromStr for Color {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
        let number = digits
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let [_, red, green, blue] = number
            .ok_or_else(|| format!("{text:?} must be a colour such as #1d4ed8"))?
            .to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/account", Some("/account"))]
    #[case("/my/account/", Some("/my/account"))]
    #[case("/", None)]
    #[case("account", None)]
    #[case("//account", None)]
    #[case("/a b", None)]
    #[case("/a/../b", None)]
    #[case("/a{b}", None)]
    #[case("/api/v1", None)]
    #[case("/health", None)]
    fn pages_are_below_a_path_of_their_own(#[case] text: &str, #[case] path: Option<&str>) {
        let parsed = text.parse::<PagesPath>().ok();
        assert_eq!(parsed.as_ref().map(PagesPath::as_str), path);
    }

    #[rstest]
    #[case("#1d4ed8", Some("#ffffff"))]
    #[case("#FFD500", Some("#000000"))]
    #[case("#000000", Some("#ffffff"))]
    #[case("1d4ed8", None)]
    #[case("#1d4", None)]
    #[case("#+d4ed8", None)]
    #[case("red;}", None)]
    fn text_on_the_brand_color_can_be_read(#[case] text: &str, #[case] on_it: Option<&str>) {
        assert_eq!(text.parse::<Color>().ok().map(Color::text_on_it), on_it);
    }
}
