//! `POST /admin/logout-everyone`: every session of every user ends.
//!
//! All of them end at once, by one instant in one row (`store/everybody.rs`) and one word to Redis,
//! however many there are. That each is marked as ended follows: some of it before the answer, which
//! counts it, and the rest behind it.

use axum::extract::State;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::App;
use crate::base::client::Client;
use crate::base::clock::Timestamp;
use crate::base::error::Result;
use crate::base::log_targets as log;
use crate::http::answer::Success;
use crate::http::caller::Admin;
use crate::http::caller::must_have_logged_in_lately;
use crate::ledger::change::Propagation;
use crate::sessions::caller::Caller;
use crate::store::audit::{self, Event, What};
use crate::store::everybody::{self, Unrecorded, When};
use crate::store::held_rows as held;

/// Counts of what was ended, as far as it had been marked when this was answered.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = EveryoneEnded)]
pub struct Counts {
    users: u64,
    sessions_revoked: u64,
}

/// `POST /admin/logout-everyone`: every session of every user ends, the caller's own included.
#[utoipa::path(
    post, path = "/logout-everyone", tag = "Administration",
    summary = "Ends every session of every user",
    description = "All sessions end at once, the caller's own included. With very many users the counts \
                   are those of what had been marked as ended when this was answered; the rest follows.",
    security(("bearer" = [])),
    responses((status = 200, description = "Counts of what was ended", body = Success<Counts>)),
    extensions(("x-problems" = json!("forbidden insufficient_user_authentication")))
)]
pub async fn log_out_everyone(
    State(app): State<App>,
    client: Client,
    Admin(caller): Admin,
) -> Result<Success<Counts>> {
    must_have_logged_in_lately(&app, &caller)?;
    let until = Instant::now() + app.settings.stores.db_deadline;
    // Redis may have taken sessions to begin later than MySQL says, by its own clock.
    let redis_now = app.ledgers.latest_redis_now().await;
    let unrecorded = app.store.repeat(|| end(&app, &client, &caller, redis_now)).await?;
    let propagation = match app.ledgers.tell_about_everybody().await {
        Ok(()) => Propagation::Confirmed,
        Err(cause) => {
            tracing::warn!(
                target: log::OUTBOX,
                %cause,
                "Redis has not heard that everybody was logged out; telling it will be retried"
            );
            Propagation::Pending
        }
    };
    // Until then other instances may answer from what they have kept.
    let forgotten = Instant::now() + app.settings.stores.verdict_lease;
    let counts = record(&app, unrecorded, until).await;
    tokio::time::sleep_until(forgotten.min(until)).await;
    Ok(Success::data(counts).saying("Everybody has been logged out").propagated(propagation))
}

/// Ends everything. Until it is known how that went, Redis is asked about nobody.
async fn end(
    app: &App,
    client: &Client,
    caller: &Caller,
    redis_now: Option<Timestamp>,
) -> Result<Unrecorded> {
    let mut tx = app.store.begin().await?;
    held::administrator(&mut tx, caller.user_id, &caller.session, caller.user_id).await?;
    let now = app.clock.now();
    let lifetime = app.settings.session_lifetime();
    let ended = everybody::end(&mut tx, When { now, redis_now, lifetime }).await?;
    let event = Event::of(What::EverybodyEnded, caller.user_id);
    audit::record(&mut tx, client, now, event).await?;
    let doubt = app.ledgers.doubt_about_everybody();
    tx.commit().await?;
    doubt.settle(ended.told);
    Ok(ended.unrecorded)
}

/// Marks what has ended, and leaves to others what takes longer than an answer may.
async fn record(app: &App, mut next: Unrecorded, until: Instant) -> Counts {
    let mut counts = Counts::default();
    loop {
        let some = everybody::record_some(&app.store, next);
        match tokio::time::timeout_at(until, some).await {
            Ok(Ok(some)) => {
                counts.users += some.users;
                counts.sessions_revoked += some.sessions;
                let Some(rest) = some.rest else { break };
                next = rest;
            }
            Ok(Err(_)) | Err(_) => break,
        }
    }
    record_rest(app, next);
    counts
}

/// If the process ends meanwhile, another one goes on (`jobs.rs`).
fn record_rest(app: &App, next: Unrecorded) {
    let (store, clock, stop) = (app.store.clone(), app.clock.clone(), app.background.stop.clone());
    app.background.spawn(async move {
        let recorded = tokio::select! {
            recorded = everybody::record_rest(&store, next, clock.now()) => recorded,
            () = stop.cancelled() => return,
        };
        if let Err(cause) = recorded {
            tracing::warn!(
                target: log::CLEANUP,
                %cause,
                "sessions that have ended could not be marked as ended yet; this will be retried"
            );
        }
    });
}
