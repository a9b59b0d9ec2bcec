//! `GET /return`: the way back for a page whose access cookie has died (F-26).
//!
//! A proxy that has asked `/verify` sends a browser here instead of showing it a bare 401. While the
//! refresh cookie is good, the browser gets new cookies and goes on to its page; otherwise it goes to
//! the login page, which sends it here again once somebody has logged in. Where that may lead is
//! checked here, in `destination.rs`, so that no link to us leads to strangers.
//!
//! Here a GET renews cookies, and no CSRF token is asked for: a browser that follows a link has none
//! to show. The refresh cookie is `SameSite=Strict`, so another site's link does not bring it; and
//! whoever sets such a link gains nothing, since nobody but its holder sees the new cookies.

mod destination;

use axum::extract::State;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Conditions, exchange};
use crate::App;
use crate::base::client::Client;
use crate::base::error::{Error, Result};
use crate::http::client::is_proxied;
use crate::http::cookies;
use crate::sessions::caller::Caller;
use destination::Home;

/// Where a browser wants to go.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "destination.rs reads the query; this describes it")]
pub struct Wanted {
    /// The page to return to: a path, or a URL of this host, of `FRONTEND_URL` or of `RETURN_TO`.
    #[param(example = "/orders?page=2")]
    return_to: Option<String>,
    /// The same for proxies that cannot encode: if it is not percent-encoded, everything behind it
    /// belongs to it.
    rd: Option<String>,
}

/// Sends a browser to its page, by way of new cookies or of the login page.
#[utoipa::path(
    get, path = "/return", tag = "For services",
    summary = "Sends a browser back to its page, logged in",
    params(Wanted),
    security((), ("cookie" = []), ("refresh_cookie" = [])),
    responses((
        status = 303,
        description = "To the page, with new cookies if the old ones had died; or to the \
                       login page, which is told `return_to`",
        headers(("location" = String, description = "Where to go")),
    )),
    extensions(("x-problems" = json!("malformed_request no_token two_tokens session_mismatch throttled")))
)]
pub async fn way_back(
    State(app): State<App>,
    client: Client,
    asked: Parts,
    caller: Result<Caller>,
) -> Result<Response> {
    let headers = &asked.headers;
    let home = Home::of(&app, headers, is_proxied(&app, &asked));
    let page = home.page(asked.uri.query().unwrap_or_default());
    let page = page.ok_or(Error::Malformed(ELSEWHERE))?;
    match caller {
        Ok(_) => return Ok(see_other(&page)),
        Err(Error::NoToken | Error::DeadToken) => {}
        Err(refusal) => return Err(refusal),
    }
    let mut refusal = Error::NoToken.into_response();
    if let Some(token) = cookies::value(headers, cookies::REFRESH).filter(|_| is_visit(headers)) {
        match exchange(&app, &client, token, Conditions::default()).await {
            Ok((row, mut pair)) => {
                let cookies = cookies::move_tokens(&app, &mut pair, &row.session);
                return Ok((cookies, see_other(&page)).into_response());
            }
            Err(error) => refusal = cookies::with_refusal(&app, headers, error),
        }
    }
    match home.login(&page).filter(|_| refusal.status() == StatusCode::UNAUTHORIZED) {
        // Dead cookies go, wherever their browser does.
        Some(login) => Ok(with_cookies_of(&refusal, see_other(&login))),
        None => Ok(refusal),
    }
}

fn with_cookies_of(refusal: &Response, mut answer: Response) -> Response {
    for cookie in refusal.headers().get_all(SET_COOKIE) {
        answer.headers_mut().append(SET_COOKIE, cookie.clone());
    }
    answer
}

const ELSEWHERE: &str = "return_to leads elsewhere: send a path, or list its origin in RETURN_TO.";

fn see_other(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
}

/// Whether somebody goes to a page here; browsers that do not say so are believed.
fn is_visit(headers: &HeaderMap) -> bool {
    let says = |name: &str, expected: &[&[u8]]| {
        headers.get(name).is_none_or(|value| expected.contains(&value.as_bytes()))
    };
    says("sec-fetch-mode", &[b"navigate"]) && says("sec-fetch-site", &[b"same-origin", b"none"])
}
