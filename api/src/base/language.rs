//! The languages that people are spoken to in, on pages and in mails.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A language of pages and mails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English, for whoever wants none of ours.
    #[default]
    En,
    /// German.
    De,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::En, Self::De];

    /// The tag, as written in HTML, in rows and in names of files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// The language of a tag; of `de-AT` it is German.
    #[must_use]
    pub fn of(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.as_str().eq_ignore_ascii_case(primary))
    }

    /// The one of ours that is wanted most (`Accept-Language`, RFC 9110 §12.5.4); none, if none is.
    #[must_use]
    pub fn preferred(accepted: &str) -> Option<Self> {
        let mut best: Option<(Self, f32)> = None;
        for range in accepted.split(',') {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.parse().ok());
            let Some((language, weight)) = Self::of(tag).zip(weight) else { continue };
            if weight > 0.0 && best.is_none_or(|(_, weightiest)| weight > weightiest) {
                best = Some((language, weight));
            }
        }
        best.map(|(language, _)| language)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("de", Some(Language::De))]
    #[case("de-AT,de;q=0.9,en;q=0.8", Some(Language::De))]
    #[case("fr, EN-us;q=0.7, de;q=0.3", Some(Language::En))]
    #[case("en;q=0.1, de;q=0.2", Some(Language::De))]
    #[case("de;q=0, en;q=0.1", Some(Language::En))]
    #[case("en,de", Some(Language::En))]
    #[case("de;q=0", None)]
    #[case("de;q=nonsense", None)]
    #[case("fr,*", None)]
    #[case("deutsch", None)]
    #[case("", None)]
    fn the_language_is_the_one_that_is_wanted_most(
        #[case] accepted: &str,
        #[case] language: Option<Language>,
    ) {
        assert_eq!(Language::preferred(accepted), language);
    }
}
