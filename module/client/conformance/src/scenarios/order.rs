//! An answer, the push that voids it, and the client that reads both.

use std::time::Instant;

use super::network::wait_a_while;
use crate::fault::{Outcome, Played};
use crate::stage::Stage;

/// So many sessions end while they are asked for.
const MANY: usize = 40;

/// The answer was right when it was given. Whoever keeps it after having read that it is void keeps it
/// for ever.
pub(crate) fn overtaken(stage: &mut Stage) -> Played {
    let mut outcome = Outcome::default();
    let mut people = Vec::new();
    for _ in 0..8 {
        stage.someone()?;
        let person = stage.newcomer(&["EX", "3600"])?;
        let key = person.key();
        stage.proxy.hold();
        stage.adapter.put(&person.check())?;
        wait_a_while(stage, |stage| stage.proxy.has_answered(&key));
        stage.redis(&["AUTH.SESSION", "REVOKE", &key, &person.session])?;
        let end = Instant::now();
        wait_a_while(stage, |stage| stage.proxy.holds_push_about(&key));
        stage.proxy.release();
        stage.adapter.hear()?;
        people.push((person, end));
    }
    for (person, end) in people {
        outcome = outcome.and(stage.must_end_within_lease(&person, end)?);
    }
    Ok(outcome)
}

/// The same without help: whichever order comes of it.
pub(crate) fn storm(stage: &mut Stage) -> Played {
    stage.someone()?;
    let mut people = Vec::new();
    for _ in 0..MANY {
        let person = stage.newcomer(&["EX", "3600"])?;
        stage.adapter.put(&person.check())?;
        stage.redis(&["AUTH.SESSION", "REVOKE", &person.key(), &person.session])?;
        people.push((person, Instant::now()));
        stage.adapter.hear()?;
    }
    let mut outcome = Outcome::default();
    let (last, end) = people.swap_remove(MANY - 1);
    outcome = outcome.and(stage.must_end_within_lease(&last, end)?);
    for (person, end) in people {
        let said = stage.adapter.ask(&person.cached())?;
        outcome.judged += 1;
        if said.is_ok() {
            // Long after the end by now.
            outcome = outcome.and(stage.must_end_within_lease(&person, end)?);
        }
    }
    Ok(outcome)
}

/// A lease that is ended by a timer does not end while nothing runs.
pub(crate) fn suspended(stage: &mut Stage) -> Played {
    let person = stage.someone()?;
    stage.adapter.suspend();
    let revoked = stage.redis(&["AUTH.SESSION", "REVOKE", &person.key(), &person.session]);
    let end = Instant::now();
    std::thread::sleep(stage.lease * 2);
    stage.adapter.resume();
    revoked?;
    stage.must_end_within_lease(&person, end)
}
