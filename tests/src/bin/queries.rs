//! Describes the SQL anew: `queries` rewrites `.sqlx/`.
//!
//! `queries COMMAND…` runs the command with `DATABASE_URL` naming a private, migrated MariaDB.

use std::fs;
use std::process::{Command, ExitCode};

use portcullis_tests::{DATABASE, Database, DatabaseKind, Directory, described_queries, workspace};

fn main() -> ExitCode {
    let mut given = std::env::args().skip(1);
    if let Some(program) = given.next() {
        return run(Command::new(program).args(given));
    }
    let fresh = Directory::new();
    let count = described_queries(fresh.path()).len();
    let committed = workspace().join(".sqlx");
    // Absent before the first query.
    drop(fs::remove_dir_all(&committed));
    fs::create_dir(&committed).expect("the checkout is writable");
    for file in fs::read_dir(fresh.path()).expect("just written").flatten() {
        fs::copy(file.path(), committed.join(file.file_name())).expect("the checkout is writable");
    }
    println!("{count} queries are described in .sqlx/");
    ExitCode::SUCCESS
}

fn run(command: &mut Command) -> ExitCode {
    let mariadb = Database::start_kind(DatabaseKind::MariaDb);
    let url = mariadb.migrated_database(DATABASE);
    let status = command.env("DATABASE_URL", url).env("SQLX_OFFLINE", "false").status();
    let well = status.expect("the command given can be run").success();
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
