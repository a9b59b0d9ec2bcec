//! One deed of an administrator.

use serde_json::{Value, json};

use crate::App;
use crate::base::client::Client;
use crate::base::clock::UnixMs;
use crate::base::error::{Error, Result};
use crate::base::role::Role;
use crate::http::caller::Admin;
use crate::ledger::change::Propagation;
use crate::ledger::outbox;
use crate::sessions::ending::{self, Ended, Ending, Reason};
use crate::store::audit::{self, Event};
use crate::store::held;
use crate::store::transaction::Transaction;

/// Something an administrator does to a person, in one transaction with its trace in the audit.
pub(super) struct Deed<'a> {
    app: &'a App,
    client: &'a Client,
    user_id: u64,
    /// Whether the person is an active administrator.
    is_administrator: bool,
    pub(super) at: UnixMs,
    pub(super) tx: Transaction,
    /// What the audit trail says of it beside its name: who did it, and more if there is more.
    pub(super) detail: Value,
}

impl<'a> Deed<'a> {
    /// Begins it if the administrator still is one and there is such a person; both are held.
    pub(super) async fn begin(
        app: &'a App,
        client: &'a Client,
        Admin(caller): &Admin,
        user_id: u64,
    ) -> Result<Self> {
        let mut tx = app.store.begin().await?;
        let person = held::administrator(&mut tx, caller.user_id, &caller.session, user_id).await?;
        let person = person.ok_or(Error::NotFound)?;
        let is_administrator = person.is_active && person.role == Role::Admin;
        let (at, detail) = (app.clock.now(), json!({ "by": caller.user_id }));
        Ok(Self { app, client, user_id, is_administrator, at, tx, detail })
    }

    /// Refuses to take power from the last active administrator. The others are held until the
    /// deed is done, so that no two of them take it from each other.
    pub(super) async fn must_leave_an_administrator(&mut self) -> Result<()> {
        if !self.is_administrator {
            return Ok(());
        }
        let others = sqlx::query_scalar!(
            "select id from users where role = 'admin' and is_active and id <> ? for update",
            self.user_id,
        )
        .fetch_all(&mut *self.tx)
        .await?;
        if others.is_empty() { Err(Error::LastAdmin) } else { Ok(()) }
    }

    pub(super) async fn end_all(&mut self, reason: Reason) -> Result<Ended> {
        let ending = Ending { reason, at: self.at, client: self.client };
        Ok(ending::end_all(&mut self.tx, self.user_id, ending).await?)
    }

    pub(super) async fn commit(mut self, event: &'static str) -> Result<Propagation> {
        let event = Event::of(event, self.user_id).with(self.detail);
        audit::record(&mut self.tx, self.client, self.at, event).await?;
        Ok(outbox::commit(&self.app.ledgers, self.tx, self.user_id, None).await?)
    }
}
