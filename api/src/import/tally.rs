//! What is told in the end: how many of the old rows became what.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// What most rows become.
pub(super) const IMPORTED: &str = "imported";
pub(super) const THERE: &str = "there already";
/// What becomes of users besides.
pub(super) const ADDRESS_TAKEN: &str = "left out: another account here has the e-mail address";
pub(super) const UNVERIFIED: &str = "imported, to verify their address before they log in";
pub(super) const TOO_DEAR: &str =
    "imported, to choose a new password by mail: checking the old hash costs too much";
pub(super) const UPDATED: &str = "brought up to date";
pub(super) const UPDATED_WITHOUT_PASSWORD: &str =
    "brought up to date but for the password: checking its hash costs too much";

/// What became of the old rows: how many of which kind met which fate.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<(&'static str, Cow<'static, str>), u64>);

impl Tally {
    pub(super) fn count(&mut self, kind: &'static str, fate: impl Into<Cow<'static, str>>) {
        self.add(kind, fate, 1);
    }

    pub(super) fn add(
        &mut self,
        kind: &'static str,
        fate: impl Into<Cow<'static, str>>,
        rows: u64,
    ) {
        *self.0.entry((kind, fate.into())).or_default() += rows;
    }

    /// How many rows of this kind met this fate.
    #[must_use]
    pub fn of(&self, kind: &'static str, fate: &'static str) -> u64 {
        self.0.get(&(kind, fate.into())).copied().unwrap_or(0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("        0  rows in the old database");
        }
        let lines = self.0.iter().map(|((kind, fate), n)| format!("{n:>9}  {kind} {fate}"));
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}
