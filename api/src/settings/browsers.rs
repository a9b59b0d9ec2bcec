//! What is said to browsers, and whom of them to believe.

use std::str::FromStr;

use axum::http::HeaderValue;

/// A web origin: scheme, host and port, nothing after; in the one spelling that browsers use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(pub String);

impl Origin {
    /// The origin of a page, whoever names it: letter case and the port that is meant anyway do not
    /// count. What stands for no page, as `null` does, is none.
    #[must_use]
    pub fn of_page(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (scheme, host) = text.split_once("://")?;
        let usual = match scheme {
            "https" => ":443",
            "http" => ":80",
            _ => return None,
        };
        let host = host.strip_suffix(usual).unwrap_or(host);
        (!host.is_empty()).then(|| Self(format!("{scheme}://{host}")))
    }

    /// Whether a request to this host, as its header names it, stays within the origin.
    #[must_use]
    pub fn is_of_host(&self, host: &str) -> bool {
        let scheme = self.0.split_once("://").map_or("", |(scheme, _)| scheme);
        Self::of_page(&format!("{scheme}://{host}")).as_ref() == Some(self)
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte);
        let is_legal = |origin: &Self| {
            origin.0.split_once("://").is_some_and(|(_, host)| host.bytes().all(legal))
        };
        Self::of_page(text).filter(is_legal).ok_or_else(|| {
            format!("{text:?} is not an origin such as https://app.example.com, without a path")
        })
    }
}

/// The value of `Strict-Transport-Security` (RFC 6797), or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hsts(pub Option<HeaderValue>);

impl FromStr for Hsts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let directives: Vec<String> =
            text.split(';').map(|directive| directive.trim().to_ascii_lowercase()).collect();
        let is_age = |directive: &&String| {
            let age = directive.strip_prefix("max-age=");
            age.is_some_and(|age| !age.is_empty() && age.bytes().all(|b| b.is_ascii_digit()))
        };
        let known = |directive: &String| {
            is_age(&directive) || ["includesubdomains", "preload"].contains(&directive.as_str())
        };
        let value = HeaderValue::from_str(text).ok();
        value
            .filter(|_| directives.iter().filter(is_age).count() == 1)
            .filter(|_| directives.iter().all(known))
            .map(|value| Self(Some(value)))
            .ok_or_else(|| {
                format!(
                    "{text:?} is neither `off` nor like `max-age=63072000; includeSubDomains`, \
                     with `preload` if you want"
                )
            })
    }
}

/// A kind of data that `Clear-Site-Data` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteData(&'static str);

impl SiteData {
    const ALL: [&str; 5] = ["cache", "cookies", "storage", "executionContexts", "*"];

    /// The word in the header, without its quotes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl FromStr for SiteData {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|known| *known == text);
        known.map(Self).ok_or_else(|| format!("{text:?} is none of {}", Self::ALL.join(", ")))
    }
}
