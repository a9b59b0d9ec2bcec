//! What whoever starts the tests may choose, by environment variables.

use std::ops::RangeInclusive;

/// The number in the variable `name`, or the `usual` one without it.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "cargo passes nothing else on to a test")]
pub fn chosen(name: &str, usual: u64, bounds: RangeInclusive<u64>) -> u64 {
    let Ok(text) = std::env::var(name) else { return usual };
    let number = text.parse().ok().filter(|number| bounds.contains(number));
    number.unwrap_or_else(|| {
        let (least, most) = bounds.into_inner();
        panic!("{name}={text}: give a number from {least} to {most}, or nothing for {usual}")
    })
}

/// One of the `others`, if the variable `name` says so, or the `usual` word.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "cargo passes nothing else on to a test")]
pub(crate) fn chosen_word(name: &str, usual: &str, others: &[&str]) -> String {
    let Ok(text) = std::env::var(name) else { return usual.to_owned() };
    let is_known = text == usual || others.contains(&text.as_str());
    assert!(is_known, "{name}={text}: give {usual} or one of {others:?}");
    text
}
