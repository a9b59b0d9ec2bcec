//! What an administrator does to somebody's account.

use serde_json::{Value, json};

use crate::App;
use crate::base::client::Client;
use crate::base::error::{Error, Result};
use crate::base::role::Role;
use crate::http::caller::Admin;
use crate::ledger::change::Propagation;
use crate::sessions::deed::Deed;
use crate::store::audit::{Event, What};
use crate::store::held_rows as held;

/// A deed of an administrator, with what the audit trail says of it.
pub(super) struct Intervention<'a> {
    user_id: u64,
    /// Whether the person is an administrator who can log in.
    is_administrator: bool,
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
        let is_administrator = person.role == Role::Admin && person.may_log_in(unverified_may);
        let deed = Deed::within(tx, &app.ledgers, client, user_id);
        Ok(Self {
            user_id,
            is_administrator,
            unverified_may,
            deed,
            detail: json!({ "by": caller.user_id }),
        })
    }

    /// Refuses to take power from the last administrator who can log in. The others are held until the
    /// deed is done, so that no two of them take it from each other.
    pub(super) async fn must_leave_an_administrator(&mut self) -> Result<()> {
        if !self.is_administrator {
            return Ok(());
        }
        let others = sqlx::query_scalar!(
            "select id from users
              where role = 'admin' and is_active and (email_verified_at is not null or ?)
                and id <> ? for update",
            self.unverified_may,
            self.user_id,
        )
        .fetch_all(&mut *self.deed.tx)
        .await?;
        if others.is_empty() { Err(Error::LastAdmin) } else { Ok(()) }
    }

    /// Makes it last.
    pub(super) async fn commit(self, what: What) -> Result<Propagation> {
        Ok(self.deed.commit(Event::of(what, self.user_id).with(self.detail)).await?)
    }
}
