//! Cookie mode: a browser keeps its tokens where no script can read them (BUG-25).
//!
//! A login with `"mode":"cookie"` sets them. Since a browser sends cookies whoever asks it to, a
//! call that changes something must also show the CSRF token, which belongs to the session, and
//! come from a page of ours (R-32).

use axum::http::HeaderMap;
use axum::http::header::{HOST, HeaderName, HeaderValue, ORIGIN, SET_COOKIE};
use axum::response::AppendHeaders;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde::Deserialize;
use sha2::Sha256;
use utoipa::ToSchema;

use crate::App;
use crate::base::error::{Error, Result};
use crate::base::session_id::SessionId;
use crate::settings::{List, Origin, Settings};
use crate::tokens::issue::TokenPair;
use crate::tokens::secret;

/// The access token, sent along also when a link leads here, so that `/verify` can guard pages.
pub(crate) const ACCESS: &str = "__Host-access";
/// The refresh token.
pub(crate) const REFRESH: &str = "__Host-refresh";
/// The CSRF token, which scripts of our own pages can read.
const CSRF: &str = "__Host-csrf";

/// How a client wants its tokens.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// In the body.
    #[default]
    Bearer,
    /// In cookies.
    Cookie,
}

/// Makes and checks CSRF tokens.
pub struct Csrf {
    key: Hmac<Sha256>,
    origins: List<Origin>,
}

impl Csrf {
    /// Derives its key; pages of `CORS_ORIGINS` count as ours.
    pub fn new(settings: &Settings) -> Self {
        Self {
            key: secret::derived(&settings.tokens.refresh_secret(), b"portcullis csrf"),
            origins: settings.server.cors_origins.clone(),
        }
    }

    /// Refuses a call that the user may not have meant.
    pub(crate) fn check(&self, headers: &HeaderMap, session: &SessionId) -> Result<()> {
        let shown = headers.get("x-csrf-token").map(HeaderValue::as_bytes);
        let shown = shown.and_then(|shown| URL_SAFE_NO_PAD.decode(shown).ok());
        let proven = shown.is_some_and(|mac| self.mac(session).verify_slice(&mac).is_ok());
        if proven && self.is_from_our_page(headers) { Ok(()) } else { Err(Error::Csrf) }
    }

    fn token(&self, session: &SessionId) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(session).finalize().into_bytes())
    }

    fn mac(&self, session: &SessionId) -> Hmac<Sha256> {
        self.key.clone().chain_update(session.as_str())
    }

    /// A browser says at least one of the two; neither may speak against it.
    fn is_from_our_page(&self, headers: &HeaderMap) -> bool {
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
        (site.is_some() || origin.is_some())
            && site.is_none_or(|site| [&b"same-origin"[..], b"same-site"].contains(&site))
            && origin.is_none_or(|origin| self.is_ours(origin, headers))
    }

    fn is_ours(&self, origin: &str, headers: &HeaderMap) -> bool {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let page = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        page.is_some() && page == host || self.origins.0.iter().any(|ours| ours.0 == origin)
    }
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
