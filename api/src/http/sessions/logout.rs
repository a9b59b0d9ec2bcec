//! `POST /logout` and `/logout-all-devices`: sessions end at their user's word, at once.
//!
//! An access token is not needed: a browser that was idle has dropped it, and whoever wants to leave
//! is not made to come in first. The refresh token is enough, in its cookie or in the body.

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::base::client::Client;
use crate::base::error::{Error, Result};
use crate::base::session_id::SessionId;
use crate::http::answer::Success;
use crate::http::body::{OptionalBody, pasted_if_any};
use crate::http::caller::{is_of_ours, must_name_no_other};
use crate::http::cookies::{self, forget};
use crate::http::held_sessions::in_cookies;
use crate::http::our_pages;
use crate::ledger::change::Propagation;
use crate::limits::Scope;
use crate::sessions::caller::Caller;
use crate::sessions::ending::{Ended, Reason};
use crate::sessions::family::Family;
use crate::sessions::leaver::Leaver;
use crate::sessions::log_out_everywhere;
use crate::store::audit::{Event, What};
use crate::tokens::secret::RefreshToken;

/// Body of `/logout`; an empty body ends the current session.
#[derive(Deserialize, ToSchema)]
#[schema(as = LogoutRequest)]
pub struct Request {
    /// Another of the caller's sessions, to be ended instead of the current one.
    #[schema(value_type = Option<SessionId>)]
    session_id: Option<String>,
    /// End all of the caller's sessions.
    logout_all: Option<bool>,
    /// A refresh token of the session, spent or not, for callers without a live access token. Beside
    /// one it must be of the same session.
    #[serde(default, deserialize_with = "pasted_if_any")]
    refresh_token: Option<String>,
}

/// Body of `/logout-all-devices`; it may be empty.
#[derive(Deserialize, ToSchema)]
#[schema(as = LogoutAllRequest)]
pub struct Everywhere {
    /// As in `/logout`.
    #[serde(default, deserialize_with = "pasted_if_any")]
    refresh_token: Option<String>,
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
    description = "An access token, the refresh cookie, or a `refresh_token` in the body is enough.",
    request_body = Option<Request>,
    security(("bearer" = []), ("refresh_cookie" = [], "csrf" = []), ()),
    responses((
        status = 200,
        description = "The session has ended; with `logout_all` the answer has the `data` of `/logout-all-devices`",
        body = LoggedOut,
    )),
    extensions(("x-problems" = json!("session_not_found invalid_grant throttled")))
)]
pub async fn logout(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    caller: Result<Caller>,
    body: Result<OptionalBody<Request>>,
) -> Result<Response> {
    let (caller, OptionalBody(request)) = asked(caller, body)?;
    let left = Leaving { app: &app, client: &client, headers: &headers };
    left.by(caller, &request).await.or_else(|no| Ok(cookies::with_refusal(&app, &headers, no)))
}

/// `POST /logout-all-devices`: the same as `logout_all`.
#[utoipa::path(
    post, path = "/logout-all-devices", tag = "Sessions",
    summary = "Ends all of the caller's sessions",
    description = "An access token, the refresh cookie, or a `refresh_token` in the body is enough.",
    request_body = Option<Everywhere>,
    security(("bearer" = []), ("refresh_cookie" = [], "csrf" = []), ()),
    responses((
        status = 200,
        description = "All of the user's sessions have ended",
        body = Success<Ended>,
    )),
    extensions(("x-problems" = json!("invalid_grant throttled")))
)]
pub async fn logout_all_devices(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    caller: Result<Caller>,
    body: Result<OptionalBody<Everywhere>>,
) -> Result<Response> {
    let (caller, OptionalBody(Everywhere { refresh_token })) = asked(caller, body)?;
    let request = Request { logout_all: Some(true), refresh_token, session_id: None };
    let left = Leaving { app: &app, client: &client, headers: &headers };
    left.by(caller, &request).await.or_else(|no| Ok(cookies::with_refusal(&app, &headers, no)))
}

/// Nothing is said about the body of somebody who has nothing to show.
fn asked<T>(caller: Result<Caller>, body: Result<T>) -> Result<(Result<Caller>, T)> {
    match body {
        Ok(body) => Ok((caller, body)),
        Err(refusal) => caller.and(Err(refusal)),
    }
}

/// A logout as it was asked for.
struct Leaving<'a> {
    app: &'a App,
    client: &'a Client,
    headers: &'a HeaderMap,
}

impl Leaving<'_> {
    async fn by(&self, caller: Result<Caller>, request: &Request) -> Result<Response> {
        let Self { app, client, .. } = *self;
        let leaver = self.leaver(caller, request.refresh_token.as_deref()).await?;
        let is_of_another =
            request.session_id.as_deref().is_some_and(|it| it != leaver.session.as_str());
        if request.logout_all == Some(true) || !is_of_another {
            self.end_the_others_in_cookies(&leaver).await?;
        }
        if request.logout_all == Some(true) {
            let (ended, propagation) =
                log_out_everywhere::end(&app.ledgers, client, &leaver).await?;
            let done = Success::data(ended)
                .saying("Logged out from all devices successfully")
                .propagated(propagation);
            return Ok((forget(app), done).into_response());
        }
        let session = match &request.session_id {
            None => leaver.session.clone(),
            Some(named) => SessionId::parse(named).ok_or(Error::NoSuchSession)?,
        };
        let propagation = app.store.repeat(|| self.end(&leaver, &session)).await?;
        let done = Success::message("Successfully logged out").propagated(propagation);
        let own = session == leaver.session;
        Ok(if own { (forget(app), done).into_response() } else { done.into_response() })
    }

    /// A logout clears the cookies of the browser, whosever they are: no session is to outlive its own.
    async fn end_the_others_in_cookies(&self, leaver: &Leaver) -> Result<()> {
        let held = in_cookies(self.app, self.headers).await?;
        for other in held.iter().filter(|held| held.session != leaver.session) {
            match self.app.store.repeat(|| self.end(other, &other.session)).await {
                Ok(_) | Err(Error::NoSuchSession | Error::DeadRefreshToken) => {}
                Err(outage) => return Err(outage),
            }
        }
        Ok(())
    }

    /// Who leaves. A live access token says so, and otherwise a refresh token.
    async fn leaver(&self, caller: Result<Caller>, refresh_token: Option<&str>) -> Result<Leaver> {
        let Self { app, client, headers } = *self;
        let refusal = match caller {
            Ok(caller) => {
                app.limits.tell(Scope::Logout, client).await;
                if let Some(token) = refresh_token {
                    let family = self.family(token).await?;
                    let is_own = family.is_some_and(|family| family.session == caller.session);
                    is_own.then_some(()).ok_or(Error::SessionMismatch)?;
                }
                return Ok(caller.into());
            }
            Err(refusal @ (Error::NoToken | Error::DeadToken)) => refusal,
            Err(refusal) => return Err(refusal),
        };
        let cookie = cookies::value(headers, cookies::REFRESH);
        if refresh_token.is_some() && cookie.is_some() {
            return Err(Error::TwoTokens);
        }
        let Some(token) = refresh_token.or(cookie) else { return self.refused(refusal).await };
        let turn = app.limits.turn(Scope::Logout, client).await;
        let Some(family) = self.family(token).await? else {
            drop(turn);
            let dead = Error::DeadRefreshToken;
            return Err(app.limits.unknown(Scope::Logout, client, dead).await);
        };
        drop(turn);
        if cookie.is_some() {
            self.must_be_meant(&family.session).await?;
        }
        must_name_no_other(headers, &family.session)?;
        Ok(family.into())
    }

    /// No limit keeps anybody from leaving. What nobody here gave out counts against its sender (F-16).
    async fn refused(&self, refusal: Error) -> Result<Leaver> {
        let Self { app, client, headers } = *self;
        Err(match refusal {
            Error::DeadToken if !is_of_ours(app, headers, &Method::POST) => {
                app.limits.unknown(Scope::Logout, client, refusal).await
            }
            refusal => refusal,
        })
    }

    async fn family(&self, token: &str) -> Result<Option<Family>> {
        match RefreshToken::parse(token) {
            Some(token) => Family::of(&self.app.store, &self.app.refresh_keys, &token).await,
            None => Ok(None),
        }
    }

    /// Nothing can be done with the cookie of a session that has ended, meant or not, but to clear it.
    async fn must_be_meant(&self, session: &SessionId) -> Result<()> {
        let Err(refusal) = our_pages::must_be_meant(self.app, self.headers, session) else {
            return Ok(());
        };
        let ended = sqlx::query_scalar!(
            r#"select s.id as "id: SessionId" from user_sessions s where s.id = ?
                  and (not s.is_active
                       or s.created_at <= (select e.tokens_valid_after from everybody e
                                            where e.id = 1))"#,
            session,
        )
        .fetch_optional(&self.app.store.pool)
        .await?;
        Err(if ended.is_some() { Error::DeadRefreshToken } else { refusal })
    }

    async fn end(&self, leaver: &Leaver, session: &SessionId) -> Result<Propagation> {
        let mut deed = leaver.begin(&self.app.ledgers, self.client).await?;
        let ended = leaver.end(&mut deed, session, Reason::Logout).await?;
        if ended.sessions == 0 {
            return Err(Error::NoSuchSession);
        }
        let event = Event::of(What::SessionEnded, leaver.user_id).in_session(session.as_str());
        Ok(deed.commit(event).await?)
    }
}
