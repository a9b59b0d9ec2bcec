//! Where things are: the checkout, its `target`, and the directories that servers live in.
//!
//! Each process has one directory under `target/tmp`, locked while the process lives. A shell
//! waiting on a pipe removes it when the process is gone, `kill -9` included; what even that
//! misses is removed at the next start, where it is known by its free lock.

use std::fs::{self, File, TryLockError};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use nix::unistd::geteuid;

/// A unix socket's path may have 107 bytes; this leaves room for our names below it.
const LONGEST_ROOT: usize = 60;

/// The root of the checkout.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the checkout")
}

/// Cargo's target directory, `CARGO_TARGET_DIR` respected.
#[expect(clippy::disallowed_methods, reason = "cargo says by this variable where it builds")]
pub fn target() -> PathBuf {
    let given = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    workspace().join(given)
}

/// A directory that is removed when this value is dropped or the process ends.
pub struct Directory(tempfile::TempDir);

impl Directory {
    /// A fresh, empty directory with a short absolute path.
    pub fn new() -> Self {
        let inside = tempfile::Builder::new().prefix("").rand_bytes(6).tempdir_in(&HOME.path);
        Self(inside.expect("target/tmp is writable"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}

/// The directory of this process.
static HOME: LazyLock<Home> = LazyLock::new(Home::claim);

struct Home {
    path: PathBuf,
    // Held, never used: closing them is what tells the others that this process is gone.
    _lock: File,
    _alive: Child,
}

impl Home {
    fn claim() -> Self {
        let root = root();
        fs::create_dir_all(&root).expect("target/tmp can be made");
        let gate = File::create(root.join("lock")).expect("target/tmp is writable");
        gate.lock().expect("locks work under target/tmp");
        remove_abandoned(&root);
        let made = tempfile::Builder::new().prefix("p").rand_bytes(6).tempdir_in(&root);
        let path = made.expect("target/tmp is writable").keep();
        let lock = File::open(&path).expect("our own directory opens");
        lock.lock().expect("nobody else knows our directory");
        let alive = remove_when_gone(&path);
        Self { path, _lock: lock, _alive: alive }
    }
}

fn root() -> PathBuf {
    let wanted = target().join("tmp");
    if wanted.as_os_str().len() <= LONGEST_ROOT {
        return wanted;
    }
    std::env::temp_dir().join(format!("portcullis-tests-{}", geteuid()))
}

/// Called with the gate locked, so that no directory is between its making and its locking.
fn remove_abandoned(root: &Path) {
    let entries = fs::read_dir(root).expect("target/tmp is readable");
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        let Ok(directory) = File::open(&path) else { continue };
        match directory.try_lock() {
            Ok(()) => drop(fs::remove_dir_all(&path)),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

/// Its own process group, so that Ctrl-C ends us first and then lets it tidy up.
fn remove_when_gone(path: &Path) -> Child {
    Command::new("sh")
        .args(["-c", "read -r line; rm -rf \"$1\"", "portcullis-tidy"])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("sh runs")
}
