//! What a package installs beside the command: completions for shells, and manual pages. Both are made
//! from what the command accepts, so neither can be behind it.

use std::io::{ErrorKind, Write as _, stdout};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;

/// For which shell.
#[derive(Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    /// Prints them for this command.
    pub(crate) fn print(&self, mut command: Command) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "portcullis", &mut script);
        print(&String::from_utf8(script).context("the completions are no text")?)
    }
}

/// Where to.
#[derive(Args)]
pub(crate) struct Man {
    /// An existing directory.
    directory: PathBuf,
}

impl Man {
    /// One page for each command that can be typed, as git does it.
    pub(crate) fn write(&self, command: Command) -> anyhow::Result<()> {
        clap_mangen::generate_to(command.disable_help_subcommand(true), &self.directory)
            .with_context(|| format!("cannot write into {}", self.directory.display()))
    }
}

/// Prints what may be longer than its reader wants: `| head` is no fault.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    match stdout().write_all(text.as_bytes()).and_then(|()| stdout().flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.context("standard output cannot be written"),
    }
}
