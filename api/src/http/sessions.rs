//! `/sessions`: a user sees their own sessions and ends them.

pub mod logout;

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::base::client::Client;
use crate::base::error::{Error, Result};
use crate::base::session_id::SessionId;
use crate::http::answer::Success;
use crate::http::cookies::forget;
use crate::http::our_pages;
use crate::http::segment::Segment;
use crate::ledger::change::Propagation;
use crate::sessions::caller::Caller;
use crate::sessions::deed::Deed;
use crate::sessions::ending::{self, Ended, Reason};
use crate::sessions::live::{self, Session};
use crate::sessions::log_out_everywhere;
use crate::store::audit::{Event, What};
use crate::store::held_rows as held;

/// The caller's sessions.
#[derive(Serialize, ToSchema)]
pub struct Sessions {
    current_session: Option<Session>,
    #[serde(rename = "other_sessions")]
    others: Vec<Session>,
    /// Only in cookie mode: what calls that change something must send as `X-CSRF-Token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    csrf_token: Option<String>,
}

/// `GET /sessions`: live ones, most recently used first.
#[utoipa::path(
    get, path = "/sessions", tag = "Sessions",
    summary = "Lists the live sessions, most recently used first",
    security(("bearer" = [])),
    responses((status = 200, description = "The sessions", body = Success<Sessions>)),
)]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Success<Sessions>> {
    let sessions = live::list(&app.ledgers, caller.user_id, Some(&caller.session)).await?;
    let (mut current, others): (Vec<_>, Vec<_>) =
        sessions.into_iter().partition(|session| session.is_current);
    let csrf_token = our_pages::csrf_token(&app, &caller);
    Ok(Success::data(Sessions { current_session: current.pop(), others, csrf_token }))
}

/// `DELETE /sessions/{id}`: ends one of the caller's own sessions.
#[utoipa::path(
    delete, path = "/sessions/{id}", tag = "Sessions",
    summary = "Ends one of the caller's sessions",
    params(("id" = SessionId, Path, description = "The session")),
    security(("bearer" = [])),
    responses((status = 200, description = "The session has ended", body = Success)),
    extensions(("x-problems" = json!("session_not_found")))
)]
pub async fn revoke(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Segment(id): Segment,
) -> Result<Response> {
    let id = SessionId::parse(&id).ok_or(Error::NoSuchSession)?;
    let propagation = app.store.repeat(|| async {
        let mut deed = Deed::begin(&app.ledgers, &client, caller.user_id).await?;
        let ended = deed.end(std::slice::from_ref(&id), Reason::Revoked).await?;
        if ended.sessions == 0 {
            return Err(Error::NoSuchSession);
        }
        let event = Event::of(What::SessionEnded, caller.user_id).in_session(id.as_str());
        Ok(deed.commit(event).await?)
    });
    let done = Success::message("Session revoked successfully").propagated(propagation.await?);
    let own = id == caller.session;
    Ok(if own { (forget(&app), done).into_response() } else { done.into_response() })
}

/// What `DELETE /sessions` may be asked.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Including {
    /// Also end the current session.
    #[serde(default)]
    include_current: bool,
}

/// `DELETE /sessions`: ends all others, or with `?include_current=true` all (C-12).
#[utoipa::path(
    delete, path = "/sessions", tag = "Sessions",
    summary = "Ends every other session",
    params(Including),
    security(("bearer" = [])),
    responses((status = 200, description = "Counts of what was ended", body = Success<Ended>)),
    extensions(("x-problems" = json!("malformed_request")))
)]
pub async fn revoke_others(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    including: Result<Query<Including>, axum::extract::rejection::QueryRejection>,
) -> Result<Response> {
    let Query(Including { include_current }) =
        including.map_err(|_| Error::Malformed("include_current must be true or false."))?;
    let (ended, propagation) = if include_current {
        log_out_everywhere::end(&app.ledgers, &client, &caller.into()).await?
    } else {
        app.store.repeat(|| others(&app, &client, &caller)).await?
    };
    let done = Success::data(ended)
        .saying(format!("Revoked {} sessions successfully", ended.sessions))
        .propagated(propagation);
    Ok(if include_current { (forget(&app), done).into_response() } else { done.into_response() })
}

/// Ends every session of the caller's but the one that asks. The user is held, so that no login
/// begins one in between that is missed.
async fn others(app: &App, client: &Client, caller: &Caller) -> Result<(Ended, Propagation)> {
    let at = app.clock.now();
    let mut tx = app.store.begin().await?;
    held::user(&mut tx, caller.user_id).await?;
    let mut deed = Deed::within(tx, &app.ledgers, client, caller.user_id).at(at);
    let mut others = ending::not_ended(&mut deed.tx, caller.user_id).await?;
    others.retain(|id| *id != caller.session);
    let ended = deed.end(&others, Reason::Revoked).await?;
    if ended.sessions == 0 {
        return Ok((ended, deed.found_done().await?));
    }
    let event = Event::of(What::SessionsEnded, caller.user_id).in_session(caller.session.as_str());
    Ok((ended, deed.commit(event).await?))
}
