//! `POST /change-email` and `/confirm-email`: another address, proven at both ends. Whoever has a session
//! but not the mail of the account cannot take it away, and an address that is mistyped never counts.
//!
//! Nothing tells whether the new address has an account: what is mailed to it is decided behind the
//! answer (`accounts/outgoing/wanted.rs`).

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::accounts::email_change::{self, Asked, Confirmed};
use crate::accounts::email_token::{self, Purpose};
use crate::accounts::user::checked_email;
use crate::base::client::Client;
use crate::base::error::{Error, Result, Violation};
use crate::http::answer::Success;
use crate::http::body::{Body, pasted};
use crate::http::caller::must_have_logged_in_lately;
use crate::http::mailed;
use crate::ledger::change::Propagation;
use crate::limits::Scope;
use crate::mail::Kind;
use crate::mail::queue::Caused;
use crate::sessions::caller::Caller;
use crate::sessions::deed::Deed;
use crate::sessions::ending::{self, Reason};
use crate::store::audit::{self, Event, What};
use crate::store::held_rows as held;
use crate::tokens::secret::EmailToken;

/// Body of `/change-email`.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewAddress)]
pub struct Request {
    /// The address that is to take the place of the present one.
    #[schema(format = "idn-email", max_length = 254, example = "ada@example.org")]
    email: String,
}

/// `POST /change-email`: a mail to each of the two addresses.
#[utoipa::path(
    post, path = "/change-email", tag = "Accounts",
    summary = "Asks for another e-mail address",
    description = "After a recent login. A mail with a token goes to the new address and one to the \
                   present one; the change is made once both tokens have been sent to \
                   `/confirm-email`. Asking again replaces what was asked before.",
    request_body = Request,
    security(("bearer" = [])),
    responses((
        status = 200,
        description = "Mails are on their way, whether the new address has an account or not",
        body = Success,
    )),
    extensions(("x-problems" = json!("insufficient_user_authentication throttled")))
)]
pub async fn change_email(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Body(request): Body<Request>,
) -> Result<Success> {
    must_have_logged_in_lately(&app, &caller)?;
    app.limits.take(Scope::Mail, &client).await?;
    let refused = |why| Error::Unacceptable(vec![why]);
    let new = checked_email(&request.email).map_err(refused)?;
    app.store.repeat(|| ask(&app, &client, &caller, &new)).await?;
    Ok(Success::message("Confirm the change with the links in the mails to both addresses."))
}

async fn ask(app: &App, client: &Client, caller: &Caller, new: &str) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    held::caller(&mut tx, caller.user_id, &caller.session).await?;
    must_have_logged_in_lately(app, caller)?;
    let present = email_change::present(&mut tx, caller.user_id).await?;
    if present == new {
        let why = Violation::new("email", "same_email", "is your address already");
        return Err(Error::Unacceptable(vec![why]));
    }
    let lasts = app.settings.accounts.email_token_expires_in;
    let asked = Asked { user_id: caller.user_id, session: &caller.session, new, now, lasts };
    email_change::ask(&mut tx, &asked, &present).await?;
    for (kind, recipient) in [(Kind::ConfirmOldEmail, &*present), (Kind::ConfirmNewEmail, new)] {
        let user_id = Some(caller.user_id);
        app.mails.put(&mut tx, now, Caused { kind, recipient, user_id, scene: None }).await?;
    }
    let event = Event::of(What::EmailChangeAsked, caller.user_id);
    let event = event.in_session(caller.session.as_str());
    audit::record(&mut tx, client, now, event).await?;
    Ok(tx.commit().await?)
}

/// Body of `/confirm-email`.
#[derive(Deserialize, ToSchema)]
#[schema(as = EmailConfirmation)]
pub struct Confirmation {
    /// The token from either mail.
    #[serde(deserialize_with = "pasted")]
    #[schema(pattern = "^[A-Za-z0-9_-]{43}$")]
    token: String,
}

/// What a confirmation has come to.
#[derive(Serialize, ToSchema)]
pub struct Outcome {
    /// Whether the address is changed now; otherwise the other one has yet to be confirmed.
    changed: bool,
}

/// `POST /confirm-email`: with the second of the two tokens the address changes.
#[utoipa::path(
    post, path = "/confirm-email", tag = "Accounts",
    summary = "Confirms a change of address with the token from a mail",
    description = "No login is needed. Once both addresses have confirmed, the new one takes the place \
                   of the present one, and every session ends but the one that asked for it.",
    request_body = Confirmation,
    responses((
        status = 200,
        description = "This address has confirmed, by this request or before",
        body = Success<Outcome>,
    )),
    extensions(("x-problems" = json!("invalid_email_token throttled")))
)]
pub async fn confirm_email(
    State(app): State<App>,
    client: Client,
    Body(confirmation): Body<Confirmation>,
) -> Result<Success<Outcome>> {
    let purposes = [Purpose::ConfirmOldEmail, Purpose::ConfirmNewEmail];
    let (token, purpose) =
        mailed::token_of_any(&app, &client, &confirmation.token, &purposes).await?;
    let confirmed = app.store.repeat(|| confirm(&app, &client, &token, purpose)).await?;
    Ok(match confirmed {
        Some(propagation) => Success::data(Outcome { changed: true })
            .saying("The address is changed. Log in with it from now on.")
            .propagated(propagation),
        None => Success::data(Outcome { changed: false })
            .saying("Confirmed. The change is made once the other address has confirmed as well."),
    })
}

/// Makes the change if this was the second confirmation.
async fn confirm(
    app: &App,
    client: &Client,
    token: &EmailToken,
    purpose: Purpose,
) -> Result<Option<Propagation>> {
    let user_id = email_token::owner(&app.store, token, purpose).await?;
    let at = app.clock.now();
    let mut tx = app.store.begin().await?;
    let user = held::user(&mut tx, user_id).await?;
    user.filter(|user| user.is_active).ok_or(Error::DeadEmailToken)?;
    let (session, old) = match email_change::confirm(&mut tx, user_id, token, purpose, at).await? {
        Confirmed::One => {
            tx.commit().await?;
            return Ok(None);
        }
        Confirmed::Both { session, old } => (session, old),
    };
    email_token::withdraw_resets(&mut tx, user_id, &old, at).await?;
    let mut deed = Deed::within(tx, &app.ledgers, client, user_id).at(at);
    let mut others = ending::not_ended(&mut deed.tx, user_id).await?;
    others.retain(|id| *id != session);
    deed.end(&others, Reason::Revoked).await?;
    Ok(Some(deed.commit(Event::of(What::EmailChanged, user_id)).await?))
}
