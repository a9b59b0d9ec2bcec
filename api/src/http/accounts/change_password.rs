//! `POST /change-password`: the old password and a recent login for a new one.
//!
//! Every session ends, the caller's own too, and a new one begins in its place: whoever held any
//! token of the account before holds nothing after.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::accounts::email_change;
use crate::accounts::email_token;
use crate::accounts::password::Known;
use crate::accounts::user::{credentials, fault_of};
use crate::base::client::Client;
use crate::base::clock::Timestamp;
use crate::base::error::{Error, Result};
use crate::base::role::Role;
use crate::http::answer::Success;
use crate::http::body::Body;
use crate::http::caller::must_have_logged_in_lately;
use crate::http::cookies;
use crate::ledger::change::Propagation;
use crate::mail::queue::Caused;
use crate::mail::{Kind, Scene};
use crate::sessions::caller::Caller;
use crate::sessions::deed::Deed;
use crate::sessions::ending::Reason;
use crate::sessions::opening::Opened;
use crate::store::audit::{self, Event, What};
use crate::store::held_rows::{self as held, Checked};
use crate::tokens::issue::{Grant, TokenPair};
use crate::tokens::secret::Password;

/// Body of `/change-password`.
#[derive(Deserialize, ToSchema)]
#[schema(as = PasswordChange)]
pub struct Request {
    /// The current password.
    current_password: Password,
    /// 15 (`PASSWORD_MIN_LENGTH`) to 128 characters; common passwords and the current one are refused.
    new_password: Password,
}

/// Changes the password and answers with a fresh token pair.
#[utoipa::path(
    post, path = "/change-password", tag = "Accounts",
    summary = "Changes the password",
    request_body = Request,
    security(("bearer" = [])),
    responses((
        status = 200,
        description = "A new session has begun; every other session has ended",
        body = Success<TokenPair>,
    )),
    extensions(("x-problems" = json!("wrong_password insufficient_user_authentication throttled")))
)]
pub async fn change_password(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Body(request): Body<Request>,
) -> Result<Response> {
    must_have_logged_in_lately(&app, &caller)?;
    let user = credentials(&app.store, caller.user_id).await?.ok_or(Error::DeadToken)?;
    let passwords = app.passwords.with_place(Known::Yes)?;
    let attempt = app.limits.attempt_in_session(&user.email, &client, &caller.session).await?;
    let given = request.current_password;
    let checked = passwords.check(Some(&user.password_hash), given.clone()).await;
    if !app.limits.outcome(&attempt, &client, checked).await?.matches {
        let event = Event::of(What::PasswordChangeFailed, caller.user_id);
        audit::record_alone(&app.store.pool, &client, app.clock.now(), event).await?;
        return Err(Error::WrongPassword);
    }
    app.limits.succeeded(&attempt).await;
    let about = [user.email.as_str(), &user.first_name, &user.last_name];
    let new = request.new_password;
    if let Err(weakness) = passwords.acceptable_after(&given, &new, &about) {
        return Err(Error::Unacceptable(vec![fault_of("new_password", weakness)]));
    }
    let hash = passwords.hash(new).await?;
    let mut compared = user.password_hash;
    let Changed { role, now, opened, propagation } = loop {
        let hashes = Hashes { compared: &compared, new: &hash };
        let changed = app.store.repeat(|| change(&app, &client, &caller, &user.email, &hashes));
        compared = match changed.await? {
            Checked::Done(changed) => break changed,
            Checked::Replaced(in_force) => in_force,
        };
        // A login may have replaced an old hash of the same password.
        if !passwords.check(Some(&compared), given.clone()).await?.matches {
            return Err(Error::WrongPassword);
        }
    };
    let grant = Grant {
        user_id: caller.user_id,
        role,
        session: &opened.session,
        authenticated_at: now,
        expires_at: opened.expires_at,
    };
    let mut pair = app.issuer.pair(&grant, &opened.refresh, now);
    let cookies = caller.by_cookie.then(|| cookies::move_tokens(&app, &mut pair, &opened.session));
    Ok((cookies, Success::data(pair).propagated(propagation)).into_response())
}

/// A change that is done, and the session that began with it.
struct Changed {
    role: Role,
    now: Timestamp,
    opened: Opened,
    propagation: Propagation,
}

/// What the current password was compared with, and what takes its place.
struct Hashes<'a> {
    compared: &'a str,
    new: &'a str,
}

/// Puts one hash in place of the other and begins the one session that is left, if the caller is
/// still logged in and the password still the one that was checked.
async fn change(
    app: &App,
    client: &Client,
    caller: &Caller,
    email: &str,
    hashes: &Hashes<'_>,
) -> Result<Checked<Changed>> {
    let mut tx = app.store.begin().await?;
    let held = held::caller(&mut tx, caller.user_id, &caller.session).await?;
    must_have_logged_in_lately(app, caller)?;
    if held.password_hash != hashes.compared {
        return Ok(Checked::Replaced(held.password_hash));
    }
    let mut deed = Deed::within(tx, &app.ledgers, client, caller.user_id);
    let now = deed.at;
    sqlx::query!(
        "update users set password_hash = ?, updated_at = ? where id = ?",
        hashes.new,
        now,
        caller.user_id,
    )
    .execute(&mut *deed.tx)
    .await?;
    email_token::withdraw_resets(&mut deed.tx, caller.user_id, email, now).await?;
    // Somebody else may have asked for it.
    email_change::withdraw(&mut deed.tx, caller.user_id, email, now).await?;
    deed.end_all(Reason::PasswordChange).await?;
    let mail = Caused::notice(Kind::PasswordChanged, caller.user_id, email, Scene::of(client));
    app.mails.put(&mut deed.tx, now, mail).await?;
    // Read again, for the watermark has moved.
    let moved = held::user(&mut deed.tx, caller.user_id).await?.ok_or(Error::DeadToken)?;
    let begun = moved.next_beginning(&mut deed.tx, now).await?;
    let opened = deed.open(&app.opening, begun).await?;
    let event =
        Event::of(What::PasswordChanged, caller.user_id).in_session(opened.session.as_str());
    let propagation = deed.commit(event).await?;
    Ok(Checked::Done(Changed { role: held.role, now, opened, propagation }))
}
