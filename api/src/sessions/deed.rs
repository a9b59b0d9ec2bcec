//! Something that is done to a user's sessions: one transaction with what ends and begins in it, its
//! place in the audit trail and what the ledger is told. Nobody can do the one and forget the others.

use super::caller::Caller;
use super::ending::{self, Ended, Ending, Reason};
use super::opening::{Opened, Opening, Start};
use super::revoke_token;
use crate::base::client::Client;
use crate::base::clock::Timestamp;
use crate::base::error::Result;
use crate::base::session_id::SessionId;
use crate::ledger::change::Propagation;
use crate::ledger::fence::Fence;
use crate::ledger::ledgers::Ledgers;
use crate::ledger::outbox::{self, Decided};
use crate::store::audit::{self, Event};
use crate::store::erasure;
use crate::store::transaction::Transaction;

/// A deed that is being done; what is not committed has not happened.
pub(crate) struct Deed<'a> {
    ledgers: &'a Ledgers,
    client: &'a Client,
    user_id: u64,
    /// What the ledger must be told, all of it in one row.
    decided: Decided,
    /// When it is done.
    pub(crate) at: Timestamp,
    pub(crate) tx: Transaction,
}

impl<'a> Deed<'a> {
    /// Begins one that needs nothing held beforehand. It is done now, however long it waits for its
    /// transaction.
    pub(crate) async fn begin(
        ledgers: &'a Ledgers,
        client: &'a Client,
        user_id: u64,
    ) -> sqlx::Result<Self> {
        let at = ledgers.clock.now();
        let tx = ledgers.store.begin().await?;
        Ok(Self { ledgers, client, user_id, decided: Decided::default(), at, tx })
    }

    /// Begins one in a transaction that has looked at what decides it and holds it.
    pub(crate) fn within(
        tx: Transaction,
        ledgers: &'a Ledgers,
        client: &'a Client,
        user_id: u64,
    ) -> Self {
        let decided = Decided::default();
        Self { ledgers, client, user_id, decided, at: ledgers.clock.now(), tx }
    }

    /// It counts as done at this instant, at which what decides it was looked at.
    pub(crate) fn at(self, at: Timestamp) -> Self {
        Self { at, ..self }
    }

    /// A fence that was asked for beforehand saves a round trip if a session begins.
    pub(crate) fn behind(mut self, fence: Option<Fence>) -> Self {
        self.decided.fence = fence;
        self
    }

    /// Ends some of the user's sessions; those that are not theirs or not live are left out.
    pub(crate) async fn end(
        &mut self,
        sessions: &[SessionId],
        reason: Reason,
    ) -> sqlx::Result<Ended> {
        let ending = self.ending(reason);
        let changes = &mut self.decided.changes;
        ending::end(&mut self.tx, self.user_id, sessions, ending, changes).await
    }

    /// Ends the session of an access token, and that by itself as well.
    pub(crate) async fn end_with_token(
        &mut self,
        caller: &Caller,
        reason: Reason,
    ) -> sqlx::Result<Ended> {
        let ending = self.ending(reason);
        let changes = &mut self.decided.changes;
        revoke_token::end_with_token(&mut self.tx, caller, ending, changes).await
    }

    /// Ends all of the user's sessions and whatever was issued up to now.
    pub(crate) async fn end_all(&mut self, reason: Reason) -> sqlx::Result<Ended> {
        let ending = self.ending(reason);
        ending::end_all(&mut self.tx, self.user_id, ending, &mut self.decided.changes).await
    }

    /// Ends the access token by which somebody called.
    pub(crate) async fn revoke_token(
        &mut self,
        caller: &Caller,
        reason: Reason,
    ) -> sqlx::Result<()> {
        let ending = self.ending(reason);
        revoke_token::revoke_token(&mut self.tx, caller, ending, &mut self.decided.changes).await
    }

    /// Begins a session of the user, whose row is held; it counts as begun at `created_at`.
    pub(crate) async fn open(
        &mut self,
        opening: &Opening,
        created_at: Timestamp,
    ) -> Result<Opened> {
        let Self { user_id, client, at: now, .. } = *self;
        let start = Start { user_id, client, now, created_at };
        opening.open(&mut self.tx, start, &mut self.decided.changes).await
    }

    /// Makes it last, with its place in the audit trail, and tells the user's ledger.
    pub(crate) async fn commit(mut self, event: Event<'_>) -> sqlx::Result<Propagation> {
        audit::record(&mut self.tx, self.client, self.at, event).await?;
        outbox::commit(self.ledgers, self.tx, self.user_id, self.decided).await
    }

    /// There was nothing to do, so nothing is recorded: who repeats a request fills no trail. What
    /// waits for the user's ledger is told all the same.
    pub(crate) async fn found_done(self) -> sqlx::Result<Propagation> {
        outbox::commit(self.ledgers, self.tx, self.user_id, self.decided).await
    }

    /// Makes it last, and that the user is gone: what names them goes, with what the trail says of this.
    pub(crate) async fn delete_user(mut self, event: Event<'_>) -> sqlx::Result<Propagation> {
        let Self { ledgers, user_id, .. } = self;
        audit::record(&mut self.tx, self.client, self.at, event).await?;
        erasure::delete_user(&mut self.tx, user_id).await?;
        let propagation = outbox::commit(ledgers, self.tx, user_id, self.decided).await?;
        let store = ledgers.store.clone();
        ledgers.background.do_later(async move { erasure::strip_the_rest(&store, user_id).await });
        Ok(propagation)
    }

    const fn ending(&self, reason: Reason) -> Ending<'a> {
        Ending { reason, at: self.at, client: self.client }
    }
}
