//! What is told in the end: how many of the old rows became what.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// What most rows become.
pub(super) const IMPORTED: &str = "imported";
pub(super) const THERE: &str = "there already";

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
