//! What a check has found, a line for each thing.

use std::time::Duration;

/// By how much clocks may differ before tokens and sessions end at the wrong time.
const CLOCKS: Duration = Duration::from_secs(5);

/// What to say of a clock that is this far from the one of this host, if it is too far.
pub(super) fn told_of_clock(apart: Duration) -> Option<String> {
    let told = || format!("{} s apart from this host: synchronise both by NTP", apart.as_secs());
    (apart > CLOCKS).then(told)
}

/// What was found, in the order in which it was looked at.
#[derive(Default)]
pub(super) struct Report {
    lines: Vec<String>,
    failures: usize,
}

impl Report {
    pub(super) fn good(&mut self, about: &str, told: &str) {
        self.lines.push(format!("ok    {about}: {told}"));
    }

    pub(super) fn bad(&mut self, about: &str, told: &str) {
        self.failures += 1;
        self.lines.push(format!("FAIL  {about}: {told}"));
    }

    pub(super) fn note(&mut self, about: &str, told: &str) {
        self.lines.push(format!("note  {about}: {told}"));
    }

    #[cfg(test)]
    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Prints it all, and fails if there is anything to mend.
    pub(super) fn print(&self) -> anyhow::Result<()> {
        self.lines.iter().for_each(|line| println!("{line}"));
        match self.failures {
            0 => Ok(()),
            1 => anyhow::bail!("one thing above has to be mended"),
            many => anyhow::bail!("{many} things above have to be mended"),
        }
    }
}
