//! A private MariaDB or MySQL: its own data directory, a unix socket, a loopback port if asked for.

mod copies;
mod galera;
mod kind;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::Signal;

pub use self::galera::Galera;
pub use self::kind::DatabaseKind;
use crate::process::{Process, find_program};
use crate::wait::{free_port, wait_until};
use crate::workspace::{Directory, workspace};

/// A running (or stopped) server and its data.
pub struct Database {
    kind: DatabaseKind,
    // Fields drop in this order: the process must be gone before its directory.
    process: Option<Process>,
    port: u16,
    further: Vec<String>,
    environment: Vec<(String, String)>,
    directory: Directory,
}

impl Database {
    /// The one that all tests of this process share; each takes its own database from it.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Database> = LazyLock::new(Database::start);
        &SHARED
    }

    /// One of the test's own, to be stopped, killed and started again.
    #[track_caller]
    pub fn start() -> Self {
        Self::prepared(DatabaseKind::chosen(), 0, &[]).launched()
    }

    /// As [`Database::start`], also on a free loopback TCP port, as proxies need.
    #[track_caller]
    pub fn start_on_tcp() -> Self {
        Self::prepared(DatabaseKind::chosen(), free_port(), &[]).launched()
    }

    /// As [`Database::start_on_tcp`], with further arguments.
    #[track_caller]
    pub fn start_with(arguments: &[&str]) -> Self {
        Self::prepared(DatabaseKind::chosen(), free_port(), arguments).launched()
    }

    /// As [`Database::start`], of this kind whatever the tests run on.
    #[track_caller]
    pub fn start_kind(kind: DatabaseKind) -> Self {
        Self::prepared(kind, 0, &[]).launched()
    }

    /// Which server it is.
    pub fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// Makes a new database whose name starts with `name` and returns its URL.
    #[track_caller]
    pub fn fresh_database(&self, name: &str) -> String {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let plain: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .take(40)
            .collect();
        let name = format!("{plain}_{}", MADE.fetch_add(1, Ordering::Relaxed));
        self.execute(&format!("create database `{name}`"));
        self.url(&name)
    }

    /// Makes a database of exactly this name with the tables of `migrations/`.
    #[track_caller]
    pub fn migrated_database(&self, name: &str) -> String {
        self.migrated_up_to(name, None)
    }

    /// The same up to the migration of this number, as the release had it that knew no other.
    #[track_caller]
    pub fn migrated_up_to(&self, name: &str, last: Option<u32>) -> String {
        self.execute(&format!("create database `{name}`"));
        for step in migrations().into_iter().filter(|step| last.is_none_or(|it| number(step) <= it))
        {
            let sql = fs::read_to_string(&step).expect("a migration is text");
            self.execute(&format!("use `{name}`; {sql}"));
        }
        self.url(name)
    }

    /// The URL of a database: TCP if there is a port, else the socket.
    pub fn url(&self, database: &str) -> String {
        if self.port == 0 {
            format!("mysql://root@localhost/{database}?socket={}", self.socket().display())
        } else {
            format!("mysql://root@127.0.0.1:{}/{database}", self.port)
        }
    }

    /// Runs statements as root and returns what they print, tab separated without headings.
    #[track_caller]
    pub fn execute(&self, sql: &str) -> String {
        let output = self.client(sql).output().expect("the mariadb client runs");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} refused `{sql}`: {complaint}", self.kind.name());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The unix socket's path.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("sql.sock")
    }

    /// The TCP port, 0 without one.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id. Panics when it does not run.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.running().pid()
    }

    /// What it has logged, earlier lives included.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("sql.log")).unwrap_or_default()
    }

    /// Ends it in good order.
    #[track_caller]
    pub fn stop(&mut self) {
        let mut process = self.process.take().expect("this database has been stopped");
        process.signal(Signal::SIGTERM);
        assert!(process.wait(), "the database did not end well:\n{}", process.log());
    }

    /// `kill -9`, waited for.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Stops it where it stands, as a machine that hangs; [`Database::thaw`] lets it go on.
    #[track_caller]
    pub fn freeze(&self) {
        self.running().signal(Signal::SIGSTOP);
    }

    /// Ends [`Database::freeze`].
    #[track_caller]
    pub fn thaw(&self) {
        self.running().signal(Signal::SIGCONT);
    }

    /// Starts it again on the data, the socket and the port it had.
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "stop or kill it first");
        self.launch();
    }

    #[track_caller]
    fn prepared(kind: DatabaseKind, port: u16, further: &[&str]) -> Self {
        let database = Self::empty(kind, port, further);
        kind.prepare(&database.data(), &database.temporary());
        database
    }

    /// Without data, which somebody else provides.
    fn empty(kind: DatabaseKind, port: u16, further: &[&str]) -> Self {
        let further = further.iter().copied().map(String::from).collect();
        let (environment, directory) = (Vec::new(), Directory::new());
        let database = Self { kind, process: None, port, further, environment, directory };
        fs::create_dir(database.temporary()).expect("the directory is ours");
        database
    }

    #[track_caller]
    fn launched(mut self) -> Self {
        self.launch();
        self
    }

    #[track_caller]
    fn running(&self) -> &Process {
        self.process.as_ref().expect("this database has been stopped")
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Its own, because one that starts removes what it takes for leftovers in there.
    fn temporary(&self) -> PathBuf {
        self.directory.path().join("tmp")
    }

    fn launch(&mut self) {
        let (program, mut arguments) = self.kind.server();
        arguments.push(format!("--datadir={}", self.data().display()));
        arguments.push(format!("--tmpdir={}", self.temporary().display()));
        arguments.push(format!("--socket={}", self.socket().display()));
        arguments.push(format!("--pid-file={}", self.directory.path().join("sql.pid").display()));
        if self.port == 0 {
            arguments.push("--skip-networking".to_owned());
        } else {
            arguments
                .extend(["--bind-address=127.0.0.1".to_owned(), format!("--port={}", self.port)]);
        }
        arguments.extend(self.further.iter().cloned());
        let log = self.directory.path().join("sql.log");
        let mut process = Process::start(&program, &arguments, &self.environment, &log);
        wait_until("the database answers", || {
            assert!(!process.has_ended(), "the database ended at its start:\n{}", process.log());
            self.client("select 1").output().is_ok_and(|output| output.status.success())
        });
        self.process = Some(process);
    }

    fn client(&self, sql: &str) -> Command {
        let program = find_program("mariadb");
        let mut client = Command::new(program.expect("mariadb not found: run `make install`"));
        client.args(["--no-defaults", "--user=root", "--batch", "--skip-column-names"]);
        client.arg(format!("--socket={}", self.socket().display())).arg("--execute").arg(sql);
        client
    }
}

/// `13` of `0013_one_row_a_session.up.sql`.
fn number(step: &Path) -> u32 {
    let name = step.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    name.split('_').next().and_then(|number| number.parse().ok()).expect("a migration has a number")
}

/// The way up, in order.
fn migrations() -> Vec<PathBuf> {
    let entries = fs::read_dir(workspace().join("migrations")).expect("migrations/ is there");
    let mut steps: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    steps.retain(|step| step.to_string_lossy().ends_with(".up.sql"));
    steps.sort();
    steps
}
