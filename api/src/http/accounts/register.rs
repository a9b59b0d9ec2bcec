//! `POST /register`, `/verify-email`, `/resend-verification`: an account and the proof of its
//! address. Nothing here tells whether an address is known (BUG-37).

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{ACCEPT_LANGUAGE, HeaderMap};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::accounts::email_token;
use crate::accounts::email_token::Purpose;
use crate::accounts::password::Known;
use crate::accounts::user::{self, Newcomer};
use crate::base::client::Client;
use crate::base::error::{Error, Result, Violation};
use crate::base::language::Language;
use crate::http::answer::Success;
use crate::http::body::{Body, pasted};
use crate::http::mailed;
use crate::limits::Scope;
use crate::mail::Kind;
use crate::mail::queue::Caused;
use crate::store::audit::{self, Event, What};
use crate::store::held_rows as held;
use crate::tokens::secret::{EmailToken, Password};

const PURPOSE: Purpose = Purpose::VerifyEmail;

/// `POST /register`: 201 and a mail, whether the address is new or not.
#[utoipa::path(
    post, path = "/register", tag = "Accounts",
    summary = "Registers an account",
    description = "`Accept-Language` chooses the language of the mails.",
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
    headers: HeaderMap,
    Body(newcomer): Body<Newcomer>,
) -> Result<(StatusCode, Success)> {
    let passwords = app.passwords.with_place(Known::No)?;
    app.limits.take(Scope::Register, &client).await?;
    let person = newcomer.checked(&app.passwords)?;
    let password_hash = passwords.hash(person.password.clone()).await?;
    drop(passwords);
    let new = New { person, password_hash, language: language(&headers) };
    app.store.repeat(|| insert(&app, &client, &new)).await?;
    let text = "Registered. Follow the link in the mail we sent you.";
    Ok((StatusCode::CREATED, Success::message(text)))
}

/// Body of `/verify-email`.
#[derive(Deserialize, ToSchema)]
#[schema(as = EmailProof)]
pub struct Proof {
    /// The token from the mail.
    #[serde(deserialize_with = "pasted")]
    #[schema(pattern = "^[A-Za-z0-9_-]{43}$")]
    token: String,
    /// The account's password. Ask for it: somebody else may have registered with this address, and then
    /// a click on a link in a mail would open an account whose password they have chosen.
    password: Option<Password>,
}

/// `POST /verify-email`: the token from the mail. Links are clicked twice, and scanners of mail are
/// first: what is proven already is proven.
#[utoipa::path(
    post, path = "/verify-email", tag = "Accounts",
    summary = "Verifies the address with the token from the mail",
    request_body = Proof,
    description = "With `password`, both are needed: who reads the mail and who chose the password are \
                   then the same person. Whoever does not know it can choose another by mail, which \
                   verifies the address as well.",
    responses((
        status = 200,
        description = "The address is verified, by this request or before",
        body = Success,
    )),
    extensions(("x-problems" = json!("invalid_email_token throttled")))
)]
pub async fn verify_email(
    State(app): State<App>,
    client: Client,
    Body(proof): Body<Proof>,
) -> Result<Success> {
    let token = mailed::token(&app, &client, &proof.token, PURPOSE).await?;
    if let Some(password) = proof.password {
        must_be_the_password(&app, &client, &token, password).await?;
    }
    app.store.repeat(|| prove(&app, &client, &token)).await?;
    Ok(Success::message("Email verified. You can log in now."))
}

/// Refuses whoever reads the mail of an account that is not theirs, or is theirs under a password that
/// somebody else has chosen.
async fn must_be_the_password(
    app: &App,
    client: &Client,
    token: &EmailToken,
    given: Password,
) -> Result<()> {
    let user_id = email_token::owner(&app.store, token, PURPOSE).await?;
    let user = user::credentials(&app.store, user_id).await?.ok_or(Error::DeadEmailToken)?;
    let passwords = app.passwords.with_place(Known::Yes)?;
    let attempt = app.limits.attempt_with_link(&user.email, client, token).await?;
    let checked = passwords.check(Some(&user.password_hash), given).await;
    if app.limits.outcome(&attempt, client, checked).await?.matches {
        app.limits.succeeded(&attempt).await;
        return Ok(());
    }
    let event = Event { user_id: Some(user_id), ..Event::anonymous(What::LoginFailed) };
    audit::record_alone(&app.store.pool, client, app.clock.now(), event).await?;
    Err(Error::Unacceptable(vec![Violation::new("password", "wrong_password", NOT_THE_PASSWORD)]))
}

const NOT_THE_PASSWORD: &str = "is not the password of this account; if you do not know it, perhaps because \
    somebody else registered with your address, choose another with a mail of /forgot-password";

async fn prove(app: &App, client: &Client, token: &EmailToken) -> Result<()> {
    let now = app.clock.now();
    let user_id = email_token::owner(&app.store, token, PURPOSE).await?;
    let mut tx = app.store.begin().await?;
    let user = held::user(&mut tx, user_id).await?.ok_or(Error::DeadEmailToken)?;
    if user.email_is_verified {
        return Ok(());
    }
    email_token::use_up(&mut tx, token, PURPOSE, now).await?;
    sqlx::query!(
        "update users set email_verified_at = ?, updated_at = ? where id = ?",
        now,
        now,
        user_id,
    )
    .execute(&mut *tx)
    .await?;
    audit::record(&mut tx, client, now, Event::of(What::EmailVerified, user_id)).await?;
    Ok(tx.commit().await?)
}

/// Body of `/resend-verification`.
#[derive(Deserialize, ToSchema)]
#[schema(as = AddressToVerify)]
pub struct Address {
    /// The account's e-mail address.
    #[schema(format = "idn-email", max_length = 254, example = "ada@example.com")]
    email: String,
}

/// `POST /resend-verification`: another mail, if there is an account that waits for one.
#[utoipa::path(
    post, path = "/resend-verification", tag = "Accounts",
    summary = "Sends the verification mail again",
    request_body = Address,
    responses((
        status = 200,
        description = "A mail is on its way, if an account is awaiting verification",
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
    let email = user::addressed(&app.store, &address.email).await?;
    let now = app.clock.now();
    let ask = || {
        // Whoever it is about is looked up behind the answer, so that its time tells nothing.
        let (kind, recipient) = (Kind::VerifyEmail, email.as_str());
        app.mails.put_alone(now, Caused { kind, recipient, user_id: None, scene: None })
    };
    app.store.repeat(ask).await?;
    Ok(Success::message("If the account is awaiting verification, a mail is on its way."))
}

/// An account as it is inserted.
struct New {
    person: Newcomer,
    password_hash: String,
    language: Option<Language>,
}

/// The language of the mails to come.
fn language(headers: &HeaderMap) -> Option<Language> {
    headers.get(ACCEPT_LANGUAGE)?.to_str().ok().and_then(Language::preferred)
}

/// Inserts the account, or else tells the owner of the address; what is written is the same.
async fn insert(app: &App, client: &Client, new: &New) -> Result<()> {
    let New { person, password_hash, language } = new;
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let inserted = user::insert(&mut tx, person, password_hash, *language, now).await?;
    let (kind, user_id, event) = if let Some(user_id) = inserted {
        (Kind::VerifyEmail, inserted, Event::of(What::UserCreated, user_id))
    } else {
        let owner = sqlx::query_scalar!("select id from users where email = ?", person.email)
            .fetch_optional(&mut *tx)
            .await?;
        let refused = Event { user_id: owner, ..Event::anonymous(What::UserNotCreated) };
        (Kind::AlreadyRegistered, owner, refused)
    };
    let mail = Caused { kind, recipient: &person.email, user_id, scene: None };
    app.mails.put(&mut tx, now, mail).await?;
    audit::record(&mut tx, client, now, event).await?;
    Ok(tx.commit().await?)
}
