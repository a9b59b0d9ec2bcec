//! `POST /register`, `/verify-email`, `/resend-verification`: an account and the proof of its
//! address. Nothing here tells whether an address is known (BUG-37).

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use sqlx::MySqlConnection;

use crate::App;
use crate::answer::Success;
use crate::audit::{self, Event};
use crate::body::Body;
use crate::clock::UnixMs;
use crate::error::{Error, Result, Violation};
use crate::limit::Scope;
use crate::mail::Message;
use crate::request::Client;
use crate::secret::{EmailToken, Password};

/// What `/register` takes.
#[derive(Deserialize)]
pub struct Request {
    email: String,
    password: Password,
    first_name: String,
    last_name: String,
}

/// A person as they are to be stored.
pub struct Newcomer {
    /// In lower case.
    pub email: String,
    /// As given, trimmed.
    pub first_name: String,
    /// As given, trimmed.
    pub last_name: String,
    /// The hashed password.
    pub password_hash: String,
}

/// `POST /register`: 201 and a mail, whether the address is new or not.
pub async fn register(
    State(app): State<App>,
    client: Client,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Success)> {
    app.limits.take(Scope::Register, &client).await?;
    let newcomer = checked(&app, request).await?;
    let message = match insert(&app, &client, &newcomer).await? {
        Some(token) => Message::Verify { token },
        None => Message::AlreadyRegistered,
    };
    send(&app, &newcomer.email, message).await;
    let text = "Registered. Follow the link in the mail that we have sent you.";
    Ok((StatusCode::CREATED, Success::message(text)))
}

/// What `/verify-email` takes.
#[derive(Deserialize)]
pub struct Proof {
    token: String,
}

/// `POST /verify-email`: the token from the mail, once.
pub async fn verify_email(
    State(app): State<App>,
    client: Client,
    Body(proof): Body<Proof>,
) -> Result<Success> {
    app.limits.take(Scope::Mail, &client).await?;
    let token = EmailToken::parse(&proof.token).ok_or(Error::DeadEmailToken)?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let user_id = use_token(&mut tx, &token, "verify_email", now).await?;
    sqlx::query!(
        "update users set email_verified_at = ?, updated_at = ?
          where id = ? and email_verified_at is null",
        now,
        now,
        user_id,
    )
    .execute(&mut *tx)
    .await?;
    audit::record(&mut *tx, &client, now, Event::of("user_email_verified", user_id)).await?;
    tx.commit().await?;
    Ok(Success::message("Email verified. You can log in now."))
}

/// What `/resend-verification` takes.
#[derive(Deserialize)]
pub struct Address {
    email: String,
}

/// `POST /resend-verification`: another mail, if there is an account that waits for one.
pub async fn resend_verification(
    State(app): State<App>,
    client: Client,
    Body(address): Body<Address>,
) -> Result<Success> {
    app.limits.take(Scope::Mail, &client).await?;
    let email = checked_email(&address.email).map_err(|why| Error::Unacceptable(vec![why]))?;
    let waiting = sqlx::query_scalar!(
        "select id from users where email = ? and is_active and email_verified_at is null",
        email,
    )
    .fetch_optional(&app.db)
    .await?;
    if let Some(user_id) = waiting {
        let mut tx = app.db.begin().await?;
        let lasts = app.settings.accounts.email_token_expires_in;
        let token = insert_token(&app, &mut tx, user_id, ("verify_email", lasts)).await?;
        tx.commit().await?;
        // Not waited for: the time of the answer must not tell that there was a mail.
        let background = app.clone();
        app.background.spawn(async move {
            send(&background, &email, Message::Verify { token }).await;
        });
    }
    Ok(Success::message("If the account waits for its verification, a mail is on its way."))
}

/// Uses a mailed token up and tells whose it was.
pub(crate) async fn use_token(
    tx: &mut MySqlConnection,
    token: &EmailToken,
    purpose: &str,
    now: UnixMs,
) -> Result<u64> {
    let digest = token.digest();
    let used = sqlx::query!(
        "update email_tokens set used_at = ?
          where token_hash = ? and purpose = ? and used_at is null and expires_at > ?",
        now,
        digest.as_bytes().as_slice(),
        purpose,
        now,
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if used == 0 {
        return Err(Error::DeadEmailToken);
    }
    let user_id = sqlx::query_scalar!(
        "select user_id from email_tokens where token_hash = ?",
        digest.as_bytes().as_slice(),
    )
    .fetch_one(tx)
    .await?;
    Ok(user_id)
}

/// Makes a token for a mail and withdraws the earlier ones of its purpose.
pub(crate) async fn insert_token(
    app: &App,
    tx: &mut MySqlConnection,
    user_id: u64,
    (purpose, lasts): (&str, Duration),
) -> Result<EmailToken> {
    let token = EmailToken::random(&app.random);
    let digest = token.digest();
    let now = app.clock.now();
    sqlx::query!(
        "update email_tokens set used_at = ?
          where user_id = ? and purpose = ? and used_at is null",
        now,
        user_id,
        purpose,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "insert into email_tokens (user_id, token_hash, purpose, created_at, expires_at)
         values (?, ?, ?, ?, ?)",
        user_id,
        digest.as_bytes().as_slice(),
        purpose,
        now,
        now.plus(lasts),
    )
    .execute(tx)
    .await?;
    Ok(token)
}

/// Inserts a row of `users` and tells its id; `None` if the address is taken.
pub async fn insert_user(
    tx: &mut MySqlConnection,
    newcomer: &Newcomer,
    now: UnixMs,
) -> Result<Option<u64>> {
    let inserted = sqlx::query!(
        "insert into users (email, password_hash, first_name, last_name, created_at, updated_at)
         values (?, ?, ?, ?, ?, ?)",
        newcomer.email,
        newcomer.password_hash,
        newcomer.first_name,
        newcomer.last_name,
        now,
        now,
    )
    .execute(tx)
    .await;
    match inserted {
        Ok(done) => Ok(Some(done.last_insert_id())),
        Err(sqlx::Error::Database(cause)) if cause.is_unique_violation() => Ok(None),
        Err(cause) => Err(cause.into()),
    }
}

async fn insert(app: &App, client: &Client, newcomer: &Newcomer) -> Result<Option<EmailToken>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let Some(user_id) = insert_user(&mut tx, newcomer, now).await? else { return Ok(None) };
    let lasts = app.settings.accounts.email_token_expires_in;
    let token = insert_token(app, &mut tx, user_id, ("verify_email", lasts)).await?;
    audit::record(&mut *tx, client, now, Event::of("user_created", user_id)).await?;
    tx.commit().await?;
    Ok(Some(token))
}

async fn send(app: &App, email: &str, message: Message) {
    if let Err(cause) = app.mail.send(email, message).await {
        tracing::error!(%cause, "a mail could not be sent");
    }
}

/// Every rule for a new account at once, so that a person can mend all faults at once.
async fn checked(app: &App, request: Request) -> Result<Newcomer> {
    let Request { email, password, first_name, last_name } = request;
    let mut violations = Vec::new();
    let email = checked_email(&email).map_err(|why| violations.push(why)).unwrap_or_default();
    for (field, name) in [("first_name", &first_name), ("last_name", &last_name)] {
        violations.extend(fault_of_name(field, name));
    }
    let context = [email.as_str(), &first_name, &last_name];
    if let Err(why) = app.passwords.acceptable(&password, &context) {
        violations.push(Violation::new("password", why.code, why.text));
    }
    if !violations.is_empty() {
        return Err(Error::Unacceptable(violations));
    }
    let password_hash = app.passwords.hash(password).await?;
    let (first_name, last_name) = (first_name.trim().to_owned(), last_name.trim().to_owned());
    Ok(Newcomer { email, first_name, last_name, password_hash })
}

fn fault_of_name(field: &str, name: &str) -> Option<Violation> {
    let name = name.trim();
    let length = name.chars().count();
    let plain = !name.chars().any(char::is_control);
    (!(1..=100).contains(&length) || !plain)
        .then(|| Violation::new(field, "not_a_name", "This must be 1 to 100 characters of text."))
}

/// The address in lower case, if it is one that mail could reach.
pub(crate) fn checked_email(given: &str) -> Result<String, Violation> {
    let email = given.trim().to_lowercase();
    let fault = || Violation::new("email", "not_an_email", "This must be an e-mail address.");
    let (local, domain) = email.rsplit_once('@').ok_or_else(fault)?;
    let odd = |c: char| c.is_control() || c.is_whitespace() || "<>()[],;:\\\"@".contains(c);
    let labels = || domain.split('.');
    let well_formed = (1..=64).contains(&local.len())
        && email.len() <= 254
        && !local.contains(odd)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && labels().count() > 1
        && labels().all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
    if well_formed { Ok(email) } else { Err(fault()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_in_lower_case() {
        assert_eq!(checked_email(" Ada.L+x@Example.COM ").unwrap(), "ada.l+x@example.com");
    }

    #[test]
    fn what_no_mail_could_reach_is_no_address() {
        let long = format!("{}@example.com", "a".repeat(65));
        for wrong in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "a b@example.com",
            "a@b@example.com",
            "ada@example..com",
            "ada@-example.com",
            ".ada@example.com",
            "ada..l@example.com",
            "ada@example.com\r\nBcc: x@example.com",
            "<ada@example.com>",
            &long,
        ] {
            assert!(checked_email(wrong).is_err(), "{wrong:?}");
        }
    }
}
