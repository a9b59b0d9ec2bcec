//! The work that goes on beside the requests, each job a loop until the service stops.
//!
//! May use the app and everything below it, and knows nothing of HTTP. What one round of a job does is
//! the business of the room that it is about.

use std::time::{Duration, Instant};

use crate::App;
use crate::base::log_targets as log;
use crate::base::random::Random;
use crate::ledger::{outbox, returning, roster};
use crate::metrics;
use crate::sessions::live;
use crate::settings::Settings;
use crate::store::{cleanup, everybody, told};

/// How often the outbox is looked into for what could not be delivered at once.
const DELIVER_EVERY: Duration = Duration::from_millis(500);
/// How often it is asked whether sessions are left to be marked as ended.
const MARK_ENDED_EVERY: Duration = Duration::from_secs(10);
/// How long after it was seen that there is no outbox.
const WITHOUT_TABLES: Duration = Duration::from_secs(5);
/// What its failures are about.
const OUTBOX: &str = "the outbox";
/// How often keys are looked for that were made or retired.
const LOOK_FOR_KEYS_EVERY: Duration = Duration::from_secs(1);
/// How often somebody looks whether old password hashes are left.
const LOOK_FOR_OLD_HASHES_EVERY: Duration = Duration::from_hours(1);
/// How often measurements are folded together, so that they do not pile up unread.
const FOLD_EVERY: Duration = Duration::from_secs(5);
/// Live sessions are counted so often, or less: it costs MySQL a walk over an index, and no more
/// than this share of its time is spent on it.
const COUNT_EVERY: Duration = Duration::from_mins(1);
const SHARE_OF_TIME: u32 = 100;

/// Starts all of them, and waits a moment for a first look at Redis, so that a service whose Redis is
/// well never starts with answers from MySQL, nor with a MySQL that has gone back.
pub async fn start(app: &App) {
    app.background.spawn(roster::run(app.ledgers.clone()));
    app.background.spawn(deliver(app.clone()));
    app.background.spawn(write_activity_down(app.clone()));
    app.background.spawn(send_mails(app.clone()));
    app.background.spawn(mark_ended(app.clone()));
    app.background.spawn(clean_up(app.clone()));
    app.background.spawn(look_for_keys(app.clone()));
    app.background.spawn(look_for_old_hashes(app.clone()));
    app.background.spawn(measure(app.clone()));
    let limit = app.settings.stores.answer_deadline();
    drop(tokio::time::timeout(limit, app.ledgers.looked_at()).await);
    let looked = Box::pin(returning::look_at_both(&app.ledgers));
    drop(tokio::time::timeout(limit, looked).await);
    app.background.spawn(returning::run(app.ledgers.clone(), app.settings.session_lifetime()));
}

/// Delivers what waits for ledgers.
async fn deliver(app: App) {
    loop {
        let delivered = tokio::select! {
            delivered = outbox::deliver_due(&app.ledgers) => delivered,
            () = app.background.stop.cancelled() => return,
        };
        let pause = match delivered {
            Ok(_) => {
                if app.background.said.is_over(OUTBOX) {
                    tracing::info!(target: log::OUTBOX_WORKER, "the outbox can be read again");
                }
                DELIVER_EVERY
            }
            Err(cause) => {
                let why = told::told(&cause);
                if app.background.said.is_news(OUTBOX, &why) {
                    tracing::warn!(
                        target: log::OUTBOX_WORKER,
                        cause = why,
                        "the outbox could not be read; retrying"
                    );
                }
                if told::lacks_steps(&cause) { WITHOUT_TABLES } else { DELIVER_EVERY }
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = app.ledgers.believed_again() => {}
            () = app.background.stop.cancelled() => return,
        }
    }
}

/// Sends the mails that wait.
async fn send_mails(app: App) {
    app.outgoing.run(&app.background.stop, app.settings.server.shutdown_grace).await;
}

/// Tells both stores of uses, and once more when the service stops.
async fn write_activity_down(app: App) {
    while !app.background.stop.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(app.activity.flush_every) => {}
            () = app.background.stop.cancelled() => {}
        }
        app.activity.flush().await;
    }
}

/// Marks sessions that a logout of everybody has ended, should whoever was about to have died.
async fn mark_ended(app: App) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(MARK_ENDED_EVERY) => {}
            () = app.background.stop.cancelled() => return,
        }
        let marked = async {
            let Some(left) = everybody::unrecorded(&app.store).await? else { return Ok(()) };
            everybody::record_rest(&app.store, left, app.clock.now()).await
        };
        if let Err(cause) = marked.await {
            tracing::debug!(
                target: log::CLEANUP,
                cause = told::told(&cause),
                "sessions that have ended could not be marked; the next run will continue"
            );
        }
    }
}

/// Deletes what is over.
async fn clean_up(app: App) {
    let mut is_first = true;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause_of_cleanup(&app.settings, &app.random, is_first)) => {}
            () = app.background.stop.cancelled() => return,
        }
        is_first = false;
        match cleanup::clean(&app.store.pool, &app.settings, app.clock.now()).await {
            Ok(Some(deleted)) => tracing::info!(target: log::CLEANUP, ?deleted, "cleaned up"),
            Ok(None) => tracing::debug!(target: log::CLEANUP, "another instance is cleaning up"),
            Err(cause) => {
                tracing::warn!(
                    target: log::CLEANUP,
                    cause = told::told(&cause),
                    "the cleanup failed; the next run will continue it"
                );
            }
        }
    }
}

/// Looks at the keys, so that a new one signs everywhere soon after it was made, and
/// nothing that a stolen one signed is taken soon after it was retired.
async fn look_for_keys(app: App) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_FOR_KEYS_EVERY) => {}
            () = app.background.stop.cancelled() => return,
        }
        match app.keys.reload_if_changed() {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!(target: log::KEYS, "the keys have changed and have been reloaded");
            }
            Err(cause) => {
                tracing::warn!(target: log::KEYS, %cause, "the keys could not be reloaded");
            }
        }
    }
}

/// Keeps track of what the old password hashes cost that are left.
async fn look_for_old_hashes(app: App) {
    loop {
        if let Err(cause) = app.passwords.look_for_old_hashes(&app.store.pool).await {
            tracing::debug!(
                target: log::PASSWORD_OLD,
                %cause,
                "could not check for old password hashes"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_FOR_OLD_HASHES_EVERY) => {}
            () = app.background.stop.cancelled() => return,
        }
    }
}

/// Folds measurements together and counts live sessions.
async fn measure(app: App) {
    let mut count_at = Instant::now();
    loop {
        let started = Instant::now();
        if started >= count_at {
            let counted = tokio::select! {
                counted = live::count_patiently(&app.store, app.clock.now()) => counted,
                () = app.background.stop.cancelled() => return,
            };
            match counted {
                Ok(live) => metrics::sessions_live(live),
                Err(cause) => {
                    tracing::debug!(target: log::METRICS, %cause, "live sessions could not be counted");
                }
            }
            count_at = started + pause_after(started.elapsed());
        }
        tokio::select! {
            () = tokio::time::sleep(FOLD_EVERY) => metrics::fold(),
            () = app.background.stop.cancelled() => return,
        }
    }
}

/// When to count again, seen from the beginning of a count that took so long.
fn pause_after(took: Duration) -> Duration {
    COUNT_EVERY.max(took * SHARE_OF_TIME)
}

/// How long to wait before the first cleanup and between two: never the same for two instances.
fn pause_of_cleanup(settings: &Settings, random: &Random, is_first: bool) -> Duration {
    let interval = Duration::from_hours(settings.server.cleanup_interval_hours);
    let tenths = interval / 10 * u32::from(random.bytes::<1>()[0]) / 255;
    if is_first { tenths } else { interval * 19 / 20 + tenths }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_takes_a_hundredth_of_the_time_at_most() {
        assert_eq!(pause_after(Duration::from_millis(1)), Duration::from_mins(1));
        assert_eq!(pause_after(Duration::from_secs(3)), Duration::from_mins(5));
    }

    #[test]
    fn c_19_instances_do_not_clean_in_step() {
        let settings = Settings::for_tests("mysql://unused", "redis://unused");
        let random = Random::seeded(1);
        let pauses: Vec<_> = (0..20).map(|_| pause_of_cleanup(&settings, &random, false)).collect();
        let hour = Duration::from_hours(1);
        assert!(pauses.iter().all(|pause| (hour * 95 / 100..=hour * 105 / 100).contains(pause)));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        assert!(pause_of_cleanup(&settings, &random, true) <= hour / 10);
    }
}
