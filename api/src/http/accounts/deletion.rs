//! `DELETE /me`: people delete their own accounts, after a recent login. Everything of theirs dies and
//! stays dead, and what names them goes at once; what is kept, and why, is in `store/erasure.rs`.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};

use crate::App;
use crate::base::client::Client;
use crate::base::error::Result;
use crate::http::answer::Success;
use crate::http::caller::must_have_logged_in_lately;
use crate::http::cookies::forget;
use crate::ledger::change::Propagation;
use crate::sessions::caller::Caller;
use crate::sessions::deed::Deed;
use crate::sessions::ending::Reason;
use crate::store::audit::{Event, What};
use crate::store::held_rows as held;

/// Deletes the caller's account.
#[utoipa::path(
    delete, path = "/me", tag = "Accounts",
    summary = "Deletes the caller's account",
    description = "After a recent login. Every session ends, and what names the person is deleted at \
                   once; the last administrator is refused.",
    security(("bearer" = [])),
    responses((
        status = 200,
        description = "The account is deleted, and all of its tokens are dead",
        body = Success,
    )),
    extensions(("x-problems" = json!("insufficient_user_authentication last_admin")))
)]
pub async fn delete(State(app): State<App>, client: Client, caller: Caller) -> Result<Response> {
    must_have_logged_in_lately(&app, &caller)?;
    let done = app.store.repeat(|| delete_account(&app, &client, &caller)).await?;
    Ok((forget(&app), Success::message("Account deleted").propagated(done)).into_response())
}

async fn delete_account(app: &App, client: &Client, caller: &Caller) -> Result<Propagation> {
    let mut tx = app.store.begin().await?;
    let held = held::caller(&mut tx, caller.user_id, &caller.session).await?;
    must_have_logged_in_lately(app, caller)?;
    let unverified_may = !app.settings.accounts.email_verification_required;
    held::must_leave_an_administrator(&mut tx, caller.user_id, &held, unverified_may).await?;
    let mut deed = Deed::within(tx, &app.ledgers, client, caller.user_id);
    deed.end_all(Reason::LogoutAll).await?;
    deed.revoke_token(caller, Reason::LogoutAll).await?;
    let event = Event::of(What::UserDeleted, caller.user_id).in_session(caller.session.as_str());
    Ok(deed.delete_user(event).await?)
}
