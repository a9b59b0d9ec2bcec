//! What MySQL says of the life at the end of a line, and what is written down there when it is seen to have changed.

use std::time::Duration;

use portcullis_core::Slots;

use crate::ledger::ledgers::Ledgers;
use crate::ledger::lives::{Seen, Standing, relinquish, renew};
use crate::ledger::sentinel::Sight;

/// How often it is asked whether the line still leads to the primary.
pub(super) const FOLLOW_EVERY: Duration = Duration::from_secs(1);

/// What MySQL says of this life: asked when it is time, or known from the last time if it does not
/// answer. Who never knew asks.
pub(super) async fn standing(
    ledgers: &Ledgers,
    seen: Seen<'_>,
    is_due: bool,
) -> sqlx::Result<Standing> {
    match ledgers.lives.known(seen) {
        Some(known) if is_due => {
            let looked = tokio::time::timeout(FOLLOW_EVERY, look_at_lives(ledgers, seen)).await;
            Ok(looked.ok().and_then(Result::ok).unwrap_or(known))
        }
        Some(known) => Ok(known),
        None => look_at_lives(ledgers, seen).await,
    }
}

pub(in crate::ledger) async fn look_at_lives(
    ledgers: &Ledgers,
    seen: Seen<'_>,
) -> sqlx::Result<Standing> {
    let store = &ledgers.store;
    let standing = store.in_time(ledgers.lives.look(&store.pool, seen)).await?;
    if standing.is_outdated && seen.sight.is_up_to_date() {
        store.repeat_beside(|| store.in_time(renew(&store.pool, seen.sight))).await?;
    }
    if seen.is_of_a_cluster {
        keep_only(ledgers, seen.sight, &seen.claim.kept()).await?;
    }
    Ok(standing)
}

/// Vouches for nothing else any more in this life. Ledgers of a slot that is leaving go one by one, and a
/// replica does not know that the slot is.
pub(super) async fn keep_only(ledgers: &Ledgers, sight: &Sight, slots: &Slots) -> sqlx::Result<()> {
    let store = &ledgers.store;
    let had = ledgers.lives.slots_of(&sight.run_id);
    if had.without(slots).is_empty() {
        return Ok(());
    }
    let (had, kept) = (had.to_string(), had.also_in(slots).to_string());
    let deed = || store.in_time(relinquish(&store.pool, sight, (&had, &kept)));
    store.repeat_beside(deed).await
}
