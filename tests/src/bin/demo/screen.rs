//! What the demo looks like. Colour only where a person looks; secrets only in part.

use std::io::{IsTerminal, Write as _, stdout};
use std::process::exit;

const LONGEST_WORD: usize = 40;

/// Where the story is shown.
#[derive(Clone, Copy)]
pub(crate) struct Screen {
    colour: bool,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self { colour: stdout().is_terminal() }
    }

    /// A step that takes a while, told before it starts.
    pub(crate) fn progress(self, text: &str) {
        say(&self.paint("2", &format!("  … {text}")));
    }

    pub(crate) fn heading(self, text: &str) {
        say(&format!("\n{}", self.paint("1", text)));
    }

    /// A remark in the story.
    pub(crate) fn note(self, text: &str) {
        say(&self.paint("2", &format!("  # {text}")));
    }

    pub(crate) fn command(self, line: &str) {
        say(&format!("  {} {}", self.paint("32", "$"), self.paint("36", &shown(line))));
    }

    pub(crate) fn answer(self, text: &str) {
        for line in shown(text).lines() {
            say(&format!("    {}", self.paint("37", line)));
        }
    }

    pub(crate) fn failure(self, text: &str) {
        eprintln!("\n{}", self.paint("31", &shown(text)));
    }

    fn paint(self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Ends the demo, and whatever it has started, when nobody reads on.
fn say(text: &str) {
    if writeln!(stdout(), "{text}").is_err() {
        exit(1);
    }
}

fn shown(text: &str) -> String {
    shortened(&text.split_inclusive(char::is_whitespace).map(without_password).collect::<String>())
}

/// The address of a server that is not ours may carry its password.
fn without_password(word: &str) -> String {
    let parts = word.split_once("://").and_then(|(scheme, rest)| {
        let (login, host) = rest.rsplit_once('@')?;
        let (user, _password) = login.split_once(':')?;
        Some(format!("{scheme}://{user}:…@{host}"))
    });
    parts.unwrap_or_else(|| word.to_owned())
}

/// Tokens and ids are longer than any word; their ends are enough to tell them apart.
fn shortened(text: &str) -> String {
    let is_of_a_token = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut short = String::new();
    for word in text.split_inclusive(|c| !is_of_a_token(c)) {
        let (token, rest) = word.split_at(word.rfind(is_of_a_token).map_or(0, |last| last + 1));
        if token.len() <= LONGEST_WORD {
            short += word;
        } else {
            short.extend([&token[..14], "…", &token[token.len() - 6..], rest]);
        }
    }
    short
}

/// Indents JSON as it came, so that the order of the fields is the server's.
pub(crate) fn indented(json: &str) -> String {
    let (mut text, mut depth, mut quoted, mut escaped) = (String::new(), 0, false, false);
    let mut characters = json.chars().peekable();
    while let Some(c) = characters.next() {
        if quoted {
            text.push(c);
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '{' | '[' if characters.peek().is_some_and(|next| "}]".contains(*next)) => text.push(c),
            '{' | '[' => {
                depth += 1;
                text.push(c);
                new_line(&mut text, depth);
            }
            '}' | ']' if text.ends_with(['{', '[']) => text.push(c),
            '}' | ']' => {
                depth -= 1;
                new_line(&mut text, depth);
                text.push(c);
            }
            ',' => {
                text.push(c);
                new_line(&mut text, depth);
            }
            ':' => text += ": ",
            c if c.is_ascii_whitespace() => {}
            c => {
                quoted = c == '"';
                text.push(c);
            }
        }
    }
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.push_str(&"  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_order_and_its_strings() {
        let told = indented(r#"{"b":[1,{"a":"x,{\"y\":1}"}],"c":{}}"#);
        let wanted = "{\n  \"b\": [\n    1,\n    {\n      \"a\": \"x,{\\\"y\\\":1}\"\n    }\n  ],\n  \"c\": {}\n}";
        assert_eq!(told, wanted);
    }

    #[test]
    fn no_password_of_a_given_server_is_shown() {
        let told =
            shown("database  mysql://root:p@ss:w@db:3306/name\nredis  redis://:geheim@r:6379 x");
        assert_eq!(told, "database  mysql://root:…@db:3306/name\nredis  redis://:…@r:6379 x");
        assert_eq!(shown("http://127.0.0.1:3000/health"), "http://127.0.0.1:3000/health");
    }

    #[test]
    fn a_token_is_shown_by_its_ends_and_nothing_else_is_touched() {
        let token = format!("eyJhbGciOiJIUzI1NiJ9.{}.signed", "a".repeat(40));
        let told =
            shortened(&format!("Bearer {token}' http://127.0.0.1:4000/api/v1/auth/login-enhanced"));
        assert_eq!(
            told,
            "Bearer eyJhbGciOiJIUz…signed' http://127.0.0.1:4000/api/v1/auth/login-enhanced"
        );
    }
}
