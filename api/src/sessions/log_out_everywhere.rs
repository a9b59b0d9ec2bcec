//! Everything of a user's ends at their word: every session, and the token in hand.

use super::ending::{Ended, Reason};
use super::leaver::Leaver;
use crate::base::client::Client;
use crate::base::error::{Error, Result};
use crate::ledger::change::Propagation;
use crate::ledger::ledgers::Ledgers;
use crate::store::audit::{Event, What};

/// Ends it all; the token by itself as well, for services that only ask about tokens.
pub(crate) async fn end(
    ledgers: &Ledgers,
    client: &Client,
    leaver: &Leaver,
) -> Result<(Ended, Propagation)> {
    let end = || async {
        let mut deed = leaver.begin(ledgers, client).await?;
        let ended = deed.end_all(Reason::LogoutAll).await?;
        leaver.end_token(&mut deed, Reason::LogoutAll).await?;
        let event =
            Event::of(What::SessionsEnded, leaver.user_id).in_session(leaver.session.as_str());
        Ok::<_, Error>((ended, deed.commit(event).await?))
    };
    ledgers.store.repeat(end).await
}
