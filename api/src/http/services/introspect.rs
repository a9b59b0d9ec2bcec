//! `POST /introspect` (RFC 7662) and `/revoke` (RFC 7009), for services that hold a name and a
//! secret (`INTROSPECTION_CLIENTS`).
//!
//! A token that is not live, whatever the reason, is `{"active":false}` and nothing more; revoking
//! what is unknown succeeds. Who may ask, and how, is said in `http/service.rs`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::App;
use crate::base::client::Client;
use crate::base::clock::Timestamp;
use crate::base::error::{Error, Result};
use crate::base::role::Role;
use crate::base::session_id::SessionId;
use crate::http::answer::Success;
use crate::http::service::{Question, TokenForm};
use crate::ledger::change::Propagation;
use crate::sessions::caller::Caller;
use crate::sessions::deed::Deed;
use crate::sessions::ending::Reason;
use crate::sessions::family::Family;
use crate::sessions::live;
use crate::store::audit::{Event, What};
use crate::store::standing::standing;
use crate::tokens::secret::RefreshToken;

/// What a service learns about a token (RFC 7662 §2.2). For a dead token only `active`.
#[derive(Default, Serialize, ToSchema)]
pub struct Introspection {
    /// Whether the token is live.
    active: bool,
    /// `Bearer` or `refresh_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    token_type: Option<&'static str>,
    /// The issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    iss: Option<String>,
    /// The audience.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    aud: Option<String>,
    /// The user's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    sub: Option<String>,
    /// The id of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = SessionId)]
    sid: Option<SessionId>,
    /// The token's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    jti: Option<String>,
    /// When it was issued, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64)]
    iat: Option<u64>,
    /// When it expires, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64)]
    exp: Option<u64>,
    /// When the user last entered the password, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64)]
    auth_time: Option<u64>,
    /// The user's role.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Role)]
    role: Option<Role>,
}

// A refresh token is live for whoever exchanges it and for nobody else: a service that takes what is
// active for an access token must not be let down by one.
/// Tells whether a token is live, and if so what it says. A refresh token is `active` only if
/// `token_type_hint` is `refresh_token`.
#[utoipa::path(
    post, path = "/introspect", tag = "For services",
    summary = "Introspects a token (RFC 7662)",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    security(("client" = [])),
    responses((
        status = 200,
        description = "What is known; for a dead token only that it is inactive",
        body = Introspection,
    )),
    extensions(("x-problems" = json!("invalid_client throttled")))
)]
pub async fn introspect(State(app): State<App>, question: Question) -> Result<Json<Introspection>> {
    let live = match RefreshToken::parse(&question.token) {
        Some(token) if question.hint.as_deref() == Some("refresh_token") => {
            about_refresh_token(&app, &token).await?
        }
        Some(_) => None,
        None => about_access_token(&app, &question.token).await?,
    };
    Ok(Json(live.unwrap_or_default()))
}

async fn about_access_token(app: &App, token: &str) -> Result<Option<Introspection>> {
    let caller = match app.bearer.authenticate(token).await {
        Ok(caller) => caller,
        Err(Error::DeadToken) => return Ok(None),
        Err(outage) => return Err(outage),
    };
    let tokens = &app.settings.tokens;
    Ok(Some(Introspection {
        active: true,
        token_type: Some("Bearer"),
        iss: Some(tokens.jwt_issuer.clone()),
        aud: Some(tokens.jwt_audience.clone()),
        sub: Some(caller.user_id.to_string()),
        sid: Some(caller.session),
        jti: Some(caller.jti),
        iat: Some(caller.issued_at_s),
        exp: Some(caller.expires_at_s),
        auth_time: Some(caller.auth_time_s),
        role: Some(caller.role),
    }))
}

/// A refresh token with its session.
struct Row {
    user_id: u64,
    session: SessionId,
    issued_at: Timestamp,
    expires_at: Timestamp,
    last_activity: Timestamp,
    idle_timeout_s: u32,
}

async fn find(app: &App, token: &RefreshToken, now: Timestamp) -> Result<Option<Row>> {
    let digest = token.digest();
    let row = standing!(query_as!(
        Row,
        r#"select t.user_id, t.session_id as "session: SessionId",
                  coalesce(t.exchanged_at, t.created_at) as "issued_at!: Timestamp",
                  t.expires_at as "expires_at: Timestamp",
                  s.last_activity as "last_activity: Timestamp", s.idle_timeout_s
             from refresh_tokens t
             join user_sessions s on s.id = t.session_id
            where t.token_hash = ? and t.is_active and t.expires_at > ? and "#
            + STANDING,
        digest.as_bytes().as_slice(),
        now,
        now,
    ))
    .fetch_optional(&app.store.pool)
    .await?;
    Ok(row.filter(|row| {
        let (seen, idle_s) = (row.last_activity, row.idle_timeout_s);
        live::is_still_used(&app.ledgers.uses, &row.session, seen, idle_s, now)
    }))
}

async fn about_refresh_token(app: &App, token: &RefreshToken) -> Result<Option<Introspection>> {
    let row = find(app, token, app.clock.now()).await?;
    Ok(row.map(|row| Introspection {
        active: true,
        token_type: Some("refresh_token"),
        iss: Some(app.settings.tokens.jwt_issuer.clone()),
        sub: Some(row.user_id.to_string()),
        sid: Some(row.session),
        iat: Some(row.issued_at.seconds()),
        exp: Some(row.expires_at.seconds()),
        ..Introspection::default()
    }))
}

/// Revokes a token: a refresh token, spent or not, with its whole family, an access token by itself.
#[utoipa::path(
    post, path = "/revoke", tag = "For services",
    summary = "Revokes a token (RFC 7009)",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    security(("client" = [])),
    responses((status = 200, description = "The token is dead, or was never known; the body is empty. \
        Until Redis has heard of it, services that ask Redis themselves may still accept it, and the \
        body is JSON with `\"propagation\": \"pending\"`")),
    extensions(("x-problems" = json!("invalid_client throttled")))
)]
pub async fn revoke(
    State(app): State<App>,
    client: Client,
    question: Question,
) -> Result<Response> {
    let by = json!({ "by": question.service });
    if let Some(token) = RefreshToken::parse(&question.token) {
        if let Some(family) = Family::of(&app.store, &app.refresh_keys, &token).await? {
            return Ok(dead(family.end(&app.ledgers, &client, by).await?));
        }
        return Ok(dead(Propagation::Confirmed));
    }
    match app.bearer.authenticate(&question.token).await {
        Ok(caller) => {
            let revoked = app.store.repeat(|| revoke_access_token(&app, &client, &caller, &by));
            Ok(dead(revoked.await?))
        }
        Err(Error::DeadToken) => Ok(dead(Propagation::Confirmed)),
        Err(outage) => Err(outage),
    }
}

/// OAuth clients go by the status alone (RFC 7009 §2.2), so whatever else is said is for others.
fn dead(propagation: Propagation) -> Response {
    if propagation.is_confirmed() {
        return StatusCode::OK.into_response();
    }
    Success::message("The token is dead").propagated(propagation).into_response()
}

async fn revoke_access_token(
    app: &App,
    client: &Client,
    caller: &Caller,
    by: &Value,
) -> Result<Propagation> {
    let mut deed = Deed::begin(&app.ledgers, client, caller.user_id).await?;
    deed.revoke_token(caller, Reason::Revoked).await?;
    let event = Event::of(What::TokenRevoked, caller.user_id)
        .in_session(caller.session.as_str())
        .with(by.clone());
    Ok(deed.commit(event).await?)
}
