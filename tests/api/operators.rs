//! What an operator is told: by the command, by `/health` and by the log.

mod checks;
mod health;
mod input;
mod migrations;
mod packaged;
mod settings;

use std::io::Write as _;
use std::process::{Command, Stdio};

use portcullis_tests::binary_path;

pub(crate) const SECRET: &str = "an operator's secret of more than 32 bytes";

/// What a command came to.
pub(crate) struct Told {
    pub(crate) is_good: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Told {
    #[track_caller]
    pub(crate) fn must_work(self) -> Self {
        assert!(self.is_good, "{}{}", self.out, self.err);
        self
    }

    /// Refused in words for people.
    #[track_caller]
    pub(crate) fn must_be_refused_with(self, words: &str) -> Self {
        assert!(!self.is_good && self.err.contains(words), "{words}: {}{}", self.out, self.err);
        for odd in ["Error {", "Database(", "Some(", "panicked", "RUST_BACKTRACE"] {
            assert!(!self.err.contains(odd), "not for people: {}", self.err);
        }
        self
    }
}

/// Runs the command with these variables and no others, and this on its standard input.
pub(crate) fn portcullis(arguments: &[&str], settings: &[(&str, &str)], input: &[u8]) -> Told {
    let mut command = Command::new(binary_path());
    command.args(arguments).env_clear().envs(settings.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    // Whoever is refused before that reads nothing.
    drop(child.stdin.take().map(|mut stdin| stdin.write_all(input)));
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Told { is_good: output.status.success(), out: text(&output.stdout), err: text(&output.stderr) }
}
