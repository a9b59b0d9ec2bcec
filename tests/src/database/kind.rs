//! Which database server it is: its program, its first data, its settings.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use nix::unistd::geteuid;

use crate::chosen::chosen_word;
use crate::process::find_program;
use crate::workspace::target;

/// The variable by which whoever starts the tests says which one they run on.
const CHOICE: &str = "PORTCULLIS_TEST_DATABASE";

/// Small and quick. A commit reaches the operating system (`=2`) but not the disk, so that it
/// survives `kill -9` of the server, which is what the tests do, and nothing waits for a disk.
const SETTINGS: &[&str] = &[
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-buffer-pool-size=64M",
    "--innodb-doublewrite=0",
    "--innodb-flush-method=nosync",
    "--skip-log-bin",
    "--skip-name-resolve",
    "--performance-schema=OFF",
    "--max-connections=1000",
    "--default-time-zone=+00:00",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_general_ci",
];

const OF_MARIADB: &[&str] = &["--innodb-log-file-size=16M"];

/// Without certificates, which it would make at its first start, it does not offer TLS; so what the
/// proxies of the tests see is what is said.
const OF_MYSQL: &[&str] = &[
    "--auto-generate-certs=OFF",
    "--caching-sha2-password-auto-generate-rsa-keys=OFF",
    "--innodb-redo-log-capacity=32M",
    "--innodb-data-file-path=ibdata1:5M:autoextend",
    "--innodb-autoextend-increment=1",
    "--mysqlx=OFF",
];

/// MySQL makes root for the unix socket only.
const ROOT_ON_TCP: &str = "create user root@'127.0.0.1';
grant all on *.* to root@'127.0.0.1' with grant option;
";

/// A database server that the service is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// The system's own MariaDB.
    MariaDb,
    /// The MySQL that `make install` brings, where it can be had.
    MySql,
}

impl DatabaseKind {
    /// The one that this process runs its tests on.
    #[track_caller]
    pub fn chosen() -> Self {
        match chosen_word(CHOICE, "mariadb", &["mysql"]).as_str() {
            "mysql" => Self::MySql,
            _ => Self::MariaDb,
        }
    }

    /// Those that this machine has.
    pub fn present() -> Vec<Self> {
        let both = [Self::MariaDb, Self::MySql].into_iter();
        both.filter(|kind| kind.program().is_some()).collect()
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::MariaDb => "MariaDB",
            Self::MySql => "MySQL",
        }
    }

    /// The server with what it is always told; the rest is added by the caller.
    #[track_caller]
    pub(crate) fn server(self) -> (PathBuf, Vec<String>) {
        let program = self.program();
        let program =
            program.unwrap_or_else(|| panic!("{} not found: run `make install`", self.name()));
        let mut arguments = vec!["--no-defaults".to_owned()];
        arguments.extend(as_root().map(String::from));
        let own = match self {
            Self::MariaDb => OF_MARIADB,
            Self::MySql => OF_MYSQL,
        };
        arguments.extend(SETTINGS.iter().chain(own).copied().map(String::from));
        (program, arguments)
    }

    /// Makes the data of a server that has never run, with `temporary` for what it writes down
    /// meanwhile: root without a password, over the unix socket and from loopback.
    #[track_caller]
    pub(crate) fn prepare(self, data: &Path, temporary: &Path) {
        copy(self.first_data(temporary), data);
    }

    /// The data that every server of this kind begins with. It takes seconds to make, so it is made once
    /// and lies under `target/servers`.
    fn first_data(self, temporary: &Path) -> PathBuf {
        let place = self.place();
        fs::create_dir_all(&place).expect("target/servers is writable");
        let (made, unfinished) = (place.join("data"), place.join("unfinished"));
        let gate = File::create(place.join("lock")).expect("target/servers is writable");
        gate.lock().expect("locks work under target/servers");
        if made.is_dir() {
            return made;
        }
        // Of a process that was killed meanwhile.
        drop(fs::remove_dir_all(&unfinished));
        match self {
            Self::MariaDb => install_mariadb(&unfinished, temporary),
            Self::MySql => initialize_mysql(&unfinished, temporary),
        }
        fs::rename(unfinished, &made).expect("target/servers is writable");
        made
    }

    /// Where that lies: beside the MySQL that goes with it, or by the version of the system's MariaDB.
    fn place(self) -> PathBuf {
        static VERSION: LazyLock<String> = LazyLock::new(|| {
            let (program, _) = DatabaseKind::MariaDb.server();
            let output = Command::new(program).args(["--no-defaults", "--version"]).output();
            let output = output.expect("the program can be run");
            let version = String::from_utf8_lossy(&output.stdout);
            let word = version.split_whitespace().find(|word| word.starts_with(char::is_numeric));
            word.expect("a version has numbers").to_owned()
        });
        match self {
            Self::MariaDb => target().join("servers/mariadb").join(&*VERSION),
            Self::MySql => mysql(),
        }
    }

    fn program(self) -> Option<PathBuf> {
        match self {
            Self::MariaDb => find_program("mariadbd"),
            Self::MySql => Some(mysql().join("mysqld")).filter(|program| program.is_file()),
        }
    }
}

fn install_mariadb(data: &Path, temporary: &Path) {
    let program = find_program("mariadb-install-db");
    let mut install =
        Command::new(program.expect("mariadb-install-db not found: run `make install`"));
    install
        .env("TMPDIR", temporary)
        .arg("--no-defaults")
        .args(as_root())
        .arg(format!("--datadir={}", data.display()))
        .args([
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ]);
    run(&mut install);
}

fn initialize_mysql(data: &Path, temporary: &Path) {
    let first = temporary.join("first.sql");
    fs::write(&first, ROOT_ON_TCP).expect("the directory is ours");
    let (program, arguments) = DatabaseKind::MySql.server();
    let mut initialize = Command::new(program);
    initialize.args(arguments).arg("--initialize-insecure");
    initialize
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--tmpdir={}", temporary.display()))
        .arg(format!("--init-file={}", first.display()));
    run(&mut initialize);
}

/// With holes where there is nothing, so that it takes no time.
pub(super) fn copy(from: PathBuf, to: &Path) {
    run(Command::new("cp").args(["-a", "--sparse=always"]).arg(from).arg(to));
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program can be run");
    let told = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{told}{complaint}");
}

/// Where `make install` puts MySQL.
fn mysql() -> PathBuf {
    target().join("servers/mysql")
}

/// Both refuse to run as root unless told to.
fn as_root() -> Option<&'static str> {
    geteuid().is_root().then_some("--user=root")
}
