//! What must be answered with `OK`, and what never.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::fault::{Outcome, Played, failed};
use crate::stage::Stage;

/// How long is asked for something that must come by itself.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn live(stage: &mut Stage) -> Played {
    let person = stage.someone()?;
    let (began, mut outcome, mut hits) = (Instant::now(), Outcome::default(), 0_u64);
    while began.elapsed() < stage.lease * 3 {
        let checked = stage.adapter.ask(&person.check())?;
        // A lease may lapse on a busy machine, and whoever asks anew may get no answer in time.
        if !checked.is_ok() && checked.word != "ERROR" {
            return Err(failed(format!("a live session was refused: {}", checked.word)));
        }
        hits += u64::from(stage.adapter.ask(&person.cached())?.is_ok());
        outcome.judged += 2;
    }
    if hits == 0 {
        return Err(failed("a live session was never served from the cache"));
    }
    Ok(outcome)
}

/// Nobody checks meanwhile, so that nothing but beats can keep the lease.
pub(crate) fn kept_alive(stage: &mut Stage) -> Played {
    let person = stage.someone()?;
    sleep(stage.lease * 3);
    let (began, mut outcome) = (Instant::now(), Outcome { judged: 1, ..Outcome::default() });
    while !stage.adapter.ask(&person.cached())?.is_ok() {
        outcome.judged += 1;
        if began.elapsed() > PATIENCE {
            return Err(failed(
                "the lease ended and did not come back by itself: nothing asks the server while nobody checks",
            ));
        }
    }
    Ok(outcome)
}

pub(crate) fn used(stage: &mut Stage) -> Played {
    let person = stage.newcomer(&["EX", "3600", "IDLE", "2"])?;
    let began = Instant::now();
    stage.must_know(&person)?;
    let key = person.key();
    let mut outcome = Outcome::default();
    while began.elapsed() < Duration::from_millis(3_500) {
        stage.redis(&["AUTH.SESSION", "TOUCH", &key, &person.session])?;
        let said = stage.adapter.ask(&person.check())?;
        if !said.is_ok() && said.word != "ERROR" {
            return Err(failed(format!("a session in use was refused: {}", said.word)));
        }
        outcome.judged += 1;
        sleep(Duration::from_millis(50));
    }
    stage.must_know(&person)?;
    Ok(outcome)
}

/// Each differs from a live token in one byte: at its beginning, in its middle, at its end, or by length.
pub(crate) fn other_token(stage: &mut Stage) -> Played {
    let person = stage.someone()?;
    let live = person.token.as_bytes();
    let changed = |at: usize| {
        let mut bytes = live.to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let mut others: Vec<String> =
        [0, 1, live.len() / 3, live.len() / 2, live.len() - 33, live.len() - 1].map(changed).into();
    others.push(person.token[..live.len() - 1].to_owned());
    others.push(person.token[1..].to_owned());
    others.push(format!("{}A", person.token));
    let mut outcome = Outcome::default();
    for other in others {
        outcome.judged += 1;
        if stage.adapter.ask(&format!("cached {other}"))?.is_ok() {
            return Err(failed("cached said OK to a token that nobody has ever checked"));
        }
    }
    Ok(outcome)
}

/// A token that is known, asked for in the name of somebody else.
pub(crate) fn other_question(stage: &mut Stage) -> Played {
    let person = stage.someone()?;
    let (subject, session, token) = (&person.subject, &person.session, &person.token);
    let mut outcome = Outcome::default();
    for question in
        [format!("check {subject} another {token}"), format!("check 999999 {session} {token}")]
    {
        // Known again, should the other question have replaced it.
        stage.must_know(&person)?;
        outcome.judged += 1;
        if stage.adapter.ask(&question)?.is_ok() {
            return Err(failed("check said OK for a session that does not exist"));
        }
    }
    Ok(outcome)
}
