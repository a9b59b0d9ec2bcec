//! The things under test, built from this checkout when a test first asks for them.
//!
//! Cargo builds what a test links to; a module that `redis-server` loads is no such thing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::workspace::{target, workspace};

/// `libportcullis.so`, built once per process with the caller's own profile.
pub fn module_path() -> &'static Path {
    static MODULE: LazyLock<PathBuf> =
        LazyLock::new(|| built("portcullis-module", "libportcullis.so"));
    &MODULE
}

/// The command `portcullis`, built once per process with the caller's own profile.
pub fn binary_path() -> &'static Path {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(|| built("portcullis-api", "portcullis"));
    &BINARY
}

/// `make` builds both together with the tests, which is said by a variable.
#[expect(clippy::disallowed_methods, reason = "cargo passes nothing else on to a test")]
fn built(package: &str, file: &str) -> PathBuf {
    let profile = profile();
    let path = target().join(if profile == "dev" { "debug" } else { &profile }).join(file);
    if std::env::var_os("PORTCULLIS_BUILT").is_some() {
        assert!(path.exists(), "{} is not there: run `make test`", path.display());
        return path;
    }
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--profile", &profile, "--package", package])
        .current_dir(workspace())
        .status()
        .expect("cargo runs; is it on the PATH?");
    assert!(status.success(), "{package} does not build; run `cargo build -p {package}`");
    path
}

/// The profile that the caller was built with: the folder says it that cargo put the program into.
fn profile() -> String {
    let program = std::env::current_exe().expect("a program knows where it lies");
    let folders = program.ancestors().skip(1).filter_map(|folder| folder.file_name()?.to_str());
    match folders.filter(|folder| *folder != "deps").map(String::from).next() {
        None => "dev".to_owned(),
        Some(folder) if folder == "debug" => "dev".to_owned(),
        Some(folder) => folder,
    }
}
