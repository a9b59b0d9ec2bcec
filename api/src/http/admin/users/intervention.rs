//! What an administrator does to somebody's account.

use serde_json::{Value, json};

use crate::App;
use crate::base::client::Client;
use crate::base::error::{Error, Result};
use crate::http::caller::Admin;
use crate::ledger::change::Propagation;
use crate::sessions::deed::Deed;
use crate::store::audit::{Event, What};
use crate::store::held_rows as held;

/// A deed of an administrator, with what the audit trail says of it.
pub(super) struct Intervention<'a> {
    user_id: u64,
    person: held::User,
    unverified_may: bool,
    pub(super) deed: Deed<'a>,
    /// What the audit trail says of it beside its name: who did it, and more if there is more.
    pub(super) detail: Value,
}

impl<'a> Intervention<'a> {
    /// Begins it if the administrator still is one and there is such a person; both are held.
    pub(super) async fn begin(
        app: &'a App,
        client: &'a Client,
        Admin(caller): &Admin,
        user_id: u64,
    ) -> Result<Self> {
        let mut tx = app.store.begin().await?;
        let held = held::administrator(&mut tx, caller.user_id, &caller.session, user_id).await?;
        let person = held.ok_or(Error::NotFound)?;
        let unverified_may = !app.settings.accounts.email_verification_required;
        let deed = Deed::within(tx, &app.ledgers, client, user_id);
        let detail = json!({ "by": caller.user_id });
        Ok(Self { user_id, person, unverified_may, deed, detail })
    }

    /// Refuses to take power from the last administrator who can use it.
    pub(super) async fn must_leave_an_administrator(&mut self) -> Result<()> {
        let Self { user_id, unverified_may, person, deed, .. } = self;
        held::must_leave_an_administrator(&mut deed.tx, *user_id, person, *unverified_may).await
    }

    /// Makes it last that the person is gone.
    pub(super) async fn delete_user(self) -> Result<Propagation> {
        let event = Event::of(What::UserDeleted, self.user_id).with(self.detail);
        Ok(self.deed.delete_user(event).await?)
    }

    /// Makes it last.
    pub(super) async fn commit(self, what: What) -> Result<Propagation> {
        Ok(self.deed.commit(Event::of(what, self.user_id).with(self.detail)).await?)
    }
}
