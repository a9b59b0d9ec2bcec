//! The servers: private ones under `target/`, one Redis or a cluster of six, or those that `DATABASE_URL`
//! and `REDIS_URL` name.

use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use portcullis_tests::{
    Database, DatabaseKind, Directory, Process, binary_path, free_port, module_path, wait_until,
};

use crate::ledgers::{Ledgers, Size};
use crate::screen::Screen;
use crate::shell::typed;

/// The running service and what it stands on.
pub(crate) struct Stage {
    // Fields drop in this order: the service before what it uses.
    service: Process,
    redis: Option<Ledgers>,
    _mariadb: Option<Database>,
    directory: Directory,
    pub(crate) screen: Screen,
    /// `http://127.0.0.1:port`
    pub(crate) url: String,
    /// The same of its operations listener.
    operations_url: String,
    /// How `redis-cli` is told where the server is.
    pub(crate) redis_cli: Vec<String>,
    /// Whether somebody else's data may be there.
    pub(crate) is_private: bool,
    database_url: String,
    redis_url: String,
    settings: Vec<(String, String)>,
}

/// Who can log in at once, where nobody else's data can be.
const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "correct horse battery staple";

impl Stage {
    /// Starts everything and waits until the service is ready.
    pub(crate) fn set(screen: Screen, size: Size) -> Result<Self> {
        let directory = Directory::new();
        let (given_database, given_redis) = (given("DATABASE_URL"), given("REDIS_URL"));
        let is_private = given_database.is_none() && given_redis.is_none();

        let mariadb = given_database.is_none().then(|| start_mariadb(screen));
        let database_url = given_database.unwrap_or_else(|| {
            mariadb.as_ref().expect("just started").fresh_database("portcullis")
        });
        ensure!(
            given_redis.is_none() || size == Size::One,
            "REDIS_URL names a Redis already; leave it out to have a cluster started"
        );
        let redis = given_redis.is_none().then(|| Ledgers::start(screen, size));
        let redis_url = given_redis.unwrap_or_else(|| redis.as_ref().expect("just started").url());
        let redis_cli = match &redis {
            Some(redis) => redis.redis_cli(),
            None => vec!["-u".to_owned(), redis_url.clone()],
        };
        ensure_module(&redis_cli)?;

        let [address, operations] = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));
        let addresses = Addresses {
            service: &address,
            operations: &operations,
            database: &database_url,
            redis: &redis_url,
        };
        let settings = settings(&directory, &addresses)?;
        migrate(screen, &settings)?;
        let service = start_service(screen, &directory, &address, &settings)?;
        let (url, operations_url) = (format!("http://{address}"), format!("http://{operations}"));
        Ok(Self {
            service,
            redis,
            _mariadb: mariadb,
            directory,
            screen,
            url,
            operations_url,
            redis_cli,
            is_private,
            database_url,
            redis_url,
            settings,
        })
    }

    /// The end of what the service has logged.
    pub(crate) fn service_log(&self) -> String {
        last_lines(&self.service.log())
    }

    /// The mails sent so far, oldest first.
    pub(crate) fn mails(&self) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(mail_directory(&self.directory)).context("no mail was sent")?;
        let mut mails: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        mails.retain(|mail| mail.extension().is_some_and(|end| end == "eml"));
        mails.sort();
        Ok(mails)
    }

    /// Returns when the service has ended.
    pub(crate) fn wait_for_the_service(&mut self) {
        self.service.wait();
    }

    /// Where everything is and what to try first.
    pub(crate) fn show_around(&self) -> Result<()> {
        let screen = self.screen;
        screen.heading("Portcullis is running. Ctrl-C ends it.");
        screen.answer(&format!("service    {}", self.url));
        screen.answer(&format!("pages      {}/account", in_a_browser(&self.url)));
        screen.answer(&format!("operators  {}/docs and /metrics", self.operations_url));
        screen.answer(&format!("database   {}", self.database_url));
        screen.answer(&format!("redis      {}", self.redis_url));
        screen.answer(&format!("mails      {}", mail_directory(&self.directory).display()));
        if let Some(redis) = &self.redis {
            redis.show_around(screen);
        }
        screen.heading("Three commands to try");
        let mut body = serde_json::json!({ "email": EMAIL, "password": PASSWORD });
        let path = if self.is_private {
            self.add_ada()?;
            "login-enhanced"
        } else {
            body["first_name"] = "Ada".into();
            body["last_name"] = "Lovelace".into();
            "register"
        };
        let (health, entry) =
            (format!("{}/health", self.url), format!("{}/api/v1/auth/{path}", self.url));
        let body = body.to_string();
        let curl = |arguments: &[&str]| {
            screen.command(&typed(
                "curl",
                &arguments.iter().copied().map(String::from).collect::<Vec<_>>(),
            ));
        };
        curl(&[&health]);
        curl(&["-X", "POST", &entry, "-H", "Content-Type: application/json", "-d", &body]);
        let check =
            ["AUTH.CHECK", "user:1", "some-token", "SESSION", "some-session"].map(String::from);
        screen.command(&typed("redis-cli", &[self.redis_cli.as_slice(), &check].concat()));
        Ok(())
    }

    fn add_ada(&self) -> Result<()> {
        let name = ["--first-name", "Ada", "--last-name", "Lovelace"];
        let output = Command::new(binary_path())
            .args(["user", "create", "--verified", "--password-env", "ADAS", "--email", EMAIL])
            .args(name)
            .env("ADAS", PASSWORD)
            .envs(self.settings.iter().cloned())
            .output()
            .context("portcullis does not run")?;
        succeeded("the account was not made", &output)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the demo's two settings are read"
)]
fn given(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn start_mariadb(screen: Screen) -> Database {
    screen.progress("starting a private MariaDB under target/");
    Database::start_kind(DatabaseKind::MariaDb)
}

fn ensure_module(redis_cli: &[String]) -> Result<()> {
    let told = Command::new("redis-cli")
        .args(redis_cli)
        .args(["COMMAND", "INFO", "AUTH.CHECK"])
        .output()?;
    let known = String::from_utf8_lossy(&told.stdout).to_lowercase().contains("auth.check");
    ensure!(
        known,
        "the server of REDIS_URL lacks the module; start it with --loadmodule {}",
        module_path().display()
    );
    Ok(())
}

/// By the name that every browser takes for safe, so that cookies stay without TLS.
fn in_a_browser(url: &str) -> String {
    url.replace("127.0.0.1", "localhost")
}

/// Where the service listens, and where its stores are.
struct Addresses<'a> {
    service: &'a str,
    operations: &'a str,
    database: &'a str,
    redis: &'a str,
}

fn settings(directory: &Directory, addresses: &Addresses<'_>) -> Result<Vec<(String, String)>> {
    let Addresses { service, operations, database, redis } = *addresses;
    let (host, port) = service.split_once(':').context("an address has a port")?;
    let mail = mail_directory(directory);
    fs::create_dir_all(&mail)?;
    let settings = [
        ("HOST", host),
        ("PORT", port),
        ("OPS_ADDR", operations),
        ("DATABASE_URL", database),
        ("REDIS_URL", redis),
        ("JWT_SECRET", &random_secret()?),
        ("MAIL_DIR", &mail.display().to_string()),
        ("PUBLIC_URL", &format!("http://localhost:{port}")),
        ("LOG_FORMAT", "pretty"),
    ];
    Ok(settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
}

fn migrate(screen: Screen, settings: &[(String, String)]) -> Result<()> {
    screen.progress("portcullis migrate up");
    let output = Command::new(binary_path())
        .args(["migrate", "up"])
        .envs(settings.iter().cloned())
        .output()
        .context("portcullis does not run")?;
    succeeded("the migrations failed", &output)
}

fn succeeded(otherwise: &str, output: &Output) -> Result<()> {
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{otherwise}:\n{complaint}");
    Ok(())
}

fn start_service(
    screen: Screen,
    directory: &Directory,
    address: &str,
    settings: &[(String, String)],
) -> Result<Process> {
    screen.progress("portcullis serve");
    let log = directory.path().join("portcullis.log");
    let mut service = Process::start(binary_path(), &["serve"], settings, &log);
    let mut ended = false;
    wait_until("the service is ready", || {
        ended = service.has_ended();
        ended || is_ready(address)
    });
    ensure!(!ended, "portcullis serve ended at its start:\n{}", last_lines(&service.log()));
    Ok(service)
}

fn is_ready(address: &str) -> bool {
    let url = format!("http://{address}/readyz");
    Command::new("curl")
        .args(["--silent", "--fail", "--output", "/dev/null", &url])
        .status()
        .is_ok_and(|s| s.success())
}

fn mail_directory(directory: &Directory) -> PathBuf {
    directory.path().join("mail")
}

fn random_secret() -> Result<String> {
    let (mut first, mut second) = ([0; 16], [0; 16]);
    let mut source = File::open("/dev/urandom")?;
    source.read_exact(&mut first)?;
    source.read_exact(&mut second)?;
    Ok(format!("{:032x}{:032x}", u128::from_ne_bytes(first), u128::from_ne_bytes(second)))
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
