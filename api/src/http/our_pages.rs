//! Whether a call that came with cookies was meant by its user: it shows the CSRF token, which belongs
//! to the session, and comes from a page of ours.

use axum::http::HeaderMap;
use axum::http::header::{HOST, HeaderValue, ORIGIN};

use crate::App;
use crate::base::error::{Error, Result};
use crate::base::session_id::SessionId;
use crate::sessions::caller::Caller;
use crate::settings::Origin;

/// Refuses a call that came with cookies and that the user may not have meant. A page of ours that has
/// lost the token is told it: nobody else's page can read the answer.
pub(crate) fn must_be_meant(app: &App, headers: &HeaderMap, session: &SessionId) -> Result<()> {
    let mut shown = headers.get_all("x-csrf-token").iter().map(HeaderValue::as_bytes).peekable();
    let is_proven = shown.peek().is_some() && shown.all(|shown| app.csrf.is_of(session, shown));
    match (is_proven, is_from_our_page(app, headers)) {
        (true, true) => Ok(()),
        (true, false) => Err(Error::ForeignPage),
        (false, true) => Err(Error::NoCsrfToken(Some(app.csrf.token(session)))),
        (false, false) => Err(Error::NoCsrfToken(None)),
    }
}

/// What a page that was loaded anew needs for its next change; a caller without cookies needs nothing.
pub(crate) fn csrf_token(app: &App, caller: &Caller) -> Option<String> {
    caller.by_cookie.then(|| app.csrf.token(&caller.session))
}

/// A browser says at least one of the two. No page can make it say `same-origin`, so that is enough: a
/// proxy may have changed the host that the origin is compared with.
pub(crate) fn is_from_our_page(app: &App, headers: &HeaderMap) -> bool {
    let all = |name, word: &str| headers.get_all(name).iter().all(|value| *value == word);
    let is_told = headers.contains_key("sec-fetch-site");
    if is_told && all("sec-fetch-site", "same-origin") {
        return true;
    }
    let mut origins = headers.get_all(ORIGIN).iter();
    (!is_told || all("sec-fetch-site", "same-site"))
        && headers.contains_key(ORIGIN)
        && origins.all(|origin| is_ours(app, origin, headers))
}

/// Pages of `CORS_ORIGINS` count as ours.
fn is_ours(app: &App, origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let Some(page) = origin.to_str().ok().and_then(Origin::of_page) else { return false };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    host.is_some_and(|host| page.is_of_host(host))
        || app.settings.server.cors_origins.0.contains(&page)
}
