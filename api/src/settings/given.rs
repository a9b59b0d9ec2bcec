//! What was typed and what stands in the environment, read by one rule: an empty variable is one that
//! is not set, an empty flag is a slip, and a value has nothing about it that belongs to the file or
//! the shell it comes from.

use std::ffi::OsString;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Error};

/// Parses what was typed, with the environment.
pub fn given(
    command: Command,
    typed: impl IntoIterator<Item = OsString>,
) -> Result<ArgMatches, Error> {
    let mut command = without_empty_variables(command);
    let parsed = command.try_get_matches_from_mut(typed);
    let matches = parsed.map_err(|error| plainer(&mut command, error))?;
    match first_slip(&command, &matches) {
        Some(told) => Err(command.error(ErrorKind::ValueValidation, told)),
        None => Ok(matches),
    }
}

#[expect(clippy::disallowed_methods, reason = "the one home of the environment")]
fn without_empty_variables(command: Command) -> Command {
    let is_empty = |arg: &Arg| {
        let value = arg.get_env().and_then(std::env::var_os);
        value.is_some_and(|value| value.is_empty())
    };
    command
        .mut_args(|arg| if is_empty(&arg) { arg.env(Resettable::Reset) } else { arg })
        .mut_subcommands(without_empty_variables)
}

/// A value that is no number because of its quotes is refused because of its quotes.
fn plainer(command: &mut Command, error: Error) -> Error {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let (arg, value) = (context(ContextKind::InvalidArg), context(ContextKind::InvalidValue));
    let (Some(arg), Some(value)) = (arg, value) else { return error };
    let flag = arg.split(' ').next().unwrap_or_default();
    let name = flag.trim_start_matches('-').replace('-', "_").to_uppercase();
    let slip = if value.is_empty() { Some(EMPTY) } else { oddity(&value) };
    slip.map_or(error, |why| command.error(ErrorKind::ValueValidation, format!("{name}: {why}")))
}

/// The first value that cannot be meant as it stands, in this command and in the one below it.
fn first_slip(command: &Command, matches: &ArgMatches) -> Option<String> {
    let own = command.get_arguments().find_map(|arg| slip(arg, matches));
    own.or_else(|| {
        let (name, matches) = matches.subcommand()?;
        first_slip(command.find_subcommand(name)?, matches)
    })
}

fn slip(arg: &Arg, matches: &ArgMatches) -> Option<String> {
    let id = arg.get_id().as_str();
    let is_typed = match matches.value_source(id)? {
        ValueSource::CommandLine => true,
        ValueSource::EnvVariable => false,
        _ => return None,
    };
    let name = arg.get_env().and_then(|name| name.to_str());
    let values = matches.get_raw(id).filter(|_| arg.get_action().takes_values())?;
    values.map(|value| value.to_string_lossy()).find_map(|value| {
        if value.is_empty() && is_typed {
            let flag = arg.get_long().map(|long| format!("--{long}")).unwrap_or_default();
            // Whatever has a variable has a default, or can be given there.
            let is_needed = name.is_none() && arg.is_required_set();
            let why = if is_needed { NEEDED } else { EMPTY };
            return Some(format!("{}: {why}", name.unwrap_or(&flag)));
        }
        let (name, why) = (name?, oddity(&value)?);
        let way_out = if name.ends_with("_PASSWORD") { WAY_OUT } else { "" };
        Some(format!("{name}: {why}{way_out}"))
    })
}

const NEEDED: &str = "must not be empty";
const EMPTY: &str = "must not be empty; leave the flag out instead";
const WAY_OUT: &str =
    "; if it really is part of the password, give the whole address with it percent-encoded";

/// What about a value belongs to where it comes from. The value itself is never repeated: it may be a
/// secret.
fn oddity(value: &str) -> Option<&'static str> {
    let is_quoted =
        |quote: char| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote);
    if value.ends_with('\r') {
        Some("ends with a carriage return: save the file it comes from with Unix line ends")
    } else if value.chars().any(char::is_control) {
        Some("contains a line break or another control character: remove it")
    } else if is_quoted('"') || is_quoted('\'') {
        Some("stands in quotes, which whatever read the file did not remove: remove them")
    } else if value.trim() != value {
        Some("begins or ends with white space: remove it")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::value_parser;

    fn refusal(typed: &[&str]) -> Option<String> {
        let number =
            Arg::new("port").long("port").env("PORT_OF_NO_TEST").value_parser(value_parser!(u16));
        let text = Arg::new("word").long("word").env("A_PASSWORD");
        let name = Arg::new("name").long("name");
        let command = Command::new("test")
            .subcommand_required(true)
            .subcommand(Command::new("run").args([number, text, name]));
        let typed = ["test", "run"].iter().chain(typed).map(OsString::from);
        given(command, typed).err().map(|error| error.to_string())
    }

    #[test]
    fn f_40_an_empty_flag_is_refused_whatever_it_is_for() {
        for flag in ["--port=", "--word=", "--name="] {
            let told = refusal(&[flag]).unwrap_or_else(|| panic!("{flag} was taken"));
            assert!(told.contains("must not be empty"), "{flag} {told}");
        }
        assert_eq!(refusal(&["--port=1", "--word=x", "--name=y"]), None);
    }

    #[test]
    fn f_40_what_belongs_to_a_file_is_no_part_of_a_value() {
        let cases = [
            ("--port=3000\r", "PORT: ends with a carriage return"),
            ("--port=\"3000\"", "PORT: stands in quotes"),
            ("--word=secret\r", "A_PASSWORD: ends with a carriage return"),
            ("--word=secret\n", "A_PASSWORD: contains a line break"),
            ("--word='secret'", "A_PASSWORD: stands in quotes"),
            ("--word=\"secret\"", "A_PASSWORD: stands in quotes"),
            ("--word= secret", "A_PASSWORD: begins or ends with white space"),
        ];
        for (flag, told) in cases {
            let refusal = refusal(&[flag]).unwrap_or_else(|| panic!("{flag} was taken"));
            assert!(refusal.contains(told) && !refusal.contains("secret"), "{flag} {refusal}");
        }
        for good in ["--word=it's \"good\"", "--word='", "--name=\"Ada\"", "--word=a b"] {
            assert_eq!(refusal(&[good]), None, "{good}");
        }
    }
}
