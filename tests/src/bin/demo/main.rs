//! `make demo` and `make run`: Portcullis on private servers, told as a story or left running.
//!
//! Nothing here is staged: what is shown as typed is run as shown, by the real `curl` and
//! `redis-cli`, and every answer is checked.

mod ledgers;
mod screen;
mod shell;
mod stage;
mod story;

use std::process::{ExitCode, exit};
use std::thread;

use anyhow::{Context, Result};
use clap::Parser;
use nix::sys::signal::{SigSet, Signal};

use crate::ledgers::Size;
use crate::screen::Screen;
use crate::stage::Stage;

/// Tells the story of Portcullis on private servers, from a login to logging out everywhere.
#[derive(Parser)]
#[command(name = "demo")]
struct Arguments {
    /// Leave servers and service running until Ctrl-C, and tell no story.
    #[arg(long)]
    stay: bool,
    /// Begin with a Redis Cluster of three primaries and their replicas instead of one Redis.
    #[arg(long)]
    cluster: bool,
}

fn main() -> ExitCode {
    let Arguments { stay, cluster } = Arguments::parse();
    let size = if cluster { Size::Cluster } else { Size::One };
    let screen = Screen::new();
    let result = end_on_signals(stay)
        .and_then(|()| if stay { run(screen, size) } else { demo(screen, size) });
    if let Err(fault) = result {
        screen.failure(&format!("{fault:#}"));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn demo(screen: Screen, size: Size) -> Result<()> {
    let stage = Stage::set(screen, size)?;
    story::tell(&stage).with_context(|| format!("the service said:\n{}", stage.service_log()))?;
    drop(stage);
    screen.heading("Every answer was as it should be. Everything started here is gone.");
    screen
        .answer("`make run` leaves it running, with its pages at http://localhost:<port>/account");
    Ok(())
}

fn run(screen: Screen, size: Size) -> Result<()> {
    let mut stage = Stage::set(screen, size)?;
    stage.show_around()?;
    stage.wait_for_the_service();
    anyhow::bail!("the service ended by itself and said:\n{}", stage.service_log())
}

/// The kernel kills our children with us, so leaving is all there is to do; and no failure where it is how
/// it is meant to end.
fn end_on_signals(is_the_end: bool) -> Result<()> {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    // Blocked before any thread exists, so that only the thread below ever gets them.
    signals.thread_block()?;
    thread::spawn(move || {
        let signal = signals.wait();
        eprintln!("\nstopped; everything started here is gone");
        exit(if is_the_end { 0 } else { 128 + signal.map_or(0, |signal| signal as i32) });
    });
    Ok(())
}
