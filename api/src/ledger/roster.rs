//! Keeps track of who the primaries of a cluster are, and has each of them looked after.
//!
//! Every node that is connected to says who the others are; where there is none, those that the
//! settings name are asked.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use portcullis_core::View;
use redis::RedisResult;
use tokio::task::AbortHandle;

use super::ledgers::Ledgers;
use super::line::Lines;
use super::watch;
use super::way::{connected, view};
use crate::base::log_targets as log;
use crate::settings::Host;

/// How often, if nobody hears that a slot is elsewhere.
const EVERY: Duration = Duration::from_secs(1);
/// How soon after somebody did.
const SOON: Duration = Duration::from_millis(50);
/// What the failures here are about.
const ABOUT: &str = "the roster of the cluster";

/// Runs until the service stops: one watch for each server.
pub(crate) async fn run(ledgers: Ledgers) {
    if !ledgers.shards.is_cluster() {
        for lines in ledgers.shards.all() {
            Box::pin(watch::run(ledgers.clone(), lines)).await;
        }
        return;
    }
    let mut watches = BTreeMap::new();
    loop {
        let round = tokio::select! {
            round = round(&ledgers, &mut watches) => round,
            () = ledgers.background.stop.cancelled() => return,
        };
        match round {
            Ok(()) => drop(ledgers.background.said.is_over(ABOUT)),
            Err(cause) => {
                // Whoever waits for a first look has had it.
                drop(ledgers.looked.set(()));
                if ledgers.background.said.is_news(ABOUT, &cause.to_string()) {
                    tracing::warn!(target: log::WATCH, %cause, "no node of the cluster answers; retrying");
                }
            }
        }
        let moved = async {
            ledgers.shards.moved.notified().await;
            tokio::time::sleep(SOON).await;
        };
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = moved => {}
            () = ledgers.background.stop.cancelled() => return,
        }
    }
}

async fn round(
    ledgers: &Ledgers,
    watches: &mut BTreeMap<String, (Host, AbortHandle)>,
) -> RedisResult<()> {
    let primaries = primaries(ledgers).await?;
    let gone: Vec<String> = watches
        .iter()
        .filter(|(name, (host, _))| !primaries.get(*name).is_some_and(|known| known.contains(host)))
        .map(|(name, _)| name.clone())
        .collect();
    for name in gone {
        if let Some((_, watch)) = watches.remove(&name) {
            watch.abort();
        }
        ledgers.shards.remove(&name);
    }
    for (name, hosts) in primaries {
        if let (Some(host), Entry::Vacant(unknown)) =
            (hosts.into_iter().next(), watches.entry(name))
        {
            let lines = ledgers.shards.add(unknown.key(), &host)?;
            let watch = tokio::spawn(watch::run(ledgers.clone(), lines));
            unknown.insert((host, watch.abort_handle()));
        }
    }
    ledgers.shards.share_out();
    Ok(())
}

/// Whoever any node that answers calls a primary, and where that is: nodes may know it by other addresses.
async fn primaries(ledgers: &Ledgers) -> RedisResult<BTreeMap<String, Vec<Host>>> {
    let known = ledgers.shards.all();
    let mut views: Vec<View> = known.iter().filter_map(|lines| lines.view()).collect();
    if views.is_empty() {
        views = ask_around(ledgers, &known).await?;
    }
    let mut primaries = BTreeMap::<String, Vec<Host>>::new();
    for (name, host) in views.iter().flat_map(View::primaries) {
        primaries.entry(name.to_owned()).or_default().push(host.clone());
    }
    Ok(primaries)
}

/// Asks those that the settings name, and those that were known.
async fn ask_around(ledgers: &Ledgers, known: &[Arc<Lines>]) -> RedisResult<Vec<View>> {
    let deadline = ledgers.shards.deadline;
    let named = ledgers.shards.way.nodes().iter().map(|(host, client)| async move {
        let mut redis = connected(client, deadline, deadline).await?;
        view(&mut redis, host, ledgers.shards.way.is_by_name()).await
    });
    let known = known.iter().map(|lines| async move {
        let mut redis = lines.open(deadline).await?;
        lines.look_around(&mut redis).await?;
        Ok(lines.last_view())
    });
    let (named, known) = tokio::join!(join_all(named), join_all(known));
    let (mut views, mut fault) = (Vec::new(), None);
    for answer in named.into_iter().chain(known) {
        match answer {
            Ok(view) => views.push(view),
            Err(cause) => fault = Some(cause),
        }
    }
    match fault {
        Some(cause) if views.is_empty() => Err(cause),
        Some(_) | None => Ok(views),
    }
}

/// Finds all servers once, for whoever does not keep track of them.
pub(crate) async fn find(ledgers: &Ledgers) -> RedisResult<()> {
    if !ledgers.shards.is_cluster() || !ledgers.shards.all().is_empty() {
        return Ok(());
    }
    let mut found = Vec::new();
    for (name, hosts) in primaries(ledgers).await? {
        if let Some(host) = hosts.first() {
            found.push(ledgers.shards.add(&name, host)?);
        }
    }
    // Whoever does not answer claims nothing.
    join_all(found.iter().map(|lines| lines.connect())).await;
    ledgers.shards.share_out();
    Ok(())
}
