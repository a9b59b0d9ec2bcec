//! Whether a password is its account's, at the same cost whoever it was.

use crate::App;
use crate::audit::{self, Event};
use crate::database;
use crate::error::Result;
use crate::request::Client;
use crate::secret::Password;
use crate::token::Role;

/// A user as stored.
pub(super) struct Stored {
    pub(super) id: u64,
    pub(super) email: String,
    password_hash: String,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) role: Role,
    pub(super) is_active: bool,
    email_is_verified: bool,
}

/// The user, if the password is theirs and they may log in. A refusal costs the same whoever it was.
pub(super) async fn check_password(
    app: &App,
    client: &Client,
    email: &str,
    given: Password,
) -> Result<Option<Stored>> {
    let stored = sqlx::query_as!(
        Stored,
        r#"select id, email, password_hash, first_name, last_name, role as "role: Role",
                  is_active as "is_active: bool",
                  (email_verified_at is not null) as "email_is_verified!: bool"
             from users where email = ?"#,
        email,
    )
    .fetch_optional(&app.db);
    let stored = database::time(app.settings.stores.db_deadline, stored).await?;
    let user_id = stored.as_ref().map(|user| user.id);
    let hash = stored.as_ref().map(|user| user.password_hash.as_str());
    let outcome = app.passwords.check(hash, given.clone()).await?;
    let unverified_may = !app.settings.accounts.email_verification_required;
    let user = stored
        .filter(|_| outcome.matches)
        .filter(|user| user.is_active && (user.email_is_verified || unverified_may));
    match &user {
        Some(user) if outcome.is_outdated => keep_upgraded_hash(app, user, given).await?,
        Some(_) => {}
        None => {
            app.passwords.even_out(&outcome, given).await?;
            let event = Event { user_id, ..Event::anonymous("authn_login_fail") };
            audit::record(&app.db, client, app.clock.now(), event).await?;
        }
    }
    Ok(user)
}

/// An old hash is replaced by one of today's strength, unless the password changed meanwhile.
async fn keep_upgraded_hash(app: &App, user: &Stored, given: Password) -> Result<()> {
    let upgraded = app.passwords.hash(given).await?;
    sqlx::query!(
        "update users set password_hash = ? where id = ? and password_hash = ?",
        upgraded,
        user.id,
        user.password_hash,
    )
    .execute(&app.db)
    .await?;
    Ok(())
}
