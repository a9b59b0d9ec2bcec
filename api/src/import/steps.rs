//! The steps, in their order.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::old::Old;
use super::options::Options;
use super::revoked::Revoked;
use super::tally::Tally;
use super::work::Import;
use crate::app::App;
use crate::base::client::Client;
use crate::ledger::hydrate;
use crate::ledger::hydrate::Extent;
use crate::store::migrate;

/// How often, and how long after one another, Redis is to be told while another instance tells it.
const TRIES: u32 = 240;
const BETWEEN_TRIES: Duration = Duration::from_millis(250);

/// Takes over what can be, then tells Redis; `report` hears how many users of how many are done.
pub async fn import(
    app: &App,
    options: &Options,
    report: &(dyn Fn(u64, u64) + Send + Sync),
) -> anyhow::Result<Tally> {
    let is_ready = migrate::status(&app.store.pool).await.context("the Portcullis database")?;
    ensure!(
        is_ready.iter().all(|step| step.is_applied),
        "the Portcullis database has pending migrations: run `portcullis migrate up` first"
    );
    let mut import = Import {
        app,
        options,
        old: Old::open(options).await?,
        now: app.clock.now(),
        operator: Client::operator(),
        revoked: Revoked::default(),
        tally: Tally::default(),
        has_changed_sessions: false,
    };
    import.revocations().await?;
    import.users(report).await?;
    if import.has_changed_sessions && !options.dry_run {
        tell_redis(app).await.context(
            "everything was imported, but Redis could not be updated: run `portcullis hydrate`",
        )?;
    }
    Ok(import.tally)
}

/// Whoever is at it has read the sessions already, perhaps; so their work is waited for, then done.
async fn tell_redis(app: &App) -> Result<(), hydrate::Fault> {
    for _ in 0..TRIES {
        match hydrate::bring_all_up_to_date(&app.ledgers, Extent::Everything, &|_| {}).await {
            Err(hydrate::Fault::Elsewhere) => tokio::time::sleep(BETWEEN_TRIES).await,
            done => return done.map(drop),
        }
    }
    Err(hydrate::Fault::Elsewhere)
}
