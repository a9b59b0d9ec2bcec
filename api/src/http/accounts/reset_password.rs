//! `POST /forgot-password` and `/reset-password`: a new password for whoever reads the account's
//! mail. Nothing tells whether an address is known; a reset ends every session (BUG-36).

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::accounts::email_change;
use crate::accounts::email_token;
use crate::accounts::email_token::Purpose;
use crate::accounts::password::Known;
use crate::accounts::user::{addressed, fault_of_password};
use crate::base::client::Client;
use crate::base::error::{Error, Result};
use crate::http::answer::Success;
use crate::http::body::{Body, pasted};
use crate::http::mailed;
use crate::ledger::change::Propagation;
use crate::limits::Scope;
use crate::mail::queue::Caused;
use crate::mail::{Kind, Scene};
use crate::sessions::deed::Deed;
use crate::sessions::ending::Reason;
use crate::store::audit::{Event, What};
use crate::store::held_rows as held;
use crate::tokens::secret::{EmailToken, Password};

const PURPOSE: Purpose = Purpose::ResetPassword;

/// Body of `/forgot-password`.
#[derive(Deserialize, ToSchema)]
#[schema(as = AddressToReset)]
pub struct Address {
    /// The account's e-mail address.
    #[schema(format = "idn-email", max_length = 254, example = "ada@example.com")]
    email: String,
}

/// Mails a token that allows one reset, if there is such an account.
#[utoipa::path(
    post, path = "/forgot-password", tag = "Accounts",
    summary = "Mails a token for choosing a new password",
    request_body = Address,
    responses((
        status = 200,
        description = "A mail is on its way, if there is such an account",
        body = Success,
    )),
    extensions(("x-problems" = json!("throttled")))
)]
pub async fn forgot(
    State(app): State<App>,
    client: Client,
    Body(address): Body<Address>,
) -> Result<Success> {
    app.limits.take(Scope::Mail, &client).await?;
    let email = addressed(&app.store, &address.email).await?;
    let now = app.clock.now();
    let ask = || {
        // Whoever it is about is looked up behind the answer, so that its time tells nothing.
        let (kind, recipient) = (Kind::ResetPassword, email.as_str());
        app.mails.put_alone(now, Caused { kind, recipient, user_id: None, scene: None })
    };
    app.store.repeat(ask).await?;
    Ok(Success::message("If there is such an account, a mail is on its way."))
}

/// Body of `/reset-password`.
#[derive(Deserialize, ToSchema)]
#[schema(as = PasswordReset)]
pub struct Reset {
    /// The token from the mail.
    #[serde(deserialize_with = "pasted")]
    #[schema(pattern = "^[A-Za-z0-9_-]{43}$")]
    token: String,
    /// 15 (`PASSWORD_MIN_LENGTH`) to 128 characters; common passwords are refused.
    new_password: Password,
}

/// Sets the new password, takes the address as proven and ends every session.
#[utoipa::path(
    post, path = "/reset-password", tag = "Accounts",
    summary = "Sets a new password with the token from the mail",
    request_body = Reset,
    responses((
        status = 200,
        description = "The password is changed and every session has ended",
        body = Success,
    )),
    extensions(("x-problems" = json!("invalid_email_token throttled")))
)]
pub async fn reset(
    State(app): State<App>,
    client: Client,
    Body(Reset { token, new_password }): Body<Reset>,
) -> Result<Success> {
    let token = mailed::token(&app, &client, &token, PURPOSE).await?;
    let owner = owner(&app, &token).await?;
    let about = [owner.email.as_str(), &owner.first_name, &owner.last_name];
    if let Some(fault) = fault_of_password("new_password", &new_password, &app.passwords, &about) {
        return Err(Error::Unacceptable(vec![fault]));
    }
    let hash = app.passwords.with_place(Known::Yes)?.hash(new_password).await?;

    let propagation = app.store.repeat(|| set(&app, &client, &token, &owner, &hash)).await?;
    app.limits.forgive(&owner.email).await;
    Ok(Success::message("Password changed. Log in with the new one.").propagated(propagation))
}

/// Uses the token up, if it is still good and its user still active.
async fn set(
    app: &App,
    client: &Client,
    token: &EmailToken,
    owner: &Owner,
    hash: &str,
) -> Result<Propagation> {
    let user_id = owner.user_id;
    let at = app.clock.now();
    let mut tx = app.store.begin().await?;
    let held = held::user(&mut tx, user_id).await?;
    held.filter(|user| user.is_active).ok_or(Error::DeadEmailToken)?;
    let mut deed = Deed::within(tx, &app.ledgers, client, user_id).at(at);
    email_token::use_up(&mut deed.tx, token, PURPOSE, at).await?;
    email_token::withdraw_resets(&mut deed.tx, user_id, &owner.email, at).await?;
    // Somebody else may have asked for it.
    email_change::withdraw(&mut deed.tx, user_id, &owner.email, at).await?;
    sqlx::query!(
        "update users
            set password_hash = ?, email_verified_at = coalesce(email_verified_at, ?),
                updated_at = ?
          where id = ?",
        hash,
        at,
        at,
        user_id,
    )
    .execute(&mut *deed.tx)
    .await?;
    deed.end_all(Reason::PasswordReset).await?;
    let mail = Caused::notice(Kind::PasswordChanged, user_id, &owner.email, Scene::of(client));
    app.mails.put(&mut deed.tx, at, mail).await?;
    Ok(deed.commit(Event::of(What::PasswordReset, user_id)).await?)
}

struct Owner {
    user_id: u64,
    email: String,
    first_name: String,
    last_name: String,
}

/// Whose token it is. Only looked at, so that a weak new password does not cost the token.
async fn owner(app: &App, token: &EmailToken) -> Result<Owner> {
    let digest = token.digest();
    sqlx::query_as!(
        Owner,
        "select u.id as user_id, u.email, u.first_name, u.last_name
           from email_tokens t
           join users u on u.id = t.user_id
          where t.token_hash = ? and t.purpose = ? and t.used_at is null and t.expires_at > ?
            and u.is_active",
        digest.as_bytes().as_slice(),
        PURPOSE.as_str(),
        app.clock.now(),
    )
    .fetch_optional(&app.store.pool)
    .await?
    .ok_or(Error::DeadEmailToken)
}
