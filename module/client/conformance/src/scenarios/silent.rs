//! What a server tells nobody: time goes by, or other ledgers are in the place of the old ones.

use std::time::{Duration, Instant};

use redis::Value;

use crate::clock::{instant_of, unix_ms};
use crate::fault::{Fault, Outcome, Played, failed};
use crate::stage::{Person, Stage};

/// Instants of the server are whole milliseconds.
const EXACT: Duration = Duration::from_millis(1);
/// Long enough to be known before it is over.
const SHORT_MS: u64 = 1_500;

/// Not one `OK` after this millisecond: the answer itself says until when it stands.
fn must_end_at(stage: &mut Stage, person: &Person, end_ms: u64) -> Played {
    let end = instant_of(end_ms);
    if Instant::now() > end {
        // So slow a machine saw nothing; the next round may.
        return Ok(Outcome::default());
    }
    stage.must_end(person, end, EXACT)
}

pub(crate) fn session_end(stage: &mut Stage) -> Played {
    let end_ms = unix_ms() + SHORT_MS;
    let person = stage.newcomer(&["PXAT", &end_ms.to_string()])?;
    // Keeps the ledger, and with it the key, when the session has gone.
    let other = Person { session: "longer".into(), ..person.clone() };
    stage.log_in(&other, &["EX", "3600"])?;
    known_in_time(stage, &person)?;
    must_end_at(stage, &person, end_ms)
}

pub(crate) fn idle(stage: &mut Stage) -> Played {
    let seen = unix_ms();
    let person = stage.newcomer(&["EX", "3600", "IDLE", "2", "SEEN", &seen.to_string()])?;
    known_in_time(stage, &person)?;
    must_end_at(stage, &person, seen + 2_000)
}

pub(crate) fn key_expiry(stage: &mut Stage) -> Played {
    let person = stage.newcomer(&["EX", "3600"])?;
    let end_ms = unix_ms() + SHORT_MS;
    stage.redis(&["PEXPIREAT", &person.key(), &end_ms.to_string()])?;
    known_in_time(stage, &person)?;
    must_end_at(stage, &person, end_ms)
}

/// As far as it lives long enough for that: on a slow machine it need not.
fn known_in_time(stage: &mut Stage, person: &Person) -> Result<(), Fault> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(SHORT_MS) {
        let checked = stage.adapter.ask(&person.check())?.is_ok();
        if checked && stage.adapter.ask(&person.cached())?.is_ok() {
            break;
        }
    }
    Ok(())
}

pub(crate) fn swapped(stage: &mut Stage) -> Played {
    let person = stage.someone()?;
    stage.redis(&["SWAPDB", "0", "1"])?;
    let end = Instant::now();
    stage.must_end_within_lease(&person, end)
}

/// One instant that counts for every ledger, and no key that anybody could be told of.
pub(crate) fn everybody(stage: &mut Stage) -> Played {
    let (run_id, person) = (run_id(stage)?, stage.someone()?);
    let now = server_now_ms(stage)?;
    stage.redis(&["AUTH.CONFIRM", &run_id, "BEFORE", &now])?;
    let end = Instant::now();
    let outcome = stage.must_end_within_lease(&person, end)?;
    stage.someone()?;
    Ok(outcome)
}

pub(crate) fn doubtful(stage: &mut Stage) -> Played {
    let person = stage.someone()?;
    stage.redis(&["CONFIG", "SET", "portcullis.require-confirm", "yes"])?;
    let end = Instant::now();
    let outcome = stage.must_end_within_lease(&person, end)?;
    stage.redis(&["CONFIG", "SET", "portcullis.require-confirm", "no"])?;
    stage.must_know(&person)?;
    Ok(outcome)
}

/// A change of role voids a confirmation, and nobody is told.
pub(crate) fn promoted(stage: &mut Stage) -> Played {
    let run_id = run_id(stage)?;
    stage.redis(&["AUTH.CONFIRM", &run_id])?;
    stage.redis(&["CONFIG", "SET", "portcullis.require-confirm", "yes"])?;
    let person = stage.someone()?;
    // Nobody is there: it becomes a replica that has lost its primary, and is promoted.
    stage.redis(&["REPLICAOF", "127.0.0.1", "1"])?;
    let end = Instant::now();
    stage.redis(&["REPLICAOF", "NO", "ONE"])?;
    let outcome = stage.must_end_within_lease(&person, end)?;
    if stage.adapter.ask(&person.check())?.is_ok() {
        return Err(failed("check said OK although the server answers no check"));
    }
    stage.redis(&["AUTH.CONFIRM", &run_id])?;
    stage.must_know(&person)?;
    stage.redis(&["CONFIG", "SET", "portcullis.require-confirm", "no"])?;
    Ok(outcome)
}

fn server_now_ms(stage: &mut Stage) -> Result<String, Fault> {
    let (seconds, micros): (u64, u64) =
        redis::from_redis_value(stage.redis(&["TIME"])?).map_err(anyhow::Error::from)?;
    Ok((seconds * 1000 + micros / 1000).to_string())
}

fn run_id(stage: &mut Stage) -> Result<String, Fault> {
    let info = match stage.redis(&["INFO", "server"])? {
        Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Value::VerbatimString { text, .. } => text,
        other => return Err(anyhow::anyhow!("INFO answered {other:?}").into()),
    };
    let found = info.lines().find_map(|line| line.trim_end().strip_prefix("run_id:"));
    found.map(str::to_owned).ok_or_else(|| anyhow::anyhow!("INFO names no run_id").into())
}
