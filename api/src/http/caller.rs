//! Who is calling: the one token of a request, wherever it came from, is checked
//! (`sessions/bearer.rs`), or the request refused.

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, HeaderMap};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method};

use super::cookies;
use crate::App;
use crate::base::client::Client;
use crate::base::error::{Error, Result};
use crate::base::role::Role;
use crate::sessions::caller::Caller;

impl FromRequestParts<App> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Presented { token, by_cookie } = token_in(&parts.headers, &parts.method)?;
        let caller = Self { by_cookie, ..app.bearer.check(token).await? };
        if by_cookie && !parts.method.is_safe() {
            cookies::must_be_meant(app, &parts.headers, &caller.session)?;
        }
        let named = parts.headers.get("x-session-id").map(HeaderValue::as_bytes);
        if named.is_some_and(|named| named != caller.session.as_str().as_bytes()) {
            return Err(Error::SessionMismatch);
        }
        must_be_admitted(app, parts, &caller).await?;
        app.activity.note(caller.user_id, &caller.session).await;
        Ok(caller)
    }
}

/// An administrator who sent a live access token.
pub struct Admin(pub Caller);

impl FromRequestParts<App> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let caller = Caller::from_request_parts(parts, app).await?;
        match app.bearer.role(caller.user_id).await? {
            Role::Admin => Ok(Self(caller)),
            Role::User => Err(Error::Forbidden),
        }
    }
}

/// Refuses a session that is used from elsewhere, if the operator wants that.
async fn must_be_admitted(app: &App, parts: &mut Parts, caller: &Caller) -> Result<()> {
    if app.gate.is_open() {
        return Ok(());
    }
    let Ok(client) = Client::from_request_parts(parts, app).await;
    if app.gate.admits(&client, caller.user_id, &caller.session).await? {
        Ok(())
    } else {
        Err(Error::DeadToken)
    }
}

/// A token as it came.
pub(crate) struct Presented<'a> {
    pub(crate) token: &'a str,
    by_cookie: bool,
}

/// The one token of a request (RFC 6750 §2, R-30).
pub(crate) fn token_in<'a>(headers: &'a HeaderMap, method: &Method) -> Result<Presented<'a>> {
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    let bearer = sent.next().map(bearer).transpose()?;
    let ours = cookies::value(headers, cookies::ACCESS);
    let cookie = ours.or(cookies::value(headers, cookies::OLD).filter(|_| *method == Method::GET));
    match (bearer, cookie, sent.next()) {
        (_, _, Some(_)) | (Some(_), Some(_), _) => Err(Error::TwoTokens),
        (Some(token), None, None) => Ok(Presented { token, by_cookie: false }),
        (None, Some(token), None) => Ok(Presented { token, by_cookie: ours.is_some() }),
        (None, None, None) => Err(Error::NoToken),
    }
}

fn bearer(value: &HeaderValue) -> Result<&str> {
    let text = value.to_str().map_err(|_| Error::DeadToken)?;
    let (scheme, token) = text.split_once(' ').ok_or(Error::NoToken)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token) } else { Err(Error::NoToken) }
}

/// Sensitive changes want a password that was given lately (R-11, RFC 9470).
pub(crate) fn must_have_logged_in_lately(app: &App, caller: &Caller) -> Result<()> {
    caller.must_have_logged_in_within(app.settings.sessions.step_up_window, app.clock.now())
}
