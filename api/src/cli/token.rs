//! `portcullis token`: what is known of one token. It is read from standard input, because what is typed
//! behind a command can be read by everybody on the host.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Read as _, Write as _};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use portcullis_api::App;
use portcullis_api::base::clock::Clock;
use portcullis_api::base::random::Random;
use portcullis_api::inspect::{self, Finding, State};
use portcullis_api::settings::Settings;

/// Tells what is known of a token.
#[derive(Args)]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Tell what a token is, what it says, and what MySQL and Redis say of it; changes nothing.
    ///
    /// The token is read from standard input and never printed. Exits with 0 if it is live, 1 if it is
    /// dead, 2 if it is unknown or nobody could be asked.
    Inspect(Box<Inspect>),
}

#[derive(Args)]
struct Inspect {
    /// Print one JSON object instead of `name: value` lines.
    #[arg(long)]
    json: bool,
    /// Only there to be refused without being repeated.
    #[arg(hide = true)]
    typed: Option<OsString>,
    #[command(flatten)]
    settings: Settings,
}

/// More than any token has.
const MOST: u64 = 16 * 1024;
const UNKNOWN: i32 = 2;

impl Command {
    /// Tells what was found, and ends with the code that says the same.
    pub(crate) async fn run(self) -> ! {
        let Action::Inspect(inspect) = self.action;
        let as_json = inspect.json;
        let code = match inspect.find().await.and_then(|finding| tell(&finding, as_json)) {
            Ok(State::Live) => 0,
            Ok(State::Dead) => 1,
            Ok(State::Unknown) => UNKNOWN,
            Err(error) => {
                eprintln!("portcullis: {error:#}");
                UNKNOWN
            }
        };
        std::process::exit(code)
    }
}

impl Inspect {
    async fn find(self) -> anyhow::Result<Finding> {
        if self.typed.is_some() {
            bail!("what is typed can be read by others here: portcullis token inspect < file");
        }
        let app = App::new(self.settings.check()?, Clock::system(), Random::system())?;
        let token = read_token()?;
        Ok(inspect::inspect(&app, token.trim()).await)
    }
}

fn read_token() -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password("Token: ").context("no token could be read");
    }
    let mut token = String::new();
    let read = std::io::stdin().take(MOST).read_to_string(&mut token);
    // The cause of a failure would not say more, and the bytes are not to be shown.
    if read.is_err() || token.trim().is_empty() {
        bail!("there is no token on standard input: portcullis token inspect < file");
    }
    Ok(token)
}

fn tell(finding: &Finding, as_json: bool) -> anyhow::Result<State> {
    let mut out = std::io::stdout();
    if as_json { writeln!(out, "{:#}", finding.json()) } else { writeln!(out, "{finding}") }?;
    out.flush()?;
    Ok(finding.state)
}
