//! What the pages say, in every language: one file each, with the same keys.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::base::language::Language;

type Texts = BTreeMap<String, String>;

static ENGLISH: LazyLock<Texts> = LazyLock::new(|| read(include_str!("texts/en.json")));
static GERMAN: LazyLock<Texts> = LazyLock::new(|| read(include_str!("texts/de.json")));

fn read(file: &str) -> Texts {
    serde_json::from_str(file).unwrap_or_default()
}

fn all(language: Language) -> &'static Texts {
    match language {
        Language::En => &ENGLISH,
        Language::De => &GERMAN,
    }
}

/// A text as it stands in its file.
pub(super) fn text(language: Language, key: &str) -> Option<&'static str> {
    all(language).get(key).map(String::as_str)
}

/// A text with its values in place of `{names}`. If one is `n` and it is 1, there may be another text for
/// it, `key.one`.
pub(super) fn filled(language: Language, key: &str, values: &[(String, String)]) -> Option<String> {
    let is_one = values.iter().any(|(name, value)| name == "n" && value == "1");
    let one = is_one.then(|| text(language, &format!("{key}.one"))).flatten();
    let mut rest = one.or_else(|| text(language, key))?;
    let mut filled = String::with_capacity(rest.len());
    // In one pass: what a value holds is never looked into.
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        let (_, value) = values.iter().find(|(known, _)| known == name)?;
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
    }

    #[test]
    fn every_language_has_the_same_texts_with_the_same_values() {
        let described = |language| {
            let texts = all(language).iter().map(|(key, text)| (key.as_str(), names(text)));
            texts.collect::<BTreeMap<_, _>>()
        };
        assert!(!ENGLISH.is_empty() && !GERMAN.is_empty(), "both files can be read");
        assert_eq!(described(Language::De), described(Language::En));
        for (key, text) in ENGLISH.iter().chain(GERMAN.iter()) {
            assert!(!text.trim().is_empty(), "{key} says nothing");
        }
    }

    #[test]
    fn values_take_the_place_of_their_names_and_are_not_looked_into() {
        let values = [("n".to_owned(), "2".to_owned()), ("brand".to_owned(), "{n}".to_owned())];
        let wait = filled(Language::En, "wait", &values).unwrap();
        assert_eq!(wait, "Try again in 2 seconds.");
        let one = [("n".to_owned(), "1".to_owned())];
        assert_eq!(filled(Language::En, "wait", &one).unwrap(), "Try again in 1 second.");
        let title = filled(Language::En, "login.intro", &values);
        assert_eq!(title.unwrap(), "Log in to {n}.");
        assert_eq!(filled(Language::En, "wait", &[]), None, "a value is missing");
        assert_eq!(filled(Language::En, "no such text", &[]), None);
    }
}
