//! `/sessions`: a user sees their own sessions and ends them.

pub mod logout;

use std::borrow::Cow;
use std::collections::HashMap;

use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::base::client::Client;
use crate::base::clock::UnixMs;
use crate::base::device::Device;
use crate::base::error::{Error, Result};
use crate::base::log;
use crate::base::session_id::SessionId;
use crate::http::answer::Success;
use crate::http::caller::Caller;
use crate::http::cookies::forget;
use crate::ledger::change::Propagation;
use crate::ledger::outbox;
use crate::sessions::ending::{self, Ended, Ending, Reason};
use crate::sessions::live;
use crate::store::audit::{self, Event};
use crate::store::held;
use crate::store::standing::standing;

/// The caller's sessions.
#[derive(Serialize, ToSchema)]
pub struct Sessions {
    current_session: Option<Session>,
    other_sessions: Vec<Session>,
}

/// One session as its owner sees it.
#[derive(Serialize, ToSchema)]
pub struct Session {
    id: SessionId,
    device_info: SeenDevice,
    ip_address: String,
    last_activity: UnixMs,
    is_current: bool,
}

#[derive(Serialize, ToSchema)]
struct SeenDevice {
    #[schema(value_type = String)]
    browser: Cow<'static, str>,
    #[schema(value_type = String)]
    os: Cow<'static, str>,
    #[schema(value_type = String)]
    device: Cow<'static, str>,
    ip: String,
}

/// `GET /sessions`: live ones, most recently used first.
#[utoipa::path(
    get, path = "/sessions", tag = "Sessions",
    summary = "Lists the live sessions, most recently used first",
    security(("bearer" = [])),
    responses((status = 200, description = "The sessions", body = Success<Sessions>)),
)]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Success<Sessions>> {
    let sessions = live(&app, caller.user_id, Some(&caller.session)).await?;
    let (mut current, other_sessions): (Vec<_>, Vec<_>) =
        sessions.into_iter().partition(|session| session.is_current);
    Ok(Success::data(Sessions { current_session: current.pop(), other_sessions }))
}

/// A user's live sessions, most recently used first; `current` is the one that asks.
pub(crate) async fn live(
    app: &App,
    user_id: u64,
    current: Option<&SessionId>,
) -> Result<Vec<Session>> {
    let now = app.clock.now();
    let rows = standing!(query!(
        r#"select s.id as "id: SessionId", s.device_info as "device: Json<Device>", s.ip_address,
                  s.last_activity as "last_activity: UnixMs", s.idle_timeout_s
             from user_sessions s
            where s.user_id = ? and "#
            + STANDING,
        user_id,
        now,
    ))
    .fetch_all(&app.store.pool)
    .await?;
    // Redis knows the last minute better than MySQL does.
    let seen = app.ledgers.last_seen(user_id).await.unwrap_or_else(|cause| {
        tracing::debug!(target: log::SESSIONS, %cause, "listing sessions without Redis");
        HashMap::new()
    });
    let mut sessions: Vec<Session> = Vec::with_capacity(rows.len());
    for row in rows {
        let seen = seen.get(row.id.as_str()).copied().unwrap_or_default();
        let last_activity =
            app.ledgers.uses.last_used(row.id.as_str(), row.last_activity).max(seen);
        if !live::is_in_use(last_activity, row.idle_timeout_s, now) {
            continue;
        }
        let Device { browser, os, device, .. } = row.device.0;
        sessions.push(Session {
            is_current: current == Some(&row.id),
            id: row.id,
            device_info: SeenDevice { browser, os, device, ip: row.ip_address.clone() },
            ip_address: row.ip_address,
            last_activity,
        });
    }
    sessions.sort_by_key(|session| std::cmp::Reverse(session.last_activity));
    Ok(sessions)
}

/// `DELETE /sessions/{id}`: ends one of the caller's own sessions (R-12).
#[utoipa::path(
    delete, path = "/sessions/{id}", tag = "Sessions",
    summary = "Ends one of the own sessions",
    params(("id" = SessionId, Path, description = "The session")),
    security(("bearer" = [])),
    responses((status = 200, description = "The session has ended", body = Success)),
    extensions(("x-problems" = json!("session_not_found")))
)]
pub async fn revoke(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Success> {
    let id = SessionId::parse(&id).ok_or(Error::NoSuchSession)?;
    let propagation = app.store.repeat(|| async {
        let at = app.clock.now();
        let mut tx = app.store.begin().await?;
        let ending = Ending { reason: Reason::Revoked, at, client: &client };
        let ended = ending::end(&mut tx, caller.user_id, std::slice::from_ref(&id), ending).await?;
        if ended.sessions == 0 {
            return Err(Error::NoSuchSession);
        }
        let event = Event::of("session_ended", caller.user_id).in_session(id.as_str());
        audit::record(&mut tx, &client, at, event).await?;
        Ok(outbox::commit(&app.ledgers, tx, caller.user_id, None).await?)
    });
    Ok(Success::message("Session revoked successfully").propagated(propagation.await?))
}

/// What `DELETE /sessions` may be asked.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Including {
    /// This one as well.
    #[serde(default)]
    include_current: bool,
}

/// `DELETE /sessions`: ends all others, or with `?include_current=true` all (C-12).
#[utoipa::path(
    delete, path = "/sessions", tag = "Sessions",
    summary = "Ends every other session",
    params(Including),
    security(("bearer" = [])),
    responses((status = 200, description = "What has ended", body = Success<Ended>)),
    extensions(("x-problems" = json!("malformed_request")))
)]
pub async fn revoke_others(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    including: Result<Query<Including>, axum::extract::rejection::QueryRejection>,
) -> Result<axum::response::Response> {
    use axum::response::IntoResponse as _;

    let Query(Including { include_current }) =
        including.map_err(|_| Error::Malformed("include_current is true or false."))?;
    let (ended, propagation) = app
        .store
        .repeat(|| async {
            if include_current {
                logout::all(&app, &client, &caller).await
            } else {
                others(&app, &client, &caller).await
            }
        })
        .await?;
    let done = Success::data(ended)
        .saying(format!("Revoked {} sessions successfully", ended.sessions))
        .propagated(propagation);
    Ok(if include_current { (forget(), done).into_response() } else { done.into_response() })
}

/// Ends every session of the caller's but the one that asks. The user is held, so that no login
/// begins one in between that is missed.
async fn others(app: &App, client: &Client, caller: &Caller) -> Result<(Ended, Propagation)> {
    let at = app.clock.now();
    let mut tx = app.store.begin().await?;
    held::user(&mut tx, caller.user_id).await?;
    let ending = Ending { reason: Reason::Revoked, at, client };
    let mut others = ending::live_sessions(&mut tx, caller.user_id).await?;
    others.retain(|id| *id != caller.session);
    let ended = ending::end(&mut tx, caller.user_id, &others, ending).await?;
    let event = Event::of("session_ended_all", caller.user_id).in_session(caller.session.as_str());
    audit::record(&mut tx, client, at, event).await?;
    Ok((ended, outbox::commit(&app.ledgers, tx, caller.user_id, None).await?))
}
