//! Whether a password is its account's, at the same cost whoever it was.

use crate::App;
use crate::accounts::password::Passwords;
use crate::base::client::Client;
use crate::base::email_address::Spellings;
use crate::base::error::Result;
use crate::store::audit::{self, Event, What};
use crate::tokens::secret::Password;

/// What somebody says, and where passwords are hashed for them.
pub(super) struct Attempted<'a> {
    pub(super) email: &'a str,
    pub(super) given: Password,
    pub(super) passwords: Passwords,
}

/// A user as stored.
pub(super) struct Stored {
    pub(super) id: u64,
    pub(super) email: String,
    /// The hash that the password was compared with, or what has replaced it here.
    pub(super) password_hash: String,
    pub(super) first_name: String,
    pub(super) last_name: String,
    is_active: bool,
    email_is_verified: bool,
}

/// The user, if the password is theirs and they may log in. A refusal costs the same whoever it was.
pub(super) async fn check_password(
    app: &App,
    client: &Client,
    Attempted { email, given, passwords }: &Attempted<'_>,
) -> Result<Option<Stored>> {
    let Spellings { canonical, typed } = Spellings::of(email);
    let stored = sqlx::query_as!(
        Stored,
        r#"select id, email, password_hash, first_name, last_name,
                  is_active as "is_active: bool",
                  (email_verified_at is not null) as "email_is_verified!: bool"
             from users where email in (?, ?) order by email = ? desc limit 1"#,
        canonical,
        typed,
        typed,
    )
    .fetch_optional(&app.store.pool);
    let stored = app.store.in_time(stored).await?;
    let user_id = stored.as_ref().map(|user| user.id);
    let hash = stored.as_ref().map(|user| user.password_hash.as_str());
    let outcome = passwords.check(hash, given.clone()).await?;
    let unverified_may = !app.settings.accounts.email_verification_required;
    let mut user = stored
        .filter(|_| outcome.matches)
        .filter(|user| user.is_active && (user.email_is_verified || unverified_may));
    match &mut user {
        Some(user) if outcome.is_outdated => {
            let upgraded = passwords.hash(given.clone()).await?;
            keep_upgraded_hash(app, user, upgraded).await?;
        }
        Some(_) => {}
        None => {
            passwords.even_out(&outcome, given.clone()).await?;
            refused(app, client, user_id).await?;
        }
    }
    Ok(user)
}

/// Checks the password once more, because another hash is in force by now. It may be of the same
/// password: another login has replaced an old hash.
pub(super) async fn check_again(
    app: &App,
    client: &Client,
    user: Stored,
    in_force: String,
    Attempted { given, passwords, .. }: &Attempted<'_>,
) -> Result<Option<Stored>> {
    let outcome = passwords.check(Some(&in_force), given.clone()).await?;
    if !outcome.matches {
        refused(app, client, Some(user.id)).await?;
        return Ok(None);
    }
    Ok(Some(Stored { password_hash: in_force, ..user }))
}

/// Tells the audit trail that a login failed.
pub(super) async fn refused(app: &App, client: &Client, user_id: Option<u64>) -> Result<()> {
    let event = Event { user_id, ..Event::anonymous(What::LoginFailed) };
    Ok(audit::record_alone(&app.store.pool, client, app.clock.now(), event).await?)
}

/// An old hash is replaced by one of today's strength, unless it is not in force any more.
async fn keep_upgraded_hash(app: &App, user: &mut Stored, upgraded: String) -> Result<()> {
    let replaced = app.store.repeat(|| async {
        let replaced = sqlx::query!(
            "update users set password_hash = ? where id = ? and password_hash = ?",
            upgraded,
            user.id,
            user.password_hash,
        );
        replaced.execute(&app.store.pool).await
    });
    if replaced.await?.rows_affected() > 0 {
        user.password_hash = upgraded;
    }
    Ok(())
}
