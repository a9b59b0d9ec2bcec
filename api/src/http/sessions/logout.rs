//! `POST /logout` and `/logout-all-devices`: sessions end at their user's word, at once.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::base::client::Client;
use crate::base::error::{Error, Result};
use crate::base::session_id::SessionId;
use crate::http::answer::Success;
use crate::http::body::OptionalBody;
use crate::http::cookies::forget;
use crate::ledger::change::Propagation;
use crate::limits::Scope;
use crate::sessions::caller::Caller;
use crate::sessions::deed::Deed;
use crate::sessions::ending::{Ended, Reason};
use crate::sessions::log_out_everywhere;
use crate::store::audit::{Event, What};

/// Body of `/logout`; an empty body ends the current session.
#[derive(Deserialize, ToSchema)]
#[schema(as = LogoutRequest)]
pub struct Request {
    /// Another of the caller's sessions, to be ended instead of the current one.
    #[schema(value_type = Option<SessionId>)]
    session_id: Option<String>,
    /// End all of the caller's sessions.
    #[serde(default)]
    logout_all: bool,
}

/// Answer of `/logout`.
#[derive(Serialize, ToSchema)]
struct LoggedOut {
    #[serde(flatten)]
    success: Success,
    /// Only with `logout_all`.
    #[schema(value_type = Ended, required = false)]
    data: Option<Ended>,
}

/// Ends the caller's session, another of their sessions, or all of them.
#[utoipa::path(
    post, path = "/logout", tag = "Sessions",
    summary = "Ends a session, or all sessions",
    request_body = Option<Request>,
    security(("bearer" = [])),
    responses((
        status = 200,
        description = "The session has ended; with `logout_all` the answer has the `data` of `/logout-all-devices`",
        body = LoggedOut,
    )),
    extensions(("x-problems" = json!("session_not_found throttled")))
)]
pub async fn logout(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    OptionalBody(request): OptionalBody<Request>,
) -> Result<Response> {
    app.limits.take(Scope::Logout, &client).await?;
    if request.logout_all {
        return everywhere(&app, &client, &caller).await;
    }
    let session = match request.session_id {
        None => caller.session.clone(),
        Some(named) => SessionId::parse(&named).ok_or(Error::NoSuchSession)?,
    };
    let propagation = app.store.repeat(|| one(&app, &client, &caller, &session)).await?;
    let done = Success::message("Successfully logged out").propagated(propagation);
    let own = session == caller.session;
    Ok(if own { (forget(), done).into_response() } else { done.into_response() })
}

async fn one(
    app: &App,
    client: &Client,
    caller: &Caller,
    session: &SessionId,
) -> Result<Propagation> {
    let mut deed = Deed::begin(&app.ledgers, client, caller.user_id).await?;
    let ended = deed.end(std::slice::from_ref(session), Reason::Logout).await?;
    if ended.sessions == 0 {
        return Err(Error::NoSuchSession);
    }
    if *session == caller.session {
        deed.revoke_token(caller, Reason::Logout).await?;
    }
    let event = Event::of(What::SessionEnded, caller.user_id).in_session(session.as_str());
    Ok(deed.commit(event).await?)
}

/// `POST /logout-all-devices`: the same as `logout_all`.
#[utoipa::path(
    post, path = "/logout-all-devices", tag = "Sessions",
    summary = "Ends all of the caller's sessions",
    security(("bearer" = [])),
    responses((
        status = 200,
        description = "All of the user's sessions have ended",
        body = Success<Ended>,
    )),
    extensions(("x-problems" = json!("throttled")))
)]
pub async fn logout_all_devices(
    State(app): State<App>,
    client: Client,
    caller: Caller,
) -> Result<Response> {
    app.limits.take(Scope::Logout, &client).await?;
    everywhere(&app, &client, &caller).await
}

async fn everywhere(app: &App, client: &Client, caller: &Caller) -> Result<Response> {
    let (ended, propagation) = log_out_everywhere::end(&app.ledgers, client, caller).await?;
    let done = Success::data(ended)
        .saying("Logged out from all devices successfully")
        .propagated(propagation);
    Ok((forget(), done).into_response())
}
