//! A session with every refresh token that was ever given out in it.

use serde_json::Value;

use super::deed::Deed;
use super::ending::Reason;
use crate::base::client::Client;
use crate::base::error::Result;
use crate::base::session_id::SessionId;
use crate::ledger::change::Propagation;
use crate::ledger::ledgers::Ledgers;
use crate::store::audit::{Event, What};
use crate::store::database::Store;
use crate::tokens::derived::RefreshKeys;
use crate::tokens::secret::RefreshToken;

/// Whose it is.
pub(crate) struct Family {
    pub(crate) user_id: u64,
    pub(crate) session: SessionId,
}

impl Family {
    /// The family of a refresh token, whatever became of it: spent, revoked, idle or expired.
    pub(crate) async fn of(
        store: &Store,
        keys: &RefreshKeys,
        token: &RefreshToken,
    ) -> Result<Option<Self>> {
        let digest = token.digest();
        let family = sqlx::query_as!(
            Self,
            r#"select user_id, session_id as "session: SessionId" from refresh_tokens
            where token_hash = ?"#,
            digest.as_bytes().as_slice(),
        );
        let family = family.fetch_optional(&store.pool).await?;
        let Some(place) = keys.place(token).filter(|_| family.is_none()) else {
            return Ok(family);
        };
        let family = sqlx::query_as!(
            Self,
            r#"select user_id, session_id as "session: SessionId" from refresh_tokens
            where reference = ? and generation > ?"#,
            place.reference.as_slice(),
            place.generation,
        );
        Ok(family.fetch_optional(&store.pool).await?)
    }

    /// Ends it at somebody's word; `detail` says whose, if it is not the user's.
    pub(crate) async fn end(
        &self,
        ledgers: &Ledgers,
        client: &Client,
        detail: Value,
    ) -> Result<Propagation> {
        let end = || async {
            let mut deed = Deed::begin(ledgers, client, self.user_id).await?;
            let ended = deed.end(std::slice::from_ref(&self.session), Reason::Revoked).await?;
            if ended.sessions == 0 {
                return deed.found_done().await;
            }
            let event = Event::of(What::TokenRevoked, self.user_id)
                .in_session(self.session.as_str())
                .with(detail.clone());
            deed.commit(event).await
        };
        ledgers.store.repeat(end).await
    }
}
