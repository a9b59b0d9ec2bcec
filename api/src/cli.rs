//! What can be typed behind `portcullis`. May use every room; only `main.rs` uses it.

mod keys;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use portcullis_api::import;
use portcullis_api::settings::{Settings, Stores};

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
    /// Bring the database into shape, or back.
    Migrate(Box<Migrate>),
    /// Manage accounts.
    User(User),
    /// Delete what is over, once, and say how much that was.
    Cleanup(Box<Settings>),
    /// Make, list and retire the keys that sign access tokens.
    Keys(keys::Command),
    /// Take over users and live sessions from the database of the system that is replaced.
    ///
    /// The old database is only read. What means nothing here, or is in doubt, is left out and
    /// counted with the reason. May be repeated: what is here already is left alone, unless the old
    /// row is younger.
    Import(Box<Import>),
    /// Bring the ledgers in Redis up to date with MySQL, whatever Redis says of itself.
    Hydrate(Box<Settings>),
    /// Check the settings and say what is wrong with them; starts nothing.
    CheckConfig(Box<Settings>),
    /// Print the description of the API (`OpenAPI` 3.1, JSON).
    Openapi,
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
    /// Take every step that is missing.
    Up,
    /// Take the last steps back. Deletes the data in their tables; without --yes says how much.
    Down {
        /// How many steps.
        #[arg(long, default_value_t = 1)]
        steps: usize,
        /// Do delete it.
        #[arg(long)]
        yes: bool,
    },
    /// List the steps and which of them are taken.
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
    /// Take the address as verified.
    #[arg(long)]
    pub(crate) verified: bool,
    /// Take the password from this environment variable instead of standard input.
    #[arg(long, value_name = "NAME")]
    pub(crate) password_env: Option<String>,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

const FIRST_STEPS: &str = "The first time: check-config, migrate up, user create --admin, serve.";
const ALSO_SETTINGS: &str = "The settings of `portcullis serve` hold here too, as flags and from the \
    environment; `portcullis serve --help` lists them. Except for cleanup, JWT_SECRET or \
    JWT_KEYS_DIR must be set.";

impl Cli {
    /// What was typed. Only `serve` and `check-config` tell all settings in their help; elsewhere
    /// they would bury the options of the command itself.
    pub(crate) fn read() -> Self {
        let mut command = Self::command();
        for name in ["cleanup", "hydrate", "import"] {
            command = command.mut_subcommand(name, with_little_help);
        }
        command =
            command.mut_subcommand("user", |user| user.mut_subcommand("create", with_little_help));
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }
}

fn with_little_help(command: clap::Command) -> clap::Command {
    let is_setting =
        |arg: &clap::Arg| arg.get_help_heading().is_some_and(|heading| heading != Stores::HEADING);
    command
        .mut_args(|arg| if is_setting(&arg) { arg.hide(true) } else { arg })
        .after_help(ALSO_SETTINGS)
}
