//! Cookie mode: a browser keeps its tokens where no script can read them (BUG-25).
//!
//! A login with `"mode":"cookie"` sets them. Since a browser sends cookies whoever asks it to, a
//! call that changes something must also be meant (`our_pages.rs`).

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HeaderName, SET_COOKIE};
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::base::error::Error;
use crate::base::session_id::SessionId;
use crate::tokens::issue::TokenPair;

/// The access token, sent along also when a link leads here, so that `/verify` can guard pages.
pub(crate) const ACCESS: &str = "__Host-access";
/// The refresh token.
pub(crate) const REFRESH: &str = "__Host-refresh";
/// The CSRF token, which scripts of our own pages can read.
const CSRF: &str = "__Host-csrf";

/// The cookie of the older login; by itself it counts as a bearer token on GET and HEAD.
pub(crate) const OLD: &str = "jwt";
/// Names a device that has logged in before.
pub(crate) const DEVICE: &str = "__Host-device";

/// How the client receives its tokens.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// In the body.
    #[default]
    Bearer,
    /// In cookies.
    Cookie,
}

/// `Set-Cookie` headers, and those that go with them.
pub(crate) type SetCookies = AppendHeaders<Vec<(HeaderName, String)>>;

/// Moves the tokens of an answer into cookies; the answer keeps their times and the CSRF token,
/// for pages of another origin, which cannot read its cookie.
pub(crate) fn move_tokens(app: &App, pair: &mut TokenPair, session: &SessionId) -> SetCookies {
    let access = std::mem::take(&mut pair.access.token);
    let refresh = std::mem::take(&mut pair.refresh.token);
    let csrf = app.csrf.token(session);
    let (soon, late) = (pair.access.expires_in, pair.refresh.expires_in);
    let mut cookies = vec![
        format!("{ACCESS}={access}; {SET}; Max-Age={soon}; HttpOnly; SameSite=Lax"),
        format!("{REFRESH}={refresh}; {SET}; Max-Age={late}; HttpOnly; SameSite=Strict"),
        format!("{CSRF}={csrf}; {SET}; Max-Age={late}; SameSite=Strict"),
    ];
    cookies.extend(old_expired(app));
    pair.csrf_token = Some(csrf);
    AppendHeaders(cookies.into_iter().map(|cookie| (SET_COOKIE, cookie)).collect())
}

/// What every cookie with the prefix `__Host-` must say.
const SET: &str = "Path=/; Secure";

/// Without the older login the cookie `jwt` is somebody else's.
fn old_expired(app: &App) -> Option<String> {
    let old = format!("{OLD}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax");
    app.settings.server.legacy_login.then_some(old)
}

/// Expires the cookies of a session one by one; those of others, and what names the device, stay.
fn expired(app: &App) -> Vec<(HeaderName, String)> {
    let own = [
        format!("{ACCESS}=; {SET}; Max-Age=0; HttpOnly; SameSite=Lax"),
        format!("{REFRESH}=; {SET}; Max-Age=0; HttpOnly; SameSite=Strict"),
        format!("{CSRF}=; {SET}; Max-Age=0; SameSite=Strict"),
    ];
    old_expired(app).into_iter().chain(own).map(|cookie| (SET_COOKIE, cookie)).collect()
}

/// Headers that make a browser forget the session, and what else the operator wants.
pub(crate) fn forget(app: &App) -> SetCookies {
    let mut headers = expired(app);
    let more = app.settings.server.clear_site_data.0.iter();
    let more: Vec<String> = more.map(|data| format!("\"{}\"", data.as_str())).collect();
    if !more.is_empty() {
        headers.push((HeaderName::from_static("clear-site-data"), more.join(", ")));
    }
    AppendHeaders(headers)
}

/// A refusal; if it is of a refresh token that came in a cookie and is of no use any more, the browser
/// forgets it.
pub(crate) fn with_refusal(app: &App, headers: &HeaderMap, refusal: Error) -> Response {
    let is_dead = matches!(refusal, Error::DeadRefreshToken | Error::SessionOver(_));
    if is_dead && value(headers, REFRESH).is_some() {
        (AppendHeaders(expired(app)), refusal).into_response()
    } else {
        refusal.into_response()
    }
}

/// The value of a cookie; an empty one is none.
pub(crate) fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    values(headers, name).next()
}

/// The values of all cookies of this name. A browser sends other applications' cookies along, whatever
/// bytes are in them, so only a cookie of this name is looked into.
pub(crate) fn values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .filter_map(move |pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .filter_map(|value| std::str::from_utf8(value).ok())
        .filter(|value| !value.is_empty())
}
