//! Looks after the line to Redis: makes it, looks at it several times a second, has the ledgers
//! brought up to date when they may lack something, and only then lets Redis be believed.
//!
//! It is the only one that connects, so a Redis that comes back meets one newcomer from each
//! instance and no herd.

use std::time::{Duration, Instant};

use crate::base::log_targets as log;
use crate::ledger::hydrate::{Extent, Fault, bring_up_to_date};
use crate::ledger::ledgers::Ledgers;
use crate::ledger::line::Condition;
use crate::ledger::outbox::doubt_waiting;
use crate::ledger::outbox::position::position;
use crate::ledger::sentinel::{self, Confirmation, Mark};
use crate::store::told;

/// How often the line is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long after a line's end the next is tried, at first and at most.
const FIRST_REST: Duration = Duration::from_millis(50);
const LONGEST_REST: Duration = Duration::from_secs(1);
/// How long after something that only an operator can mend.
const LONG_REST: Duration = Duration::from_secs(5);
/// What the failures here are about.
const ABOUT: &str = "the watch over Redis";
/// How often the sentinel is moved forward.
const MARK_EVERY: Duration = Duration::from_secs(5);

/// Runs until the service stops.
pub(crate) async fn run(ledgers: Ledgers) {
    let mut rest = FIRST_REST;
    let mut marked = Instant::now();
    while !ledgers.background.stop.is_cancelled() {
        let round = tokio::select! {
            round = round(&ledgers, &mut marked) => round,
            () = ledgers.background.stop.cancelled() => return,
        };
        drop(ledgers.looked.set(()));
        let pause = match round {
            Ok(()) => {
                ledgers.background.said.is_over(ABOUT);
                rest = FIRST_REST;
                LOOK_EVERY
            }
            Err(cause) => {
                if ledgers.background.said.is_news(ABOUT, &cause.to_string()) {
                    tracing::warn!(
                        target: log::WATCH,
                        %cause,
                        "Redis cannot be trusted yet; retrying"
                    );
                } else {
                    tracing::debug!(target: log::WATCH, %cause, "Redis still cannot be trusted");
                }
                rest = (rest * 2).min(LONGEST_REST);
                if needs_an_operator(&ledgers, &cause) { LONG_REST } else { rest }
            }
        };
        let trouble = async {
            ledgers.lines.trouble.notified().await;
            tokio::time::sleep(FIRST_REST).await;
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = trouble => {}
            () = ledgers.background.stop.cancelled() => return,
        }
    }
}

/// Whether trying again at once would only be work and lines in the log: no module, a right or a
/// command that is missing, a database without its tables.
fn needs_an_operator(ledgers: &Ledgers, cause: &Fault) -> bool {
    match cause {
        Fault::Redis(refusal) => {
            let forbidden = ["ERR", "NOPERM", "NOAUTH", "WRONGPASS"];
            refusal.code().is_some_and(|code| forbidden.contains(&code))
                || ledgers.lines.condition() == Condition::NoModule
        }
        Fault::Database(cause) => told::lacks_steps(cause),
        Fault::Elsewhere | Fault::Replica | Fault::Disturbed | Fault::Late => false,
    }
}

async fn round(ledgers: &Ledgers, marked: &mut Instant) -> Result<(), Fault> {
    let lines = &ledgers.lines;
    let line = lines.connect().await?;
    let mut redis = line.ask.clone();
    let (look, kept) = tokio::join!(lines.look(&mut redis), lines.keep(&line));
    drop(lines.heard(&line, kept));
    let mut sight = lines.heard(&line, look)?;
    lines.note(sight.lack)?;
    if !sight.is_up_to_date() {
        lines.doubt();
        if !sight.is_primary() {
            return Err(Fault::Replica);
        }
        bring_up_to_date(ledgers, Extent::WhatIsMissing, &|_| {}).await?;
        sight = lines.heard(&line, lines.look(&mut redis).await)?;
    }
    if sight.run_id != line.run_id() || !sight.is_up_to_date() {
        return Err(Fault::Disturbed);
    }
    if !lines.is_believed() {
        // What other instances have told to be pending is asked for as well, if MySQL is there.
        let asked = doubt_waiting(ledgers).await;
        if !lines.knows_all_who_wait() {
            asked?;
        }
    }
    lines.believe(&line, sight.check_life);
    if marked.elapsed() >= MARK_EVERY
        && let Some(mark) = sight.parsed()
    {
        *marked = Instant::now();
        // Without MySQL, or refused by a full server, the mark is older, which costs time later and
        // no safety.
        let Ok(position) = position(ledgers, mark.position).await else { return Ok(()) };
        let next = Mark { position, at: ledgers.clock.now(), ..mark.clone() };
        // In the life that was seen with the mark, and before MySQL was asked: a server that was a
        // replica meanwhile carries the same mark and has not heard what others were told.
        let confirmation = Confirmation { mark: &mark.text(), done: &next, life: &sight.life };
        let moved = sentinel::confirm(&mut redis, lines.sentinel(), confirmation).await;
        drop(lines.heard(&line, moved));
    }
    Ok(())
}
