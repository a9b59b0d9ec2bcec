//! Drives an implementation of a caching client through everything that can go wrong between it and its
//! server, and judges each `OK` by what the server had acknowledged when it was asked for.
//!
//! The implementation is a child process that speaks the line protocol of `README.md`; whatever
//! language it is written in is none of this program's business.
#![forbid(unsafe_code)]

mod adapter;
mod clock;
mod fault;
mod frames;
mod proxy;
mod report;
mod scenarios;
mod server;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use fault::{Fault, Outcome};
use report::Row;
use scenarios::{ALL, Scenario};
use server::Programs;
use stage::Stage;

/// Judges a caching client of the Portcullis module: exit status 0 if no OK came later than allowed, 1 if
/// one did, 2 if nothing could be judged.
#[derive(Parser)]
#[command(name = "portcullis-conformance", version)]
struct Options {
    /// The server program.
    #[arg(long, default_value = "redis-server")]
    redis_server: PathBuf,
    /// The module, `libportcullis.so`.
    #[arg(long, required_unless_present = "list")]
    module: Option<PathBuf>,
    /// The lease that the implementation is told, in milliseconds (20 to 10000).
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u64).range(20..=10_000))]
    lease: u64,
    /// How often each scenario is played (1 to 10000).
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// Play only these scenarios; may be repeated.
    #[arg(long)]
    only: Vec<String>,
    /// Print the scenarios and do nothing.
    #[arg(long)]
    list: bool,
    /// The implementation: a program and its arguments, after `--`.
    #[arg(last = true, required_unless_present = "list")]
    adapter: Vec<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.list {
        report::list(ALL);
        return ExitCode::SUCCESS;
    }
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(cause) => {
            eprintln!("portcullis-conformance: {cause:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything held.
fn run(options: &Options) -> anyhow::Result<bool> {
    let chosen = chosen(&options.only)?;
    let programs = Programs {
        server: options.redis_server.clone(),
        module: options.module.clone().unwrap_or_default(),
    };
    let lease = Duration::from_millis(options.lease);
    report::head(options.lease, options.rounds);
    let mut rows = Vec::new();
    for scenario in chosen {
        let row = play(scenario, &programs, lease, options)?;
        report::row(&row);
        rows.push(row);
    }
    report::sum(&rows);
    Ok(rows.iter().all(Row::holds))
}

fn chosen(only: &[String]) -> anyhow::Result<Vec<&'static Scenario>> {
    if let Some(unknown) = only.iter().find(|name| ALL.iter().all(|it| it.name != **name)) {
        anyhow::bail!("there is no scenario {unknown:?}; --list prints them");
    }
    let is_chosen = |it: &&Scenario| only.is_empty() || only.iter().any(|name| it.name == *name);
    Ok(ALL.iter().filter(is_chosen).collect())
}

/// All rounds of one scenario, on a server, a proxy and an implementation of its own.
fn play(
    scenario: &'static Scenario,
    programs: &Programs,
    lease: Duration,
    options: &Options,
) -> anyhow::Result<Row> {
    let mut row = Row { scenario, outcome: Outcome::default(), failure: None, rounds: 0 };
    let mut stage = match Stage::set(programs, lease, &options.adapter) {
        Ok(stage) => stage,
        Err(Fault::Failed(why)) => {
            row.failure = Some(why);
            return Ok(row);
        }
        Err(Fault::Broken(cause)) => return Err(cause.context(scenario.name)),
    };
    for _ in 0..options.rounds {
        let played = (scenario.play)(&mut stage).and_then(|outcome| {
            stage.tidy()?;
            Ok(outcome)
        });
        match played {
            Ok(outcome) => row.outcome = row.outcome.and(outcome),
            Err(Fault::Failed(why)) => {
                row.failure = Some(why);
                break;
            }
            Err(Fault::Broken(cause)) => return Err(cause.context(scenario.name)),
        }
        row.rounds += 1;
    }
    Ok(row)
}
