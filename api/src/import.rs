//! `portcullis import`: takes over what the system that Portcullis replaces has in its database.
//!
//! The old database is only read, in one snapshot. Taken over is what still means the same here:
//!
//!     users          with their ids and password hashes
//!     sessions       live ones, with the refresh token that their holder has
//!     revocations    of refresh tokens; an access token of the old system is accepted nowhere here
//!
//! Whatever is in doubt is left out and counted: that costs its holder a login, no more (BUG-35).
//! Users come in batches, each of them a transaction with its sessions, and every row is decided by
//! what is here already. So the import can be cut short and repeated, and a dry run is the same
//! work without the commits.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use secrecy::SecretString;

use crate::App;
use crate::base::client::Client;
use crate::base::clock::Timestamp;
use crate::ledger::hydrate;
use crate::ledger::hydrate::Extent;
use crate::settings::secret;
use crate::store::migrate;
use crate::store::transaction::Transaction;

use old::Old;
use revocations::Revoked;

mod old;
mod revocations;
mod rows;
mod sessions;
mod users;

/// How often, and how long after one another, Redis is to be told while another instance tells it.
const TRIES: u32 = 240;
const BETWEEN_TRIES: Duration = Duration::from_millis(250);
const IMPORTED: &str = "imported";
const THERE: &str = "there already";

/// What is to be taken over, and how.
#[derive(Args)]
pub struct Options {
    /// The old database, as `mysql://user:password@host:port/name`. It is only read.
    #[arg(
        long,
        env = "OLD_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        value_parser = secret
    )]
    pub from: SecretString,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Take all addresses as verified, for a system that never verified any.
    #[arg(long)]
    pub verified: bool,
    /// Leave the sessions: everybody logs in once more.
    #[arg(long)]
    pub without_sessions: bool,
    /// Table or view of the users; a view can give columns the names that are looked for.
    #[arg(long, value_name = "NAME", default_value = "users")]
    pub users_table: String,
}

/// What became of the old rows: how many of which kind met which fate.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<(&'static str, &'static str), u64>);

impl Tally {
    fn count(&mut self, kind: &'static str, fate: &'static str) {
        *self.0.entry((kind, fate)).or_default() += 1;
    }

    /// How many rows of this kind met this fate.
    #[must_use]
    pub fn of(&self, kind: &'static str, fate: &'static str) -> u64 {
        self.0.get(&(kind, fate)).copied().unwrap_or(0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("        0  rows in the old database");
        }
        let lines = self.0.iter().map(|((kind, fate), n)| format!("{n:>9}  {kind} {fate}"));
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

/// Takes over what can be, then tells Redis; `report` hears how many users of how many are done.
pub async fn import(
    app: &App,
    options: &Options,
    report: &(dyn Fn(u64, u64) + Send + Sync),
) -> anyhow::Result<Tally> {
    let is_ready = migrate::status(&app.store.pool).await.context("the database of Portcullis")?;
    ensure!(
        is_ready.iter().all(|step| step.is_applied),
        "the database of Portcullis is not in shape: run `portcullis migrate up` first"
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
            "everything is imported, but Redis has not heard of it: run `portcullis hydrate`",
        )?;
    }
    Ok(import.tally)
}

/// Whoever is at it has read the sessions already, perhaps; so their work is waited for, then done.
async fn tell_redis(app: &App) -> Result<(), hydrate::Fault> {
    for _ in 0..TRIES {
        match hydrate::bring_up_to_date(&app.ledgers, Extent::Everything, &|_| {}).await {
            Err(hydrate::Fault::Elsewhere) => tokio::time::sleep(BETWEEN_TRIES).await,
            done => return done.map(drop),
        }
    }
    Err(hydrate::Fault::Elsewhere)
}

struct Import<'a> {
    app: &'a App,
    options: &'a Options,
    old: Old,
    now: Timestamp,
    /// On whose request sessions end.
    operator: Client,
    revoked: Revoked,
    tally: Tally,
    has_changed_sessions: bool,
}

impl Import<'_> {
    /// Keeps what was done, unless it was only tried.
    async fn settle(&self, tx: Transaction) -> sqlx::Result<()> {
        if self.options.dry_run {
            return Ok(()); // rolled back where it is dropped
        }
        tx.commit().await
    }
}
