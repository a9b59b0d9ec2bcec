//! The command `portcullis`.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use mimalloc::MiMalloc;
use portcullis_api::accounts::{addresses, user};
use portcullis_api::base::clock::Clock;
use portcullis_api::base::random::Random;
use portcullis_api::http::openapi;
use portcullis_api::ledger::hydrate;
use portcullis_api::ledger::hydrate::Counts;
use portcullis_api::ledger::hydrate::Extent;
use portcullis_api::settings::{LogFormat, Server, Settings, Stores};
use portcullis_api::store::cleanup;
use portcullis_api::store::database::Store;
use portcullis_api::store::migrate;
use portcullis_api::{App, import, serve};
use sqlx::ConnectOptions as _;
use tokio::net::TcpListener;

use crate::cli::words::in_words;
use crate::cli::{Cli, Command, CreateUser, Direction, Import, Migrate, User, UserCommand};
use crate::cli::{check, input, shell};

/// A request allocates some dozens of small things and frees them at once.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

mod cli;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::read().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("portcullis: {}", in_words(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(settings) => run_service(settings.check()?).await,
        Command::Migrate(migrate) => run_migrate(*migrate).await,
        Command::User(User { what: UserCommand::Create(new) }) => create_user(*new).await,
        Command::Cleanup(settings) => clean(*settings).await,
        Command::Keys(command) => Ok(command.run(Clock::system().now(), &mut std::io::stdout())?),
        Command::Token(command) => command.run().await,
        Command::Import(import) => run_import(*import).await,
        Command::Hydrate(settings) => run_hydrate(settings.check()?).await,
        Command::Check(check) => check.run().await,
        Command::CheckConfig(settings) => check::offline(*settings),
        Command::Health(health) => health.run(),
        Command::Openapi { html: true } => shell::print(openapi::page()),
        Command::Openapi { html: false } => shell::print(&format!("{:#}\n", openapi::document())),
        Command::Completions(shell) => shell.print(Cli::described()),
        Command::Man(pages) => pages.write(Cli::described()),
    }
}

async fn run_service(settings: Settings) -> anyhow::Result<()> {
    start_log(&settings.server)?;
    let address = (settings.server.host, settings.server.port);
    let operations = settings.server.ops_addr;
    let app = App::new(settings, Clock::system(), Random::system())?;
    app.mail.prepare()?;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {}:{} (HOST, PORT)", address.0, address.1))?;
    let operations = TcpListener::bind(operations)
        .await
        .with_context(|| format!("cannot listen on {operations} (OPS_ADDR)"))?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    tracing::info!(address = %operations.local_addr()?, "listening (operations)");
    tokio::spawn(serve::serve_operations(app.clone(), operations));
    tokio::spawn(serve::stop_at_signal(app.clone()));
    serve::serve(app, listener).await
}

fn start_log(server: &Server) -> anyhow::Result<()> {
    let filter = check::log_filter(server)?;
    let to_people = std::io::stdout().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    match server.log_format {
        Some(LogFormat::Json) => log.json().init(),
        None if !to_people => log.json().init(),
        Some(LogFormat::Pretty) | None => log.with_ansi(to_people).init(),
    }
    Ok(())
}

/// A pool for a command. A pool by itself would only say that it has waited in vain.
async fn database(stores: &Stores) -> anyhow::Result<Store> {
    let store = Store::new(stores)?;
    reach(&store, stores).await?;
    Ok(store)
}

async fn reach(store: &Store, stores: &Stores) -> anyhow::Result<()> {
    let options = store.pool.connect_options();
    let connecting = tokio::time::timeout(stores.db_deadline, options.connect());
    let connected = connecting.await.context("no answer in time").and_then(|done| Ok(done?));
    connected
        .map(drop)
        .context("the database of DATABASE_URL, or of the DB_ settings, cannot be used")
}

async fn run_migrate(Migrate { what, stores }: Migrate) -> anyhow::Result<()> {
    stores.check()?;
    let store = database(&stores).await?;
    let db = store.pool.clone();
    let mut report = addresses::Report::default();
    match what {
        Direction::Up => {
            migrate::up(&db).await?;
            report = addresses::bring_into_form(&store).await.context(
                "the tables are up to date, but the e-mail addresses could not all be brought into \
                 their canonical form: repeat `portcullis migrate up`",
            )?;
        }
        Direction::Down { steps, yes } => {
            if !yes {
                return tell_losses(&migrate::losses(&db, steps).await?);
            }
            migrate::down(&db, steps).await?;
        }
        Direction::Status => {}
    }
    for step in migrate::status(&db).await? {
        let state = match (step.is_applied, step.has_failed) {
            (true, _) => "applied",
            (false, true) => "failed ",
            (false, false) => "pending",
        };
        println!("{:>4}  {state}  {}", step.version, step.description);
        if step.has_failed {
            println!("      it is half done: `portcullis migrate up` continues it");
        }
    }
    print!("{report}");
    Ok(())
}

/// Nobody deletes every account by a slip.
fn tell_losses(losses: &[(String, u64)]) -> anyhow::Result<()> {
    for (table, rows) in losses {
        println!("{rows:>9}  rows of {table} would be deleted");
    }
    anyhow::bail!("nothing was done: back up the database, then repeat with --yes")
}

/// Needs the database and nothing else, least of all the secrets of the service.
async fn clean(settings: Settings) -> anyhow::Result<()> {
    settings.stores.check()?;
    let db = database(&settings.stores).await?.pool;
    match cleanup::clean(&db, &settings, Clock::system().now()).await? {
        Some(deleted) => println!("{deleted}"),
        None => println!("Another instance is already cleaning up; nothing was done."),
    }
    Ok(())
}

/// Shows how far it is on a terminal.
async fn run_import(Import { options, settings }: Import) -> anyhow::Result<()> {
    let app = App::new(settings.check()?, Clock::system(), Random::system())?;
    reach(&app.store, &app.settings.stores).await?;
    let to_people = std::io::stderr().is_terminal();
    let show = move |done, total| {
        if to_people {
            eprint!("\r{done} of {total} users");
        }
    };
    let tally = import::import(&app, &options, &show).await?;
    if to_people {
        eprintln!();
    }
    println!("{tally}");
    if options.dry_run {
        println!("This was a dry run: nothing was changed.");
    }
    Ok(())
}

/// Shows how far it is, on a terminal; says what was told in the end.
async fn run_hydrate(settings: Settings) -> anyhow::Result<()> {
    let app = App::new(settings, Clock::system(), Random::system())?;
    reach(&app.store, &app.settings.stores).await?;
    let style = ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}")?;
    let bar = ProgressBar::new(hydrate::size(&app.ledgers).await?).with_style(style);
    let show = |counts: &Counts| {
        bar.set_position(counts.filled());
        bar.set_message(counts.to_string());
    };
    let done = hydrate::bring_all_up_to_date(&app.ledgers, Extent::Everything, &show).await?;
    bar.finish_and_clear();
    println!("{}", done.unwrap_or_default());
    Ok(())
}

async fn create_user(new: CreateUser) -> anyhow::Result<()> {
    let settings = new.settings.check()?;
    let store = database(&settings.stores).await?;
    let password = input::password(new.password_env.as_deref())?;
    let newcomer = user::Newcomer {
        email: new.email,
        password: password.into(),
        first_name: new.first_name,
        last_name: new.last_name,
    };
    let standing = user::Privileges { is_admin: new.admin, is_verified: new.verified };
    let id = user::create(&settings, &store, newcomer, standing, Clock::system().now()).await?;
    println!("User {id} created.");
    Ok(())
}
