//! Who vouches for ledgers on and anew: a lease that is renewed, or one that has ended. First Redis is
//! told what it was not told before, for whoever asks it alone knows nothing of what waits.

use std::sync::Arc;

use crate::ledger::confirming;
use crate::ledger::hydrate::Fault;
use crate::ledger::ledgers::Ledgers;
use crate::ledger::line::{Line, Lines};
use crate::ledger::lives::Seen;
use crate::ledger::outbox::tell_owed;
use crate::ledger::sentinel::Sight;
use crate::ledger::watch::standing::look_at_lives;

/// Vouches on for a server that is believed. MySQL is asked only if Redis has refused an ending.
pub(super) async fn renew(
    ledgers: &Ledgers,
    lines: &Arc<Lines>,
    line: &Arc<Line>,
    sight: &Sight,
) -> Result<(), Fault> {
    if ledgers.aside.lacks_any() {
        tell_owed(ledgers, lines, line).await??;
    }
    vouch(ledgers, lines, line, sight).await.map(drop)
}

/// Vouches once more for ledgers of which only the lease has ended: whatever else ends a confirmation begins
/// another life. Somebody else may have been vouched for meanwhile, so MySQL has to say that nobody was.
pub(super) async fn revives(
    ledgers: &Ledgers,
    lines: &Arc<Lines>,
    line: &Arc<Line>,
    seen: Seen<'_>,
) -> Result<bool, Fault> {
    lines.doubt();
    let standing = look_at_lives(ledgers, seen).await?;
    let is_vouched = !standing.vouched.also_in(&seen.claim.slots).is_empty();
    if !is_vouched || standing.is_outdated || standing.is_replaced(seen.claim) {
        return Ok(false);
    }
    tell_owed(ledgers, lines, line).await??;
    vouch(ledgers, lines, line, seen.sight).await
}

/// Vouches for the ledgers that were seen, for a while or without an end.
async fn vouch(
    ledgers: &Ledgers,
    lines: &Lines,
    line: &Arc<Line>,
    sight: &Sight,
) -> Result<bool, Fault> {
    let vouched = confirming::vouch(&mut line.ask.clone(), sight, ledgers.confirm_lease).await;
    Ok(lines.heard(line, vouched)?)
}
