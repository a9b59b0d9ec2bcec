//! Somebody who ends sessions of their own. An access token lets them, and so does a refresh token: who
//! wants to leave is not made to come in first.

use super::caller::Caller;
use super::deed::Deed;
use super::ending::{Ended, Reason};
use super::family::Family;
use crate::base::client::Client;
use crate::base::error::{Error, Result};
use crate::base::session_id::SessionId;
use crate::ledger::ledgers::Ledgers;
use crate::store::held_rows as held;

/// Somebody who ends sessions of their own.
pub(crate) struct Leaver {
    pub(crate) user_id: u64,
    pub(crate) session: SessionId,
    /// With an access token, which ends by itself as well.
    caller: Option<Caller>,
}

impl From<Caller> for Leaver {
    fn from(caller: Caller) -> Self {
        let (user_id, session) = (caller.user_id, caller.session.clone());
        Self { user_id, session, caller: Some(caller) }
    }
}

impl From<Family> for Leaver {
    /// A refresh token, spent or not; it must be of a session that has not ended.
    fn from(Family { user_id, session }: Family) -> Self {
        Self { user_id, session, caller: None }
    }
}

impl Leaver {
    /// Begins what they do. A refresh token has not been checked before, so its session is now.
    pub(crate) async fn begin<'a>(
        &self,
        ledgers: &'a Ledgers,
        client: &'a Client,
    ) -> Result<Deed<'a>> {
        if self.caller.is_some() {
            return Ok(Deed::begin(ledgers, client, self.user_id).await?);
        }
        let at = ledgers.clock.now();
        let mut tx = ledgers.store.begin().await?;
        match held::caller(&mut tx, self.user_id, &self.session).await {
            Ok(_) => Ok(Deed::within(tx, ledgers, client, self.user_id).at(at)),
            Err(Error::DeadToken) => Err(Error::DeadRefreshToken),
            Err(outage) => Err(outage),
        }
    }

    /// Ends one of their sessions; with the one that they left by, its access token as well.
    pub(crate) async fn end(
        &self,
        deed: &mut Deed<'_>,
        session: &SessionId,
        reason: Reason,
    ) -> Result<Ended> {
        Ok(match &self.caller {
            Some(caller) if caller.session == *session => {
                deed.end_with_token(caller, reason).await?
            }
            _ => deed.end(std::slice::from_ref(session), reason).await?,
        })
    }

    /// Ends the access token in hand, for services that only ask about tokens.
    pub(crate) async fn end_token(&self, deed: &mut Deed<'_>, reason: Reason) -> Result<()> {
        match &self.caller {
            Some(caller) => Ok(deed.revoke_token(caller, reason).await?),
            None => Ok(()),
        }
    }
}
