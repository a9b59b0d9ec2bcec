//! Cookie mode: a browser keeps its tokens where no script can read them (BUG-25).
//!
//! A login with `"mode":"cookie"` sets them. Since a browser sends cookies whoever asks it to, a
//! call that changes something must also be meant (`our_pages.rs`).

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HeaderName, SET_COOKIE};
use axum::response::AppendHeaders;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
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

/// `Set-Cookie` headers for a session.
pub(crate) type SetCookies = AppendHeaders<[(HeaderName, String); 4]>;

/// Moves the tokens of an answer into cookies; the answer keeps their times and the CSRF token,
/// for pages of another origin, which cannot read its cookie.
pub(crate) fn move_tokens(app: &App, pair: &mut TokenPair, session: &SessionId) -> SetCookies {
    let access = std::mem::take(&mut pair.access.token);
    let refresh = std::mem::take(&mut pair.refresh.token);
    let csrf = app.csrf.token(session);
    let (soon, late) = (pair.access.expires_in, pair.refresh.expires_in);
    let cookies = AppendHeaders([
        (SET_COOKIE, format!("{ACCESS}={access}; {SET}; Max-Age={soon}; HttpOnly; SameSite=Lax")),
        (
            SET_COOKIE,
            format!("{REFRESH}={refresh}; {SET}; Max-Age={late}; HttpOnly; SameSite=Strict"),
        ),
        (SET_COOKIE, format!("{CSRF}={csrf}; {SET}; Max-Age={late}; SameSite=Strict")),
        (SET_COOKIE, FORGET_OLD.to_owned()),
    ]);
    pair.csrf_token = Some(csrf);
    cookies
}

/// What every cookie with the prefix `__Host-` must say.
const SET: &str = "Path=/; Secure";
const FORGET_OLD: &str = "jwt=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax";

/// Headers that make a browser forget the session (R-34).
pub(crate) fn forget() -> AppendHeaders<[(HeaderName, &'static str); 5]> {
    AppendHeaders([
        (HeaderName::from_static("clear-site-data"), r#""cookies", "storage""#),
        (SET_COOKIE, FORGET_OLD),
        (SET_COOKIE, "__Host-access=; Path=/; Secure; Max-Age=0; HttpOnly; SameSite=Lax"),
        (SET_COOKIE, "__Host-refresh=; Path=/; Secure; Max-Age=0; HttpOnly; SameSite=Strict"),
        (SET_COOKIE, "__Host-csrf=; Path=/; Secure; Max-Age=0; SameSite=Strict"),
    ])
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
