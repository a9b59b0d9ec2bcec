//! Everything of a user's ends at their word: every session, and the token in hand.

use super::caller::Caller;
use super::deed::Deed;
use super::ending::{Ended, Reason};
use crate::base::client::Client;
use crate::base::error::Result;
use crate::ledger::change::Propagation;
use crate::ledger::ledgers::Ledgers;
use crate::store::audit::{Event, What};

/// Ends it all; the token by itself as well, for services that only ask about tokens.
pub(crate) async fn end(
    ledgers: &Ledgers,
    client: &Client,
    caller: &Caller,
) -> Result<(Ended, Propagation)> {
    let end = || async {
        let mut deed = Deed::begin(ledgers, client, caller.user_id).await?;
        let ended = deed.end_all(Reason::LogoutAll).await?;
        deed.revoke_token(caller, Reason::LogoutAll).await?;
        let event =
            Event::of(What::SessionsEnded, caller.user_id).in_session(caller.session.as_str());
        Ok::<_, sqlx::Error>((ended, deed.commit(event).await?))
    };
    ledgers.store.repeat(end).await
}
