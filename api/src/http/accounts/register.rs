//! `POST /register`, `/verify-email`, `/resend-verification`: an account and the proof of its
//! address. Nothing here tells whether an address is known (BUG-37).

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use sqlx::MySqlConnection;
use utoipa::ToSchema;

use crate::App;
use crate::accounts::user::{self, Newcomer};
use crate::base::client::Client;
use crate::base::clock::UnixMs;
use crate::base::error::{Error, Result};
use crate::base::log;
use crate::http::answer::Success;
use crate::http::body::Body;
use crate::limits::Scope;
use crate::mail::Message;
use crate::store::audit::{self, Event};
use crate::store::held;
use crate::tokens::secret::EmailToken;

/// `POST /register`: 201 and a mail, whether the address is new or not.
#[utoipa::path(
    post, path = "/register", tag = "Accounts",
    summary = "Asks for an account",
    request_body = Newcomer,
    responses((
        status = 201,
        description = "A mail is on its way, whether the address is new or not",
        body = Success,
    )),
    extensions(("x-problems" = json!("throttled")))
)]
pub async fn register(
    State(app): State<App>,
    client: Client,
    Body(newcomer): Body<Newcomer>,
) -> Result<(StatusCode, Success)> {
    app.limits.take(Scope::Register, &client).await?;
    let person = newcomer.checked(&app.passwords)?;
    let password_hash = app.passwords.hash(person.password.clone()).await?;
    let message = match app.store.repeat(|| insert(&app, &client, &person, &password_hash)).await? {
        Some(token) => Message::Verify { token },
        None => Message::AlreadyRegistered,
    };
    app.mail.send_later(person.email, message);
    let text = "Registered. Follow the link in the mail that we have sent you.";
    Ok((StatusCode::CREATED, Success::message(text)))
}

/// What `/verify-email` takes.
#[derive(Deserialize, ToSchema)]
#[schema(as = EmailProof)]
pub struct Proof {
    /// From the mail.
    #[schema(pattern = "^[A-Za-z0-9_-]{43}$")]
    token: String,
}

/// `POST /verify-email`: the token from the mail, once.
#[utoipa::path(
    post, path = "/verify-email", tag = "Accounts",
    summary = "Proves the address with the token from the mail",
    request_body = Proof,
    responses((status = 200, description = "The address is proven", body = Success)),
    extensions(("x-problems" = json!("invalid_email_token throttled")))
)]
pub async fn verify_email(
    State(app): State<App>,
    client: Client,
    Body(proof): Body<Proof>,
) -> Result<Success> {
    app.limits.take(Scope::Mail, &client).await?;
    let token = EmailToken::parse(&proof.token).ok_or(Error::DeadEmailToken)?;
    app.store.repeat(|| prove(&app, &client, &token)).await?;
    Ok(Success::message("Email verified. You can log in now."))
}

async fn prove(app: &App, client: &Client, token: &EmailToken) -> Result<()> {
    let now = app.clock.now();
    let user_id = owner(app, token).await?;
    let mut tx = app.store.begin().await?;
    held::user(&mut tx, user_id).await?.ok_or(Error::DeadEmailToken)?;
    use_token(&mut tx, token, "verify_email", now).await?;
    sqlx::query!(
        "update users set email_verified_at = ?, updated_at = ?
          where id = ? and email_verified_at is null",
        now,
        now,
        user_id,
    )
    .execute(&mut *tx)
    .await?;
    audit::record(&mut tx, client, now, Event::of("user_email_verified", user_id)).await?;
    Ok(tx.commit().await?)
}

/// What `/resend-verification` takes.
#[derive(Deserialize, ToSchema)]
#[schema(as = AddressToVerify)]
pub struct Address {
    /// Of the account.
    #[schema(format = Email, max_length = 254, example = "ada@example.com")]
    email: String,
}

/// `POST /resend-verification`: another mail, if there is an account that waits for one.
#[utoipa::path(
    post, path = "/resend-verification", tag = "Accounts",
    summary = "Sends that mail again",
    request_body = Address,
    responses((
        status = 200,
        description = "A mail is on its way, if an account waits for one",
        body = Success,
    )),
    extensions(("x-problems" = json!("throttled")))
)]
pub async fn resend_verification(
    State(app): State<App>,
    client: Client,
    Body(address): Body<Address>,
) -> Result<Success> {
    app.limits.take(Scope::Mail, &client).await?;
    let email =
        user::checked_email(&address.email).map_err(|why| Error::Unacceptable(vec![why]))?;
    let waiting = sqlx::query_scalar!(
        "select id from users where email = ? and is_active and email_verified_at is null",
        email,
    )
    .fetch_optional(&app.store.pool)
    .await?;
    if let Some(user_id) = waiting {
        let lasts = app.settings.accounts.email_token_expires_in;
        send_token_later(&app, user_id, email, ("verify_email", lasts), |token| Message::Verify {
            token,
        });
    }
    Ok(Success::message("If the account waits for its verification, a mail is on its way."))
}

/// Makes a token and mails it after the answer, whose time must not tell that there is an account.
pub(crate) fn send_token_later(
    app: &App,
    user_id: u64,
    email: String,
    kind: (&'static str, Duration),
    message: fn(EmailToken) -> Message,
) {
    let app = app.clone();
    app.clone().background.do_later(async move {
        let made = app.store.repeat(|| async {
            let mut tx = app.store.begin().await?;
            let held = held::user(&mut tx, user_id).await?;
            if !held.is_some_and(|user| user.is_active) {
                return Ok(None);
            }
            let token = insert_token(&app, &mut tx, user_id, kind).await?;
            tx.commit().await?;
            Ok::<_, Error>(Some(token))
        });
        match made.await {
            Ok(Some(token)) => app.mail.send_later(email, message(token)),
            Ok(None) => {}
            Err(cause) => tracing::error!(
                target: log::REGISTER,
                ?cause,
                "a token could not be made for a mail"
            ),
        }
    });
}

/// Whose token it is, whatever became of it.
async fn owner(app: &App, token: &EmailToken) -> Result<u64> {
    let digest = token.digest();
    let owner = sqlx::query_scalar!(
        "select user_id from email_tokens where token_hash = ?",
        digest.as_bytes().as_slice(),
    );
    owner.fetch_optional(&app.store.pool).await?.ok_or(Error::DeadEmailToken)
}

/// Uses a mailed token up. Its user is held.
pub(crate) async fn use_token(
    tx: &mut MySqlConnection,
    token: &EmailToken,
    purpose: &str,
    now: UnixMs,
) -> Result<()> {
    let digest = token.digest();
    let used = sqlx::query!(
        "update email_tokens set used_at = ?
          where token_hash = ? and purpose = ? and used_at is null and expires_at > ?",
        now,
        digest.as_bytes().as_slice(),
        purpose,
        now,
    )
    .execute(tx)
    .await?
    .rows_affected();
    if used > 0 { Ok(()) } else { Err(Error::DeadEmailToken) }
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

async fn insert(
    app: &App,
    client: &Client,
    person: &Newcomer,
    password_hash: &str,
) -> Result<Option<EmailToken>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let Some(user_id) = user::insert(&mut tx, person, password_hash, now).await? else {
        // Written down like a success, so that the time tells no more than the answer.
        let owner = sqlx::query_scalar!("select id from users where email = ?", person.email)
            .fetch_optional(&mut *tx)
            .await?;
        let refused = Event { user_id: owner, ..Event::anonymous("user_create_fail") };
        audit::record(&mut tx, client, now, refused).await?;
        tx.commit().await?;
        return Ok(None);
    };
    let lasts = app.settings.accounts.email_token_expires_in;
    let token = insert_token(app, &mut tx, user_id, ("verify_email", lasts)).await?;
    audit::record(&mut tx, client, now, Event::of("user_created", user_id)).await?;
    tx.commit().await?;
    Ok(Some(token))
}
