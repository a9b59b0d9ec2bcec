//! All servers at the same time, for whoever does not watch over them.

use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;

use super::run::{Extent, bring_up_to_date};
use super::work::{Counts, Fault};
use crate::ledger::ledgers::Ledgers;
use crate::ledger::redis_fault::unavailable;
use crate::ledger::{returning, roster};
use crate::store::history::Finding;

/// Brings all ledgers up to date, wherever they are; `None` if they are. One server that cannot be is no
/// reason to leave the others as they are.
pub async fn bring_all_up_to_date(
    ledgers: &Ledgers,
    extent: Extent,
    report: &(dyn Fn(&Counts) + Send + Sync),
) -> Result<Option<Counts>, Fault> {
    roster::find(ledgers).await?;
    let holders = ledgers.shards.holders();
    // Whoever is not there is said below.
    Box::pin(join_all(holders.iter().map(|lines| lines.connect()))).await;
    if Box::pin(returning::look_at_both(ledgers)).await? != Finding::Whole {
        return Err(Fault::GoneBack);
    }
    let so_far = Mutex::new(vec![Counts::default(); holders.len()]);
    let sum = |each: &[Counts]| each.iter().fold(Counts::default(), |sum, one| sum.and(one));
    let note = |at: usize, counts: &Counts| {
        let mut each = so_far.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = each.get_mut(at) {
            *mine = *counts;
        }
        report(&sum(&each));
    };
    let work = holders.iter().enumerate().map(|(at, lines)| {
        let note = &note;
        async move {
            let report = move |counts: &Counts| note(at, counts);
            bring_up_to_date(ledgers, lines, extent, &report).await
        }
    });
    let done: Vec<_> = join_all(work).await.into_iter().collect::<Result<_, _>>()?;
    if !ledgers.shards.is_whole() {
        return Err(unavailable("some slots of the cluster have no server that answers").into());
    }
    let done: Vec<Counts> = done.into_iter().flatten().collect();
    Ok(if done.is_empty() { None } else { Some(sum(&done)) })
}
