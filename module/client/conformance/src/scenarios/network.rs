//! Connections that end, and what arrives late.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::fault::{Fault, Played};
use crate::stage::{Person, Stage};

/// How long is waited for something that an implementation need not have: it may track in another way.
const AT_MOST: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(1);

fn revoke(stage: &mut Stage, person: &Person) -> Result<Instant, Fault> {
    stage.redis(&["AUTH.SESSION", "REVOKE", &person.key(), &person.session])?;
    Ok(Instant::now())
}

/// Waits, but not for ever, for what most implementations bring about.
pub(super) fn wait_a_while(stage: &Stage, holds: impl Fn(&Stage) -> bool) {
    let began = Instant::now();
    while !holds(stage) && began.elapsed() < AT_MOST {
        sleep(PAUSE);
    }
}

/// What was known before must not come back with the connection.
pub(crate) fn lost(stage: &mut Stage) -> Played {
    let person = stage.someone()?;
    stage.proxy.refuse();
    let end = revoke(stage, &person)?;
    let outcome = stage.must_end_within_lease(&person, end)?;
    stage.proxy.admit();
    // Well again, and asked by somebody else first.
    stage.someone()?;
    Ok(outcome.and(stage.must_end_within_lease(&person, end)?))
}

pub(crate) fn killed(stage: &mut Stage) -> Played {
    let person = stage.someone()?;
    stage.redis(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])?;
    let end = revoke(stage, &person)?;
    let outcome = stage.must_end_within_lease(&person, end)?;
    stage.someone()?;
    Ok(outcome.and(stage.must_end_within_lease(&person, end)?))
}

pub(crate) fn held(stage: &mut Stage) -> Played {
    let person = stage.someone()?;
    stage.proxy.hold();
    let end = revoke(stage, &person)?;
    let outcome = stage.must_end_within_lease(&person, end)?;
    stage.proxy.release();
    let outcome = outcome.and(stage.must_end_within_lease(&person, end)?);
    stage.someone()?;
    Ok(outcome.and(stage.must_end_within_lease(&person, end)?))
}

/// The server answered them while the session lived; a lease counts from the question, not from when
/// its answer was read.
pub(crate) fn late_answers(stage: &mut Stage) -> Played {
    let person = stage.someone()?;
    stage.proxy.hold();
    wait_a_while(stage, |stage| stage.proxy.held_answers() > 0);
    let end = revoke(stage, &person)?;
    let key = person.key();
    wait_a_while(stage, |stage| stage.proxy.holds_push_about(&key));
    sleep((end + stage.lease).saturating_duration_since(Instant::now()));
    stage.proxy.release_before_pushes();
    let outcome = stage.must_end_within_lease(&person, end)?;
    stage.proxy.release();
    let outcome = outcome.and(stage.must_end_within_lease(&person, end)?);
    stage.someone()?;
    Ok(outcome)
}
