//! What is measured, each program on the core for it: one installation of Portcullis, and those
//! that it is compared with. Redis, MariaDB and the load share the other core.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use portcullis_tests::{
    Database, Directory, Process, Redis, free_port, target, wait_until, workspace,
};

use crate::http::people::{JWT_SECRET, Person};
use crate::stage::{SERVER_CORE, built};

/// The client that may introspect, as HTTP Basic wants it: `bench:` and its secret.
pub(crate) const CLIENT: &str = "bench:a secret of the bench";
/// A clock tick of `/proc`, in seconds.
const TICK_S: f64 = 0.01;

/// What is measured, built with the release profile.
pub(crate) struct Programs {
    module: PathBuf,
    portcullis: PathBuf,
    bare: PathBuf,
}

impl Programs {
    pub(crate) fn build() -> Result<Self> {
        Ok(Self {
            module: built("portcullis-module", "libportcullis.so")?,
            portcullis: built("portcullis-api", "portcullis")?,
            bare: built("portcullis-bare", "bare")?,
        })
    }
}

/// A program that answers `/api/v1/auth/verify`.
pub(crate) struct Pinned {
    process: Process,
    pub(crate) port: u16,
    // After the process, which writes its log there.
    _directory: Directory,
}

impl Pinned {
    /// Starts it on its core; `settings` are variables of its environment.
    fn start(command: &[&str], port: u16, settings: &[(&str, &str)]) -> Self {
        let directory = Directory::new();
        let arguments = [&["-c", SERVER_CORE], command].concat();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let settings: Vec<_> = settings.iter().map(owned).collect();
        let log = directory.path().join("log");
        let process = Process::start(Path::new("taskset"), &arguments, &settings, &log);
        Self { process, port, _directory: directory }
    }

    /// Waits until it lets this person in.
    fn admitting(mut self, person: &Person) -> Self {
        let url = format!("http://127.0.0.1:{}/api/v1/auth/verify", self.port);
        let bearer = format!("Authorization: Bearer {}", person.token);
        wait_until("the token is good", || {
            assert!(!self.process.has_ended(), "it ended and said:\n{}", self.process.log());
            let mut ask = Command::new("curl");
            ask.args(["--silent", "--fail", "--output", "/dev/null", "--header", &bearer, &url]);
            ask.status().is_ok_and(|status| status.success())
        });
        self
    }

    /// Seconds that it has run on a processor so far, all its threads together.
    pub(crate) fn cpu_s(&self) -> Result<f64> {
        let told = std::fs::read_to_string(format!("/proc/{}/stat", self.process.pid()))?;
        // The name, which may hold anything, ends at the last parenthesis; then come 11 others.
        let fields = told.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: Vec<f64> = fields.skip(11).take(2).flat_map(str::parse).collect();
        ensure!(ticks.len() == 2, "/proc/…/stat says {told}");
        Ok(ticks.iter().sum::<f64>() * TICK_S)
    }

    /// The most memory that it has had so far, in MiB.
    pub(crate) fn peak_mib(&self) -> Result<f64> {
        let told = std::fs::read_to_string(format!("/proc/{}/status", self.process.pid()))?;
        let line = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        Ok(kib.context("/proc/…/status tells the most memory")? / 1024.0)
    }
}

/// One installation: the service, its Redis, and its database.
pub(crate) struct Site {
    // Fields drop in this order: the service before what it uses.
    pub(crate) service: Pinned,
    pub(crate) redis: Redis,
}

impl Site {
    /// Starts the service on a database that has people in it, and a Redis that is told of them.
    pub(crate) fn open(
        programs: &Programs,
        mariadb: &Database,
        database: &str,
        visitor: &Person,
        keys: Option<&Path>,
    ) -> Result<Self> {
        let redis = Redis::options().module(&programs.module).start();
        let (port, operations) = (free_port(), format!("127.0.0.1:{}", free_port()));
        let mails = redis.data().join("mail").display().to_string();
        let often = "1000000/7d";
        let keys = keys.map(|keys| keys.display().to_string());
        let (port_text, database_url) = (port.to_string(), mariadb.url(database));
        let redis_url = redis.url();
        let mut settings = vec![
            ("HOST", "127.0.0.1"),
            ("PORT", &*port_text),
            ("OPS_ADDR", &operations),
            ("DATABASE_URL", &database_url),
            ("REDIS_URL", &redis_url),
            ("JWT_SECRET", JWT_SECRET),
            ("INTROSPECTION_CLIENTS", CLIENT),
            ("RATE_LIMIT_LOGIN", often),
            ("RATE_LIMIT_REFRESH", often),
            // However busy the machine is, what was asked for is done.
            ("DB_DEADLINE", "10s"),
            ("MAIL_DIR", &mails),
        ];
        if let Some(keys) = &keys {
            settings.extend([("JWT_KEYS_DIR", keys.as_str()), ("REFRESH_TOKEN_KEY", JWT_SECRET)]);
        }
        let portcullis = programs.portcullis.display().to_string();
        let hydrate =
            Command::new(&portcullis).arg("hydrate").envs(settings.iter().copied()).output()?;
        let complaint = String::from_utf8_lossy(&hydrate.stderr);
        ensure!(hydrate.status.success(), "the ledgers could not be filled: {complaint}");
        let service = Pinned::start(&[&portcullis, "serve"], port, &settings).admitting(visitor);
        Ok(Self { service, redis })
    }
}

/// The axum handler that does nothing.
pub(crate) fn bare(programs: &Programs, visitor: &Person) -> Pinned {
    let port = free_port();
    let (program, text) = (programs.bare.display().to_string(), port.to_string());
    Pinned::start(&[&program, &text], port, &[]).admitting(visitor)
}

/// The same checks in Express: `plain` as they are usually written, `tuned` as fast as they go.
pub(crate) fn express(how: &str, redis: &Redis, visitor: &Person) -> Result<Pinned> {
    let modules = target().join("servers/express/node_modules");
    ensure!(modules.is_dir(), "Express is missing: run tests/install bench");
    let port = free_port();
    let settings = [
        ("PORT", port.to_string()),
        ("REDIS_SOCKET", redis.socket().display().to_string()),
        ("JWT_SECRET", JWT_SECRET.to_owned()),
        ("NODE_ENV", "production".to_owned()),
        ("NODE_PATH", modules.display().to_string()),
    ];
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let peer = workspace().join("benches/express/peer.js").display().to_string();
    Ok(Pinned::start(&["node", &peer, how], port, &settings).admitting(visitor))
}
