//! `POST /refresh`: one refresh token becomes the next, once.
//!
//! The gate is one conditional `update` (`refresh/exchange.rs`): of many racing requests one spends the
//! token. Its successor follows from its place, so whoever repeats the request, because the answer was
//! lost or another tab was faster, gets the same successor for a short while. A token that comes back
//! later, or after its successor was spent, is in the wrong hands: its whole session ends.

mod exchange;
mod presented;
mod row;
pub mod way_back;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;
use sqlx::MySqlConnection;
use utoipa::ToSchema;

use crate::App;
use crate::base::client::Client;
use crate::base::error::{Error, Result};
use crate::base::session_id::SessionId;
use crate::http::answer::Success;
use crate::http::body::{OptionalBody, pasted_if_any};
use crate::http::cookies;
use crate::http::our_pages;
use crate::limits::Scope;
use crate::store::audit::{self, Event, What};
use crate::tokens::issue::TokenPair;
use crate::tokens::secret::RefreshToken;
use exchange::Exchange;
use presented::presented;
use row::{Row, find};

/// Body of `/refresh`.
#[derive(Deserialize, ToSchema)]
#[schema(as = RefreshRequest)]
pub struct Request {
    /// Omitted in cookie mode.
    #[serde(default, deserialize_with = "pasted_if_any")]
    refresh_token: Option<String>,
    /// If sent, it must be the id of the token's session.
    #[schema(value_type = Option<SessionId>)]
    session_id: Option<String>,
}

/// Exchanges a refresh token for a new pair, which goes where the token came from.
#[utoipa::path(
    post, path = "/refresh", tag = "Tokens",
    summary = "Exchanges a refresh token for the next pair",
    request_body = Option<Request>,
    security((), ("refresh_cookie" = [], "csrf" = [])),
    responses((
        status = 200,
        description = "The next pair; the old refresh token is spent",
        body = Success<TokenPair>,
    )),
    extensions(("x-problems" = json!("missing_fields invalid_grant session_mismatch two_tokens empty_bearer csrf_failed throttled")))
)]
pub async fn refresh(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    OptionalBody(request): OptionalBody<Request>,
) -> Result<Response> {
    let exchanged = exchanged(&app, &client, &headers, &request).await;
    exchanged.or_else(|refusal| Ok(cookies::with_refusal(&app, &headers, refusal)))
}

async fn exchanged(
    app: &App,
    client: &Client,
    headers: &HeaderMap,
    request: &Request,
) -> Result<Response> {
    let (token, by_cookie) = presented(headers, request.refresh_token.as_deref())?;
    let conditions =
        Conditions { meant: by_cookie.then_some(headers), session: request.session_id.as_deref() };
    let (row, mut pair) = exchange(app, client, token, conditions).await?;
    let cookies = by_cookie.then(|| cookies::move_tokens(app, &mut pair, &row.session));
    Ok((cookies, Success::data(pair)).into_response())
}

/// What must hold besides, if it is asked for.
#[derive(Default)]
struct Conditions<'a> {
    /// These are of a call that its user meant.
    meant: Option<&'a HeaderMap>,
    /// This is the token's session.
    session: Option<&'a str>,
}

/// The next pair of a token, if it may be exchanged.
async fn exchange(
    app: &App,
    client: &Client,
    token: &str,
    conditions: Conditions<'_>,
) -> Result<(Row, TokenPair)> {
    let Some(token) = RefreshToken::parse(token) else { return unknown(app, client).await };

    let turn = app.limits.turn(Scope::Refresh, client).await;
    let mut db = app.store.pool.acquire().await?;
    let now = app.clock.now();
    let Some(row) = find(app, &mut db, &token, now).await? else {
        drop((db, turn));
        return unknown(app, client).await;
    };
    drop(turn);
    if let Some(headers) = conditions.meant {
        // Nothing can be done with a dead cookie, meant or not, but to clear it.
        if !row.session_lives(app, now) {
            return Err(row.refusal(app, now));
        }
        our_pages::must_be_meant(app, headers, &row.session)?;
    }
    app.limits.take_in_session(Scope::Refresh, client, &row.session).await?;
    if conditions.session.is_some_and(|named| named != row.session.as_str()) {
        return refuse_mismatch(app, &mut db, client, &row).await;
    }
    let exchange = Exchange { app, client, token: &token, now };
    let (row, successor) = exchange.spend(db, row).await?;
    let pair = exchange.pair(&row, &successor);
    Ok((row, pair))
}

/// Refuses a token that nobody here gave out.
async fn unknown<T>(app: &App, client: &Client) -> Result<T> {
    Err(app.limits.unknown(Scope::Refresh, client, Error::DeadRefreshToken).await)
}

async fn refuse_mismatch<T>(
    app: &App,
    db: &mut MySqlConnection,
    client: &Client,
    row: &Row,
) -> Result<T> {
    let event = Event::of(What::Refused, row.user_id)
        .in_session(row.session.as_str())
        .with(json!({ "reason": "session_mismatch" }));
    audit::record_news(db, client, app.clock.now(), event).await?;
    Err(Error::SessionMismatch)
}
