//! What can be typed behind `portcullis`. May use every room; only `main.rs` uses it.

pub(crate) mod check;
mod health;
pub(crate) mod input;
mod keys;
pub(crate) mod shell;
mod token;
pub(crate) mod words;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use portcullis_api::import;
use portcullis_api::settings::{self, Settings, Stores};

/// Login, refresh, logout and sessions over HTTP, with instant revocation through Redis.
#[derive(Parser)]
#[command(name = "portcullis", version, after_help = FIRST_STEPS)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the service.
    Serve(Box<Settings>),
    /// Apply or revert database migrations.
    Migrate(Box<Migrate>),
    /// Manage accounts.
    User(User),
    /// Delete data past its retention, once, and print how much was deleted.
    Cleanup(Box<Settings>),
    /// Make, list and retire the keys that sign access tokens.
    Keys(keys::Command),
    /// Tell what is known of a token.
    Token(token::Command),
    /// Import users and live sessions from the database of the system being replaced.
    ///
    /// The old database is only read. Rows that have no meaning here, or are in doubt, are left out
    /// and counted by reason. May be repeated: what has already been imported is left alone, unless
    /// the old row is newer.
    Import(Box<Import>),
    /// Bring the ledgers in Redis up to date with MySQL, whatever state Redis reports.
    Hydrate(Box<Settings>),
    /// Check the settings and what they lead to: MySQL, Redis and its module, mail, keys.
    ///
    /// Connects, changes nothing, and names for each thing that is wrong the one command that mends it.
    Check(Box<check::Check>),
    /// Check only the settings: the same as check --offline.
    CheckConfig(Box<Settings>),
    /// Ask the service on this host whether it is ready; exits with 0 if it is, with 1 if not.
    Health(health::Health),
    /// Print the description of the API (`OpenAPI` 3.1, JSON).
    Openapi {
        /// Print the page for people instead.
        #[arg(long)]
        html: bool,
    },
    /// Print what makes a shell complete this command at the Tab key.
    Completions(shell::Completions),
    /// Write the manual pages into a directory.
    #[command(hide = true)]
    Man(shell::Man),
}

#[derive(Args)]
pub(crate) struct Migrate {
    #[command(subcommand)]
    pub(crate) what: Direction,
    #[command(flatten)]
    pub(crate) stores: Stores,
}

#[derive(Subcommand)]
pub(crate) enum Direction {
    /// Apply all pending steps.
    Up,
    /// Revert the last steps. Deletes the data in their tables; without --yes only reports how much.
    Down {
        /// How many steps to revert.
        #[arg(long, default_value_t = 1)]
        steps: usize,
        /// Really delete the data.
        #[arg(long)]
        yes: bool,
    },
    /// List the steps, and which of them have been applied.
    Status,
}

#[derive(Args)]
pub(crate) struct Import {
    #[command(flatten)]
    pub(crate) options: import::Options,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(Args)]
pub(crate) struct User {
    #[command(subcommand)]
    pub(crate) what: UserCommand,
}

#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Create an account; the password is read from standard input.
    Create(Box<CreateUser>),
}

#[derive(Args)]
pub(crate) struct CreateUser {
    /// E-mail address to log in with.
    #[arg(long)]
    pub(crate) email: String,
    /// First name.
    #[arg(long)]
    pub(crate) first_name: String,
    /// Last name.
    #[arg(long)]
    pub(crate) last_name: String,
    /// Make the user an administrator.
    #[arg(long)]
    pub(crate) admin: bool,
    /// Treat the address as verified.
    #[arg(long)]
    pub(crate) verified: bool,
    /// Take the password from this environment variable instead of standard input.
    #[arg(long, value_name = "NAME")]
    pub(crate) password_env: Option<String>,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

const FIRST_STEPS: &str = "To get started: migrate up, check, user create --admin, serve.";
const ALSO_SETTINGS: &str = "The settings of `portcullis serve` also apply here, as flags and from the \
    environment; `portcullis serve --help` lists them. Except for cleanup, JWT_SECRET or \
    JWT_KEYS_DIR must be set.";

impl Cli {
    /// What was typed. Only `serve` and the checks tell all settings in their help; elsewhere
    /// they would bury the options of the command itself.
    pub(crate) fn read() -> Self {
        let matches = settings::given(Self::described(), std::env::args_os());
        matches
            .and_then(|matches| Self::from_arg_matches(&matches))
            .unwrap_or_else(|error| error.exit())
    }

    /// All that can be typed, as help and manual tell it.
    pub(crate) fn described() -> clap::Command {
        let mut command = Self::command();
        for name in ["cleanup", "hydrate", "import"] {
            command = command.mut_subcommand(name, with_little_help);
        }
        command =
            command.mut_subcommand("token", |it| it.mut_subcommand("inspect", with_little_help));
        command.mut_subcommand("user", |user| user.mut_subcommand("create", with_little_help))
    }
}

fn with_little_help(command: clap::Command) -> clap::Command {
    let is_setting =
        |arg: &clap::Arg| arg.get_help_heading().is_some_and(|heading| heading != Stores::HEADING);
    command
        .mut_args(|arg| if is_setting(&arg) { arg.hide(true) } else { arg })
        .after_help(ALSO_SETTINGS)
}
