//! Node.js, and the parts of the checkout that run on it, with what `tests/install` has fetched for them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::thread;

use crate::process::find_program;
use crate::tell::tell;
use crate::workspace::{Directory, target, workspace};

/// The oldest Node.js that these parts are for.
const OLDEST: u32 = 20;

/// A copy of a part of the checkout, beside the modules that it asks for.
pub struct NodePart {
    node: PathBuf,
    directory: Directory,
}

impl NodePart {
    /// A copy of this part, `api/browser` or `tests/browser`. Where Node.js is missing or too old, or what
    /// the part asks for was not fetched, there is none; that is said, and on a CI machine it is a failure.
    #[track_caller]
    pub fn copy_of(part: &str) -> Option<Self> {
        let modules = fs::canonicalize(target().join("servers").join(part).join("node_modules"));
        let (Some(node), Ok(modules)) = (node(), modules) else {
            skipped(&format!("Node.js {OLDEST} or later and what {part} asks for"));
            return None;
        };
        let directory = Directory::new();
        copy(&workspace().join(part), directory.path());
        symlink(modules, directory.path().join("node_modules")).expect("the directory has none");
        Some(Self { node, directory })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Node.js in this folder.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.node);
        command.current_dir(self.path());
        command
    }

    /// What a script prints that must end well.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().expect("node runs");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "node {arguments:?}\n{told}\n{complaint}");
        told
    }
}

/// `api/browser` with its scripts built; once a process.
#[track_caller]
pub fn browser_package() -> Option<&'static NodePart> {
    static BUILT: LazyLock<Option<NodePart>> = LazyLock::new(|| {
        let part = NodePart::copy_of("api/browser")?;
        part.run(&["build.mjs", "--scripts"]);
        Some(part)
    });
    BUILT.as_ref()
}

/// Says that a test is left out for want of this, unless nothing may be missing here.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "CI machines say by this variable what they are")]
pub fn skipped(want: &str) {
    assert!(
        std::env::var_os("CI").is_none_or(|value| value != "true"),
        "{want} missing: run `make install`"
    );
    let test = thread::current().name().unwrap_or_default().to_owned();
    tell(&format!("SKIPPED {test}: it needs {want}; see `make install`"));
}

fn node() -> Option<PathBuf> {
    let node = find_program("node")?;
    let version = Command::new(&node).arg("--version").output().ok()?.stdout;
    let version = String::from_utf8(version).ok()?;
    let major: u32 = version.trim_start_matches('v').split('.').next()?.parse().ok()?;
    (major >= OLDEST).then_some(node)
}

/// Without what was built or fetched in the checkout itself.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("the part is there").flatten() {
        let name = entry.file_name();
        let (from, to) = (entry.path(), to.join(&name));
        if name == "node_modules" || name == "dist" {
            continue;
        }
        if from.is_dir() {
            fs::create_dir(&to).expect("the directory is ours");
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).expect("the directory is ours");
        }
    }
}
