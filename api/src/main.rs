//! The command `portcullis`.

use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use portcullis_api::clock::Clock;
use portcullis_api::config::{LogFormat, Server, Settings, Stores};
use portcullis_api::hydrate::{self, Counts, Extent};
use portcullis_api::secret::Random;
use portcullis_api::{App, cleanup, keys, migrate, serve, state, user};
use sqlx::MySqlPool;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// Login, refresh, logout and sessions over HTTP, with instant revocation through Redis.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
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
    /// Bring the ledgers in Redis up to date with MySQL, whatever Redis says of itself.
    Hydrate(Box<Settings>),
    /// Check the settings and say what is wrong with them; starts nothing.
    CheckConfig(Box<Settings>),
}

#[derive(Args)]
struct Migrate {
    #[command(subcommand)]
    what: Direction,
    #[command(flatten)]
    stores: Stores,
}

#[derive(Subcommand)]
enum Direction {
    /// Take every step that is missing.
    Up,
    /// Take the last steps back. Deletes the data in the tables concerned.
    Down {
        /// How many steps.
        #[arg(long, default_value_t = 1)]
        steps: usize,
    },
    /// List the steps and which of them are taken.
    Status,
}

#[derive(Args)]
struct User {
    #[command(subcommand)]
    what: UserCommand,
}

#[derive(Subcommand)]
enum UserCommand {
    /// Create an account; the password is read from standard input.
    Create(Box<CreateUser>),
}

#[derive(Args)]
struct CreateUser {
    /// E-mail address to log in with.
    #[arg(long)]
    email: String,
    /// First name.
    #[arg(long)]
    first_name: String,
    /// Last name.
    #[arg(long)]
    last_name: String,
    /// Make the user an administrator.
    #[arg(long)]
    admin: bool,
    /// Take the address as verified.
    #[arg(long)]
    verified: bool,
    /// Take the password from this environment variable instead of standard input.
    #[arg(long, value_name = "NAME")]
    password_env: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("portcullis: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(settings) => run_service(settings.check()?).await,
        Command::Migrate(migrate) => run_migrate(*migrate).await,
        Command::User(User { what: UserCommand::Create(new) }) => create_user(*new).await,
        Command::Cleanup(settings) => clean(settings.check()?).await,
        Command::Keys(command) => Ok(command.run(Clock::system().now(), &mut std::io::stdout())?),
        Command::Hydrate(settings) => run_hydrate(settings.check()?).await,
        Command::CheckConfig(settings) => {
            settings.check()?;
            println!("The settings are good.");
            Ok(())
        }
    }
}

async fn run_service(settings: Settings) -> anyhow::Result<()> {
    start_log(&settings.server)?;
    let address = (settings.server.host, settings.server.port);
    let operations = settings.server.ops_addr;
    let app = App::new(settings, Clock::system(), Random::system())?;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {}:{} (HOST, PORT)", address.0, address.1))?;
    let operations = TcpListener::bind(operations)
        .await
        .with_context(|| format!("cannot listen on {operations} (OPS_ADDR)"))?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    tracing::info!(address = %operations.local_addr()?, "listening for operators");
    tokio::spawn(serve::serve_operations(app.clone(), operations));
    tokio::spawn(serve::stop_at_signal(app.clone()));
    serve::serve(app, listener).await
}

fn start_log(server: &Server) -> anyhow::Result<()> {
    let filter: EnvFilter = server.log_level.parse().context("LOG_LEVEL")?;
    let to_people = std::io::stdout().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    match server.log_format {
        Some(LogFormat::Json) => log.json().init(),
        None if !to_people => log.json().init(),
        Some(LogFormat::Pretty) | None => log.with_ansi(to_people).init(),
    }
    Ok(())
}

async fn run_migrate(Migrate { what, stores }: Migrate) -> anyhow::Result<()> {
    stores.check()?;
    let db = state::pool(&stores)?;
    match what {
        Direction::Up => migrate::up(&db).await?,
        Direction::Down { steps } => migrate::down(&db, steps).await?,
        Direction::Status => {}
    }
    for step in migrate::status(&db).await? {
        let state = if step.is_applied { "applied" } else { "pending" };
        println!("{:>4}  {state}  {}", step.version, step.description);
    }
    Ok(())
}

async fn clean(settings: Settings) -> anyhow::Result<()> {
    let db = state::pool(&settings.stores)?;
    match cleanup::clean(&db, &settings, Clock::system().now()).await? {
        Some(deleted) => println!("{deleted}"),
        None => println!("Another instance is cleaning up; nothing was done here."),
    }
    Ok(())
}

/// Shows how far it is, on a line of its own that is written over on a terminal.
async fn run_hydrate(settings: Settings) -> anyhow::Result<()> {
    let app = App::new(settings, Clock::system(), Random::system())?;
    let to_people = std::io::stderr().is_terminal();
    let show = move |counts: &Counts| {
        if to_people {
            eprint!("\r{counts}");
        }
    };
    let done = hydrate::bring_up_to_date(&app, Extent::Everything, &show).await?;
    if to_people {
        eprintln!();
    }
    println!("{}", done.unwrap_or_default());
    Ok(())
}

async fn create_user(new: CreateUser) -> anyhow::Result<()> {
    let settings = new.settings.check()?;
    let db: MySqlPool = state::pool(&settings.stores)?;
    let password = read_password(new.password_env.as_deref())?;
    let newcomer = user::Newcomer {
        email: new.email,
        password: password.into(),
        first_name: new.first_name,
        last_name: new.last_name,
    };
    let standing = user::Standing { is_admin: new.admin, is_verified: new.verified };
    let id = user::create(&settings, &db, newcomer, standing, Clock::system().now()).await?;
    println!("User {id} created.");
    Ok(())
}

/// From the named variable, or one line of standard input.
fn read_password(variable: Option<&str>) -> anyhow::Result<String> {
    if let Some(name) = variable {
        #[expect(clippy::disallowed_methods, reason = "the operator chooses the variable's name")]
        return std::env::var(name).with_context(|| format!("{name} is not set"));
    }
    if std::io::stdin().is_terminal() {
        eprintln!("Password, then Enter and Ctrl-D:");
    }
    let mut password = String::new();
    std::io::stdin().take(4096).read_to_string(&mut password).context("no password")?;
    Ok(password.trim_end_matches(['\r', '\n']).to_owned())
}
