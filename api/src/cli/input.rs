//! What is read from standard input: a secret, which must not stand in the command line.

use std::io::{IsTerminal as _, Read as _};

use anyhow::{Context as _, bail, ensure};

/// Far more than any password has.
const LONGEST: u64 = 4096;

/// From the named variable, or one line of standard input.
pub(crate) fn password(variable: Option<&str>) -> anyhow::Result<String> {
    if let Some(name) = variable {
        #[expect(clippy::disallowed_methods, reason = "the operator chooses the variable's name")]
        let value = std::env::var(name).with_context(|| format!("{name} is not set"))?;
        return one_line(&value).with_context(|| format!("the password in {name}"));
    }
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password("Password: ").context("no password was typed");
    }
    let mut given = String::new();
    std::io::stdin()
        .take(LONGEST + 1)
        .read_to_string(&mut given)
        .context("the password on standard input cannot be read as UTF-8")?;
    one_line(&given).context("the password on standard input")
}

/// Exactly one line, with or without its end. Two would be taken for one password that nobody types.
fn one_line(given: &str) -> anyhow::Result<String> {
    let line = given.strip_suffix('\n').unwrap_or(given);
    let line = line.strip_suffix('\r').unwrap_or(line);
    ensure!(line.len() <= usize::try_from(LONGEST)?, "is longer than {LONGEST} bytes");
    ensure!(!line.is_empty(), "is missing: send exactly one line");
    if line.contains(['\n', '\r']) {
        bail!("has more than one line: send exactly one");
    }
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_39_a_password_is_exactly_one_line() {
        for good in ["secret", "secret\n", "secret\r\n"] {
            assert_eq!(one_line(good).unwrap(), "secret");
        }
        assert_eq!(one_line(" two words \n").unwrap(), " two words ");
        let refused =
            |given: &str| one_line(given).err().map(|error| error.to_string()).unwrap_or_default();
        for several in ["one\ntwo", "one\ntwo\n", "one\n\n", "\none", "one\rtwo", "one\r\n\r\n"] {
            assert!(refused(several).contains("more than one line"), "{several:?}");
        }
        for nothing in ["", "\n", "\r\n"] {
            assert!(refused(nothing).contains("missing"), "{nothing:?}");
        }
        assert!(refused(&"x".repeat(5000)).contains("longer"));
    }
}
