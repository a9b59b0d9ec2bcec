//! `cargo run -p portcullis-sizing -- --users 250000`: the tables of `api/docs/sizing.md` for one's own
//! users.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use portcullis_sizing::page;
use portcullis_sizing::population::Population;
use portcullis_sizing::tables;

/// What an installation takes, and how long it is busy after a failover, a logout of everybody and in
/// the morning. Prints the tables of api/docs/sizing.md, which says what they mean and what they leave out
#[derive(Parser)]
#[command(name = "sizing")]
struct Command {
    #[command(flatten)]
    people: Population,

    /// Write the tables into this page, between its marks, instead of printing them
    #[arg(long)]
    page: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Command { people, page } = Command::parse();
    if let Err(mistake) = people.check() {
        eprintln!("{mistake}");
        return ExitCode::from(2);
    }
    match page {
        None => println!("{}", tables::all(&people)),
        Some(page) => {
            if let Err(fault) = write(&page, &people) {
                eprintln!("{}: {fault}", page.display());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn write(path: &Path, people: &Population) -> Result<(), String> {
    let old = fs::read_to_string(path).map_err(|fault| fault.to_string())?;
    fs::write(path, page::computed(&old, people)?).map_err(|fault| fault.to_string())
}
