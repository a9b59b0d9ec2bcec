//! Commands as a person types them: shown, run, and their answer shown.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::screen::{Screen, indented};

/// What the service answered.
pub(crate) struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    /// The answer itself if its status is the one that belongs here.
    pub(crate) fn must_be(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "HTTP {status} was due here, not {}", self.status);
        Ok(self)
    }

    /// A field that must be there, by its JSON pointer.
    pub(crate) fn field(&self, pointer: &str) -> Result<&Value> {
        self.body.pointer(pointer).with_context(|| format!("the answer lacks {pointer}"))
    }

    /// As [`Answer::field`], for text.
    pub(crate) fn text(&self, pointer: &str) -> Result<String> {
        let field = self.field(pointer)?.as_str();
        Ok(field.with_context(|| format!("{pointer} is no text"))?.to_owned())
    }
}

/// One request of the story.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: String,
    pub(crate) bearer: Option<&'a str>,
    pub(crate) body: Option<Value>,
}

impl Request<'_> {
    pub(crate) fn send(&self, screen: Screen) -> Result<Answer> {
        let mut arguments = Vec::new();
        if self.method != "GET" {
            arguments.extend(["-X".to_owned(), self.method.to_owned()]);
        }
        arguments.push(self.url.clone());
        if let Some(token) = self.bearer {
            arguments.extend(["-H".to_owned(), format!("Authorization: Bearer {token}")]);
        }
        if let Some(body) = &self.body {
            arguments.extend(["-H", "Content-Type: application/json", "-d"].map(String::from));
            arguments.push(body.to_string());
        }
        screen.command(&typed("curl", &arguments));
        // Not shown: no progress bar, and the status on a line of its own.
        let hidden =
            ["--silent", "--show-error", "--max-time", "30", "--write-out", "\n%{http_code}"];
        let told = output(Command::new("curl").args(hidden).args(&arguments))?;
        let (body, status) = told.rsplit_once('\n').context("curl tells the status")?;
        screen.answer(&format!("HTTP {status}\n{}", indented(body)));
        Ok(Answer { status: status.parse()?, body: serde_json::from_str(body).unwrap_or_default() })
    }
}

/// Runs `redis-cli` and returns what it prints.
pub(crate) fn redis_cli(screen: Screen, arguments: &[String]) -> Result<String> {
    screen.command(&typed("redis-cli", arguments));
    let told = output(Command::new("redis-cli").args(arguments))?;
    screen.answer(&told);
    Ok(told.trim().to_owned())
}

fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.output().with_context(|| format!("{program} not found: run `make install`"))?;
    if !output.status.success() {
        bail!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command line that does the same in a shell.
pub(crate) fn typed(program: &str, arguments: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@".contains(c);
    let quoted = arguments.iter().map(|argument| {
        if !argument.is_empty() && argument.chars().all(plain) {
            argument.clone()
        } else {
            format!("'{}'", argument.replace('\'', r"'\''"))
        }
    });
    std::iter::once(program.to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}
