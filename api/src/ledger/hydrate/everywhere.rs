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
/// reason to leave the others as they are. What has been told so far is reported.
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
    let so_far = Mutex::new(Counts::default());
    let note = |more: &Counts| {
        let mut sum = so_far.lock().unwrap_or_else(PoisonError::into_inner);
        *sum = sum.and(more);
        report(&sum);
    };
    let work = holders.iter().map(|lines| bring_up_to_date(ledgers, lines, extent, &note));
    let done: Vec<_> = join_all(work).await.into_iter().collect::<Result<_, _>>()?;
    if !ledgers.shards.is_whole() {
        return Err(unavailable("some slots of the cluster have no server that answers").into());
    }
    Ok(done.into_iter().flatten().reduce(|sum: Counts, one| sum.and(&one)))
}
