//! Looks after the line to Redis: makes it, looks at it several times a second, has the ledgers
//! brought up to date when they may lack something, and only then lets Redis be believed.
//!
//! It is the only one that connects, so a Redis that comes back meets one newcomer from each
//! instance and no herd.

pub(super) mod standing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_core::Slots;
use redis::RedisResult;

use self::standing::{FOLLOW_EVERY, keep_only, look_at_lives, standing};
use crate::base::log_targets as log;
use crate::ledger::confirming::{self, Replaced};
use crate::ledger::everybody::has_heard;
use crate::ledger::hydrate::{Extent, Fault, bring_up_to_date};
use crate::ledger::ledgers::Ledgers;
use crate::ledger::line::{Condition, Line, Lines};
use crate::ledger::lives::Seen;
use crate::ledger::noting;
use crate::ledger::outbox::doubt_waiting;
use crate::ledger::outbox::position::position;
use crate::ledger::reviving::{renew, revives};
use crate::ledger::sentinel::{Mark, Sight};
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
/// How often a lease is renewed until it would end.
const RENEWALS: u32 = 5;

/// When something was done that is done less often than looking.
struct Done {
    marked: Instant,
    renewed: Instant,
    followed: Instant,
}

/// Runs until the service stops.
pub(crate) async fn run(ledgers: Ledgers, lines: Arc<Lines>) {
    let mut rest = FIRST_REST;
    let now = Instant::now();
    let mut done = Done { marked: now, renewed: now, followed: now };
    while !ledgers.background.stop.is_cancelled() {
        let round = tokio::select! {
            round = round(&ledgers, &lines, &mut done) => round,
            () = ledgers.background.stop.cancelled() => return,
        };
        let is_seen = match &round {
            Ok(Next::LookAgain) => false,
            // Of several servers each has its own watch, and others may be at work still.
            Ok(Next::Rest) => ledgers.is_believed(),
            Err(_) => true,
        };
        if is_seen {
            drop(ledgers.looked.set(()));
        }
        let pause = match round {
            Ok(Next::LookAgain) => FIRST_REST,
            Ok(Next::Rest) => {
                ledgers.background.said.is_over(ABOUT);
                rest = FIRST_REST;
                LOOK_EVERY
            }
            Err(cause) => {
                let told = format!("{}: {cause}", lines.name());
                if ledgers.background.said.is_news(ABOUT, &told) {
                    tracing::warn!(
                        target: log::WATCH,
                        shard = lines.name(),
                        %cause,
                        "Redis cannot be trusted yet; retrying"
                    );
                } else {
                    tracing::debug!(target: log::WATCH, %cause, "Redis still cannot be trusted");
                }
                rest_after(&lines, &cause, &mut rest)
            }
        };
        let trouble = async {
            lines.trouble.notified().await;
            tokio::time::sleep(FIRST_REST).await;
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = trouble => {}
            () = ledgers.background.stop.cancelled() => return,
        }
    }
}

/// How long the line is left alone after a failure: longer each time, but for what ends by itself.
fn rest_after(lines: &Lines, cause: &Fault, rest: &mut Duration) -> Duration {
    if matches!(cause, Fault::Loading) {
        *rest = FIRST_REST;
        return LOOK_EVERY;
    }
    *rest = (*rest * 2).min(LONGEST_REST);
    if needs_an_operator(lines, cause) { LONG_REST } else { *rest }
}

/// Whether trying again at once would only be work and lines in the log: no module, a right or a
/// command that is missing, a database without its tables.
fn needs_an_operator(lines: &Lines, cause: &Fault) -> bool {
    match cause {
        Fault::Redis(refusal) => {
            let forbidden = ["ERR", "NOPERM", "NOAUTH", "WRONGPASS"];
            refusal.code().is_some_and(|code| forbidden.contains(&code))
                || lines.condition() == Condition::NoModule
        }
        Fault::Database(cause) => told::lacks_steps(cause),
        Fault::Replaced | Fault::GoneBack => true,
        Fault::Elsewhere | Fault::Loading | Fault::Replica | Fault::Disturbed | Fault::Late => {
            false
        }
    }
}

/// What the server says of itself, and whether it is time to ask others.
async fn look(
    ledgers: &Ledgers,
    lines: &Arc<Lines>,
    line: &Arc<Line>,
    done: &mut Done,
) -> Result<(Sight, bool), Fault> {
    let mut redis = line.ask.clone();
    let is_due = done.followed.elapsed() >= FOLLOW_EVERY || lines.is_doubted_somewhere();
    let followed = async {
        if is_due {
            done.followed = Instant::now();
            lines.follow(line).await;
        }
    };
    // Without MySQL nobody can have ended anything.
    let asked = tokio::time::timeout(FOLLOW_EVERY, ledgers.ask_about_everybody(false));
    let (look, kept, (), _) =
        tokio::join!(lines.look(&mut redis), lines.keep(line), followed, asked);
    drop(lines.heard(line, kept));
    let sight = lines.heard(line, look)?;
    if sight.is_loading() {
        lines.doubt();
        return Err(Fault::Loading);
    }
    lines.note(sight.lack)?;
    if let Err(cause) = sight.must_be(lines.is_of_a_cluster()) {
        lines.doubt();
        return Err(cause.into());
    }
    if is_due || !lines.is_line_believed() {
        ledgers.shards.share_out();
    }
    Ok((sight, is_due))
}

/// That everybody was logged out is told to whoever takes changes, users or none: slots may come.
async fn tell_about_everybody(
    ledgers: &Ledgers,
    lines: &Lines,
    line: &Arc<Line>,
    sight: &Sight,
) -> RedisResult<()> {
    has_heard(lines, line, sight.ended_until);
    if !sight.is_primary() {
        return Ok(());
    }
    let told = ledgers.tell_line_about_everybody(lines, line).await;
    if told.is_err() {
        lines.doubt();
    }
    lines.heard(line, told)
}

/// What is to be done after a look.
enum Next {
    /// Nothing until it is time again.
    Rest,
    /// Something was done, and what has become of it has to be seen.
    LookAgain,
}

async fn round(ledgers: &Ledgers, lines: &Arc<Lines>, done: &mut Done) -> Result<Next, Fault> {
    let line = lines.connect().await?;
    let (sight, is_due) = look(ledgers, lines, &line, done).await?;
    // Before MySQL is asked, which may take its time.
    let is_due_again =
        ledgers.confirm_lease.is_some_and(|it| done.renewed.elapsed() >= it / RENEWALS);
    if is_due_again && lines.is_line_believed() && sight.is_up_to_date() {
        done.renewed = Instant::now();
        renew(ledgers, lines, &line, &sight).await?;
    }
    let claim = ledgers.shards.claim_of(lines);
    tell_about_everybody(ledgers, lines, &line, &sight).await?;
    if claim.kept().is_empty() {
        // A primary without slots has no users, nor has a replica.
        lines.doubt();
        if sight.is_primary() && lines.claim().slots.is_empty() {
            keep_only(ledgers, &sight, &Slots::default()).await?;
        }
        return Ok(Next::Rest);
    }
    let seen = Seen { sight: &sight, claim: &claim, is_of_a_cluster: lines.is_of_a_cluster() };
    let standing = standing(ledgers, seen, is_due).await?;
    if standing.is_replaced(&claim) {
        lines.doubt();
        lines.leave(&line);
        return Err(Fault::Replaced);
    }
    if *sight.run_id != **line.run_id() {
        return Err(Fault::Disturbed);
    }
    if sight.lacks_a_word() && revives(ledgers, lines, &line, seen).await? {
        return Ok(Next::LookAgain);
    }
    let is_vouched = !standing.vouched.also_in(&claim.slots).is_empty();
    if !sight.is_up_to_date() || !is_vouched {
        lines.doubt();
        if !sight.is_primary() {
            return Err(Fault::Replica);
        }
        bring_up_to_date(ledgers, lines, Extent::WhatIsMissing, &|_| {}).await?;
        return Ok(Next::LookAgain);
    }
    let lacking = standing.lacking(&claim);
    lines.vouched(standing.vouched);
    if !lines.is_line_believed() {
        prepare_to_believe(ledgers).await?;
    }
    lines.believe(&line, sight.check_life);
    if !lacking.is_empty() {
        bring_up_to_date(ledgers, lines, Extent::WhatIsMissing, &|_| {}).await?;
        return Ok(Next::LookAgain);
    }
    let has_lost_its_age =
        sight.has_evicted() && sight.own_mark().is_some_and(|it| it.is_of_known_age());
    if done.marked.elapsed() >= MARK_EVERY || has_lost_its_age {
        done.marked = Instant::now();
        move_mark(ledgers, lines, &line, seen).await;
    }
    Ok(Next::Rest)
}

/// What a Redis has lost of what is known of MySQL, it is told before anybody counts on it. What other
/// instances have told to be pending is asked for as well, if MySQL is there.
async fn prepare_to_believe(ledgers: &Ledgers) -> Result<(), Fault> {
    noting::exchange(ledgers).await;
    let asked = match doubt_waiting(ledgers).await {
        Ok(()) => ledgers.ask_about_everybody(true).await,
        refused => refused,
    };
    if !ledgers.shards.knows_all_who_wait() || !ledgers.everybody.was_told() {
        asked?;
    }
    Ok(())
}

/// Without MySQL, or refused by a full server, the mark is older, which costs time later and no safety.
async fn move_mark(ledgers: &Ledgers, lines: &Lines, line: &Arc<Line>, seen: Seen<'_>) {
    let sight = seen.sight;
    let Some(mark) = sight.own_mark() else { return };
    let returned = ledgers.returned();
    let Ok(position) = position(ledgers, mark.position_since(returned)).await else { return };
    // Another server may have taken its place, and rows up to there may be marked that only that one was
    // told: whoever is still vouched for after the position was read has heard them all.
    let Ok(standing) = look_at_lives(ledgers, seen).await else { return };
    if !standing.lacking(seen.claim).is_empty() || standing.is_replaced(seen.claim) {
        return;
    }
    // Once ledgers may have gone, it stays unknown how old they are until all were filled in.
    let at = if mark.is_of_known_age() { ledgers.clock.now() } else { mark.at };
    let next = Mark::of(sight, position, at).since(returned);
    // In the life that was seen with the mark, and before MySQL was asked: a server that was a
    // replica meanwhile carries the same mark and has not heard what others were told.
    let replaced = Replaced { from: &sight.mark, to: &next, lease: ledgers.confirm_lease };
    let moved = confirming::confirm(&mut line.ask.clone(), sight, replaced).await;
    drop(lines.heard(line, moved));
}
