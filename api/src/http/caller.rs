//! Who is calling: the one token of a request, wherever it came from, is checked
//! (`sessions/bearer.rs`), or the request refused.

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, HeaderMap};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method};

use super::client::address_of;
use super::{cookies, our_pages};
use crate::App;
use crate::base::client::Client;
use crate::base::error::{Error, Result};
use crate::base::role::Role;
use crate::base::session_id::SessionId;
use crate::sessions::caller::Caller;
use crate::tokens::access::Refusal;

impl FromRequestParts<App> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Presented { token, by_cookie } = token_in(app, &parts.headers, &parts.method)?;
        let caller = Self { by_cookie, ..app.bearer.check(token).await? };
        if by_cookie && !parts.method.is_safe() {
            our_pages::must_be_meant(app, &parts.headers, &caller.session)?;
        }
        must_name_no_other(&parts.headers, &caller.session)?;
        must_be_admitted(app, parts, &caller).await?;
        let from = Some(address_of(app, parts));
        app.activity.note(caller.user_id, &caller.session, from).await;
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

/// Whether the access token of a request was made here, whatever has become of it.
pub(crate) fn is_of_ours(app: &App, headers: &HeaderMap, method: &Method) -> bool {
    let sent = token_in(app, headers, method);
    let verified = sent.map(|sent| app.keys.verify(sent.token, app.clock.now()));
    verified.is_ok_and(|verified| matches!(verified, Ok(_) | Err(Refusal::Expired)))
}

/// Refuses a session that is used from elsewhere, if the operator wants that.
async fn must_be_admitted(app: &App, parts: &mut Parts, caller: &Caller) -> Result<()> {
    if app.gate.is_open() {
        return Ok(());
    }
    let Ok(client) = Client::from_request_parts(parts, app).await;
    if Box::pin(app.gate.admits(&client, caller.user_id, &caller.session)).await? {
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

/// The one token of a request (RFC 6750 §2, R-30). The cookie `jwt` is not ours alone: it counts only
/// when nothing else does.
pub(crate) fn token_in<'a>(
    app: &App,
    headers: &'a HeaderMap,
    method: &Method,
) -> Result<Presented<'a>> {
    match (bearer(headers)?, cookies::value(headers, cookies::ACCESS)) {
        (Some(_), Some(_)) => Err(Error::TwoTokens),
        (Some(token), None) => Ok(Presented { token, by_cookie: false }),
        (None, Some(token)) => Ok(Presented { token, by_cookie: true }),
        (None, None) => {
            let reads = [Method::GET, Method::HEAD].contains(method);
            let old = old_cookie(app, headers).filter(|_| reads).ok_or(Error::NoToken)?;
            Ok(Presented { token: old, by_cookie: false })
        }
    }
}

/// The bearer token of a request. Whatever else `Authorization` says is for somebody else (RFC 9110
/// §11.6.2), who may stand before us or behind.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>> {
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = sent.next() else { return Ok(None) };
    if sent.next().is_some() {
        return Err(Error::TwoTokens);
    }
    let Some((scheme, rest)) = value.as_bytes().split_at_checked("bearer".len()) else {
        return Ok(None);
    };
    if !scheme.eq_ignore_ascii_case(b"bearer") || !matches!(rest.first(), None | Some(b' ')) {
        return Ok(None);
    }
    let (_, token) = rest.split_at(rest.iter().take_while(|byte| **byte == b' ').count());
    if token.is_empty() {
        return Err(Error::EmptyBearer);
    }
    std::str::from_utf8(token).map(Some).map_err(|_| Error::DeadToken)
}

/// The cookie of the older login: the one that we have signed, if others call theirs the same.
fn old_cookie<'a>(app: &App, headers: &'a HeaderMap) -> Option<&'a str> {
    let all = || cookies::values(headers, cookies::OLD);
    match all().count() {
        0 | 1 => all().next(),
        _ => {
            let now = app.clock.now();
            all().find(|token| app.keys.verify(token, now).is_ok()).or_else(|| all().next())
        }
    }
}

/// Refuses a request that names another session as well, however often it names one.
pub(crate) fn must_name_no_other(headers: &HeaderMap, own: &SessionId) -> Result<()> {
    let mut named = headers.get_all("x-session-id").iter().map(HeaderValue::as_bytes);
    if named.all(|named| named == own.as_str().as_bytes()) {
        Ok(())
    } else {
        Err(Error::SessionMismatch)
    }
}

/// Sensitive changes want a password that was given lately (R-11, RFC 9470).
pub(crate) fn must_have_logged_in_lately(app: &App, caller: &Caller) -> Result<()> {
    caller.must_have_logged_in_within(app.settings.sessions.step_up_window, app.clock.now())
}
