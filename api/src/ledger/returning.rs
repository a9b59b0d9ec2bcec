//! MySQL that has gone back: noticed, and seen to.
//!
//! Notes of commits (`store/history.rs`) say that it has, and not what was lost: logouts, changed
//! passwords, refreshes. So when it has lost anything, **everybody is logged out**, which is one
//! instant that MySQL and Redis compare with the beginning of each session, and every instance goes on from
//! what MySQL has now.
//!
//! A server that only lags behind lacks commits as well, for a moment. So nothing is done about it before a
//! while has passed.

use std::time::{Duration, Instant};

use crate::base::log_targets as log;
use crate::ledger::ledgers::Ledgers;
use crate::ledger::noting;
use crate::metrics;
use crate::store::everybody::{self, When};
use crate::store::history::{self, FIRST, Finding};
use crate::store::lock::lock;
use crate::store::told::told;
use crate::store::transaction::Transaction;

/// How often Redis and MySQL are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How long MySQL lacks something before something is done about it: longer than a fence is young, so that
/// nothing is on its way to Redis any more that was lost here.
const PATIENCE: Duration = Duration::from_secs(3);
/// What the failures here are about.
const ABOUT: &str = "what MySQL has lost";
/// What one instance does at a time.
const WORK: &str = "return";

/// Looks after it until the service stops. Sessions last so long at most.
pub(crate) async fn run(ledgers: Ledgers, lifetime: Duration) {
    let history = &ledgers.store.history;
    let mut since: Option<Instant> = None;
    while !ledgers.background.stop.is_cancelled() {
        match look_at_both(&ledgers).await {
            Ok(Finding::Whole) => {
                history.trust();
                since = None;
                if ledgers.background.said.is_over(ABOUT) {
                    tracing::info!(target: log::WATCH, "MySQL has everything that it has confirmed");
                }
            }
            Ok(finding) => {
                let lacks_since = *since.get_or_insert_with(Instant::now);
                let seen_to = see_to(&ledgers, finding, lacks_since.elapsed(), lifetime);
                let seen_to = Box::pin(seen_to).await;
                if let Err(cause) = seen_to {
                    say(&ledgers, &told(&cause));
                }
            }
            Err(cause) => {
                tracing::debug!(target: log::WATCH, %cause, "MySQL could not be looked at");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = history.wanted() => {}
            () = ledgers.background.stop.cancelled() => return,
        }
    }
}

/// Asks Redis what is known, and MySQL whether it knows it as well.
pub(crate) async fn look_at_both(ledgers: &Ledgers) -> sqlx::Result<Finding> {
    let history = &ledgers.store.history;
    history.forget_before(ledgers.clock.now().minus(ledgers.outbox_retention / 2));
    if history.sign().is_none() {
        Box::pin(look(ledgers)).await?;
    }
    Box::pin(noting::exchange(ledgers)).await;
    let finding = Box::pin(look(ledgers)).await?;
    if finding != Finding::Whole {
        history.doubt();
    }
    Ok(finding)
}

/// Compares MySQL with what is known, whether others may ask it or not.
async fn look(ledgers: &Ledgers) -> sqlx::Result<Finding> {
    let store = &ledgers.store;
    let looked = async {
        let mut db = store.unexamined.acquire().await?;
        store.history.examine(&mut db).await
    };
    store.in_time(looked).await
}

/// MySQL lacks something, or somebody has seen to that.
async fn see_to(
    ledgers: &Ledgers,
    finding: Finding,
    lacks_for: Duration,
    lifetime: Duration,
) -> sqlx::Result<()> {
    match finding {
        Finding::Returned(sign) => {
            // Redis may not have heard of it, and is not asked until it has.
            let told = history::told_to_redis(&ledgers.store.unexamined).await?;
            ledgers.everybody.raise(told.unwrap_or_default());
            adopt(ledgers, sign);
            Ok(())
        }
        Finding::Lacks(commits) => {
            say(ledgers, "it lacks commits that it has confirmed before");
            let db = &ledgers.store.unexamined;
            if lacks_for < PATIENCE || !history::takes_changes(db).await? {
                return Ok(());
            }
            let Some(held) = lock(db, WORK).await? else { return Ok(()) };
            let sign = held.lease.keep(Box::pin(end_everything(ledgers, commits, lifetime))).await;
            held.release().await;
            if let Some(sign) = sign.transpose()?.flatten() {
                adopt(ledgers, sign);
                tell_redis(ledgers).await;
            }
            Ok(())
        }
        Finding::Whole => Ok(()),
    }
}

/// Logs everybody out, in the transaction that says so to the other instances; nothing if somebody else has.
async fn end_everything(
    ledgers: &Ledgers,
    commits: usize,
    lifetime: Duration,
) -> sqlx::Result<Option<u64>> {
    let store = &ledgers.store;
    // A logout of everybody may be among what was lost.
    let ended_until = Some(store.history.everybody_ended_until());
    let redis_now = ledgers.latest_redis_now().await.max(ended_until);
    let mut tx = Transaction::begin_beside(&store.unexamined).await?;
    if !matches!(store.history.examine(&mut tx).await?, Finding::Lacks(_)) {
        return Ok(None);
    }
    let now = ledgers.clock.now();
    let ended = everybody::end(&mut tx, When { now, redis_now, lifetime }).await?;
    let sign = u64::from_le_bytes(ledgers.random.bytes::<8>()).max(FIRST + 1);
    history::begin_anew(&mut tx, sign, now).await?;
    let doubt = ledgers.doubt_about_everybody();
    tx.commit().await?;
    doubt.settle(ended.told);
    tracing::error!(
        target: log::WATCH,
        commits,
        "MySQL had lost commits, so everybody was logged out; passwords, roles and accounts are as they \
         were before what was lost: see *MySQL that has gone back* in when-things-fail.md"
    );
    Ok(Some(sign))
}

/// Once MySQL may be asked again, which has to say who counts. Until Redis has heard, nobody asks it.
async fn tell_redis(ledgers: &Ledgers) {
    if let Err(cause) = ledgers.tell_about_everybody().await {
        tracing::warn!(target: log::WATCH, %cause, "Redis has not heard of it; telling it will be retried");
    }
}

/// Goes on from what MySQL has now. Whatever is known of rows is about others.
fn adopt(ledgers: &Ledgers, sign: u64) {
    ledgers.unmarked.forget();
    ledgers.settled.forget();
    ledgers.aside.forget();
    ledgers.store.history.adopt(sign);
    metrics::database_returned();
    tracing::warn!(target: log::WATCH, "goes on from what MySQL has now; everybody was logged out");
}

fn say(ledgers: &Ledgers, cause: &str) {
    if ledgers.background.said.is_news(ABOUT, cause) {
        tracing::error!(target: log::WATCH, cause, "MySQL has gone back, and is not asked");
    }
}
