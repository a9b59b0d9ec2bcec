//! Whatever a server tells those who asked: a command has changed the ledger.

use std::time::Instant;

use crate::fault::{Fault, Outcome, Played, failed};
use crate::stage::{Person, Stage};

/// Somebody's session ends by these commands.
fn ended(stage: &mut Stage, commands: impl FnOnce(&Person) -> Vec<Vec<String>>) -> Played {
    let person = stage.someone()?;
    let commands = commands(&person);
    run(stage, &commands)?;
    let end = Instant::now();
    stage.must_end_within_lease(&person, end)
}

fn run(stage: &mut Stage, commands: &[Vec<String>]) -> Result<(), Fault> {
    for command in commands {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        stage.redis(&words)?;
    }
    Ok(())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().copied().map(String::from).collect()
}

pub(crate) fn revoked(stage: &mut Stage) -> Played {
    ended(stage, |it| vec![words(&["AUTH.SESSION", "REVOKE", &it.key(), &it.session])])
}

pub(crate) fn everything(stage: &mut Stage) -> Played {
    ended(stage, |it| vec![words(&["AUTH.SESSION", "REVOKEALL", &it.key()])])
}

pub(crate) fn token(stage: &mut Stage) -> Played {
    let person = stage.someone()?;
    let neighbour = Person { token: stage.stranger().token, ..person.clone() };
    stage.must_know(&neighbour)?;
    stage.redis(&["AUTH.BLACKLIST", &person.key(), &person.token, "EX", "600"])?;
    let end = Instant::now();
    let outcome = stage.must_end_within_lease(&person, end)?;
    stage.must_know(&neighbour)?;
    Ok(outcome)
}

pub(crate) fn script(stage: &mut Stage) -> Played {
    let script = "return redis.call('AUTH.SESSION', 'REVOKE', KEYS[1], ARGV[1])";
    ended(stage, |it| vec![words(&["EVAL", script, "1", &it.key(), &it.session])])
}

pub(crate) fn deleted(stage: &mut Stage) -> Played {
    let one = ended(stage, |it| vec![words(&["DEL", &it.key()])])?;
    Ok(one.and(ended(stage, |it| vec![words(&["UNLINK", &it.key()])])?))
}

pub(crate) fn renamed(stage: &mut Stage) -> Played {
    ended(stage, |it| vec![words(&["RENAME", &it.key(), "kit:elsewhere"])])
}

pub(crate) fn overwritten(stage: &mut Stage) -> Played {
    let other = stage.newcomer(&["EX", "3600"])?.key();
    ended(stage, |it| vec![words(&["COPY", &other, &it.key(), "REPLACE"])])
}

pub(crate) fn no_ledger(stage: &mut Stage) -> Played {
    ended(stage, |it| vec![words(&["SET", &it.key(), "something else"])])
}

pub(crate) fn flushed(stage: &mut Stage) -> Played {
    let one = ended(stage, |_| vec![words(&["FLUSHALL"])])?;
    Ok(one.and(ended(stage, |_| vec![words(&["FLUSHDB"])])?))
}

/// A server that has to forget whom it has to tell says so to those it forgets.
pub(crate) fn few_tracked(stage: &mut Stage) -> Played {
    stage.redis(&["CONFIG", "SET", "tracking-table-max-keys", "1"])?;
    let crowd =
        (0..4).map(|_| stage.newcomer(&["EX", "3600"])).collect::<Result<Vec<_>, Fault>>()?;
    for person in &crowd {
        stage.adapter.ask(&person.check())?;
    }
    let mut outcome = Outcome::default();
    for person in &crowd {
        stage.redis(&["AUTH.SESSION", "REVOKE", &person.key(), &person.session])?;
        let end = Instant::now();
        outcome = outcome.and(stage.must_end_within_lease(person, end)?);
        if stage.adapter.ask(&person.check())?.is_ok() {
            return Err(failed("check said OK to a session that has ended"));
        }
    }
    Ok(outcome)
}
