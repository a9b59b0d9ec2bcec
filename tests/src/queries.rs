//! Whether `.sqlx/` still describes the SQL in the source.
//!
//! A build without a database believes `.sqlx/`, so it must be proven against the migrations:
//! the macros describe every query anew, against a private MariaDB, and the two are compared.
//! `sqlx prepare` does the same, but is a program to install.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;

use crate::database::{Database, DatabaseKind};
use crate::workspace::workspace;

/// Descriptions name the database, so it has the same name every time.
pub const DATABASE: &str = "portcullis";

/// Descriptions by file name.
pub type Queries = BTreeMap<String, Value>;

/// What `.sqlx/` says.
pub fn committed_queries() -> Queries {
    read(&workspace().join(".sqlx"))
}

/// What MariaDB says of every query in the source; the files are left in `folder`.
pub fn described_queries(folder: &Path) -> Queries {
    let mariadb = Database::start_kind(DatabaseKind::MariaDb);
    // Cargo compiles again what is newer than its last build, and only then do the macros run.
    let _sources = Touched::now(&sources_with_queries());
    let status = Command::new("cargo")
        .args(["check", "--quiet", "--workspace", "--all-targets"])
        .current_dir(workspace())
        .env("DATABASE_URL", mariadb.migrated_database(DATABASE))
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", folder)
        .status()
        .expect("cargo runs; is it on the PATH?");
    assert!(status.success(), "the SQL in the source does not fit the migrations");
    read(folder)
}

/// Files that are newer than they were, until this is dropped: a build that has compiled them stands.
struct Touched(Vec<(PathBuf, SystemTime)>);

impl Touched {
    fn now(files: &[PathBuf]) -> Self {
        let times = files.iter().map(|path| {
            let changed = fs::metadata(path).and_then(|about| about.modified());
            (path.clone(), changed.expect("a file has a time"))
        });
        let before = Self(times.collect());
        let touched = Command::new("touch").args(files).status().expect("touch runs");
        assert!(touched.success(), "the sources cannot be touched");
        before
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        for (path, changed) in &self.0 {
            // Otherwise it is compiled once more.
            let file = File::options().write(true).open(path);
            drop(file.and_then(|file| file.set_modified(*changed)));
        }
    }
}

fn read(folder: &Path) -> Queries {
    let Ok(entries) = fs::read_dir(folder) else { return Queries::new() };
    entries
        .flatten()
        .map(|entry| {
            let text = fs::read(entry.path()).expect("a description is readable");
            let mut described = serde_json::from_slice(&text).expect("a description is JSON");
            keep_what_matters(&mut described);
            (entry.file_name().to_string_lossy().into_owned(), described)
        })
        .collect()
}

/// The rest varies between servers and means nothing to the compiler.
fn keep_what_matters(described: &mut Value) {
    match described {
        Value::Object(fields) => {
            for noise in ["char_set", "collation", "flags", "max_size", "origin"] {
                fields.remove(noise);
            }
            fields.values_mut().for_each(keep_what_matters);
        }
        Value::Array(items) => items.iter_mut().for_each(keep_what_matters),
        _ => {}
    }
}

fn sources_with_queries() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![workspace().join("api"), workspace().join("tests")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("sources are readable").flatten().map(|e| e.path())
        {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && holds_a_query(&path) {
                found.push(path);
            }
        }
    }
    found
}

fn holds_a_query(source: &Path) -> bool {
    let text = fs::read_to_string(source).unwrap_or_default();
    ["query!", "query_as!", "query_scalar!"].iter().any(|call| text.contains(call))
}
