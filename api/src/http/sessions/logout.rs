//! `POST /logout` and `/logout-all-devices`: sessions end at their user's word, at once.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::ToSchema;

use crate::App;
use crate::base::client::Client;
use crate::base::clock::UnixMs;
use crate::base::error::{Error, Result};
use crate::base::session_id::SessionId;
use crate::http::answer::Success;
use crate::http::body::OptionalBody;
use crate::http::cookies::forget;
use crate::ledger::change::{Change, Propagation};
use crate::ledger::outbox;
use crate::limits::Scope;
use crate::metrics;
use crate::sessions::caller::Caller;
use crate::sessions::ending::{self, Ended, Ending, Reason};
use crate::settings::LONGEST_LEEWAY;
use crate::store::audit::{self, Event};
use crate::store::transaction::Transaction;

/// What `/logout` takes; nothing at all ends the caller's own session.
#[derive(Deserialize, ToSchema)]
#[schema(as = LogoutRequest)]
pub struct Request {
    /// Another of the own sessions, instead of this one.
    #[schema(value_type = Option<SessionId>)]
    session_id: Option<String>,
    /// All of them.
    #[serde(default)]
    logout_all: bool,
}

/// What `/logout` answers.
#[derive(Serialize, ToSchema)]
struct LoggedOut {
    #[serde(flatten)]
    success: Success,
    /// With `logout_all`.
    #[schema(value_type = Ended, required = false)]
    data: Option<Ended>,
}

/// Ends the caller's session, another of their sessions, or all of them.
#[utoipa::path(
    post, path = "/logout", tag = "Sessions",
    summary = "Ends a session, or all",
    request_body = Option<Request>,
    security(("bearer" = [])),
    responses((
        status = 200,
        description = "Ended at once; with `logout_all` the answer has the `data` of `/logout-all-devices`",
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
    let at = app.clock.now();
    let mut tx = app.store.begin().await?;
    let ending = Ending { reason: Reason::Logout, at, client };
    let ended = ending::end(&mut tx, caller.user_id, std::slice::from_ref(session), ending).await?;
    if ended.sessions == 0 {
        return Err(Error::NoSuchSession);
    }
    if *session == caller.session {
        blacklist_presented(&mut tx, caller, ending).await?;
    }
    let event = Event::of("session_ended", caller.user_id).in_session(session.as_str());
    audit::record(&mut tx, client, at, event).await?;
    Ok(outbox::commit(&app.ledgers, tx, caller.user_id, None).await?)
}

/// `POST /logout-all-devices`: the same as `logout_all`.
#[utoipa::path(
    post, path = "/logout-all-devices", tag = "Sessions",
    summary = "Ends every session",
    security(("bearer" = [])),
    responses((
        status = 200,
        description = "Everything of the user has ended",
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
    let (ended, propagation) = app.store.repeat(|| all(app, client, caller)).await?;
    let done = Success::data(ended)
        .saying("Logged out from all devices successfully")
        .propagated(propagation);
    Ok((forget(), done).into_response())
}

/// Ends every session of the caller's, and the token in hand.
pub(crate) async fn all(
    app: &App,
    client: &Client,
    caller: &Caller,
) -> Result<(Ended, Propagation)> {
    let at = app.clock.now();
    let mut tx = app.store.begin().await?;
    let ending = Ending { reason: Reason::LogoutAll, at, client };
    let ended = ending::end_all(&mut tx, caller.user_id, ending).await?;
    blacklist_presented(&mut tx, caller, ending).await?;
    let event = Event::of("session_ended_all", caller.user_id).in_session(caller.session.as_str());
    audit::record(&mut tx, client, at, event).await?;
    Ok((ended, outbox::commit(&app.ledgers, tx, caller.user_id, None).await?))
}

/// The token in hand is ended by itself as well, for services that only ask about tokens; until
/// nobody takes it any more, whatever leeway they grant.
pub(crate) async fn blacklist_presented(
    tx: &mut Transaction,
    caller: &Caller,
    ending: Ending<'_>,
) -> sqlx::Result<()> {
    let expires_at = UnixMs::from_seconds(caller.expires_at_s).plus(LONGEST_LEEWAY);
    sqlx::query!(
        "insert into token_blacklist_enhanced
            (token_hash, token_type, token_expiry, blacklisted_at, reason, user_id, session_id,
             device_info, ip_address)
         values (?, 'access', ?, ?, ?, ?, ?, ?, ?)
         on duplicate key update token_expiry = greatest(token_expiry, ?)",
        caller.digest.as_bytes().as_slice(),
        expires_at,
        ending.at,
        ending.reason.as_str(),
        caller.user_id,
        caller.session,
        Json(&ending.client.device),
        ending.client.ip.to_string(),
        expires_at,
    )
    .execute(&mut **tx)
    .await?;
    tx.once_committed(|| metrics::tokens_blacklisted("access", 1));
    let change = Change::blacklist(caller.digest, expires_at);
    outbox::add(tx, caller.user_id, &[change], ending.at).await
}
