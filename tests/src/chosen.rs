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
