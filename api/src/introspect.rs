//! `POST /introspect` (RFC 7662) and `/revoke` (RFC 7009), for services that hold a name and a
//! secret (`INTROSPECTION_CLIENTS`).
//!
//! A token that is not live, whatever the reason, is `{"active":false}` and nothing more; revoking
//! what is unknown succeeds.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::Digest;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::App;
use crate::audit::{self, Event};
use crate::body::Form;
use crate::caller::{Caller, authenticate};
use crate::clock::UnixMs;
use crate::ending::{self, Ending, Reason};
use crate::error::{Error, Result};
use crate::logout::blacklist_presented;
use crate::outbox;
use crate::request::Client;
use crate::secret::RefreshToken;
use crate::session_id::SessionId;

/// What both endpoints take. `token_type_hint` is not needed: the two kinds differ in shape.
#[derive(Deserialize)]
pub struct Request {
    token: String,
}

/// A service that authenticated itself (RFC 6749 §2.3.1).
pub struct Service {
    id: String,
}

impl FromRequestParts<App> for Service {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let (id, secret) = basic(parts).ok_or(Error::BadClient)?;
        let clients = app.settings.tokens.introspection_clients().map_err(|_| Error::BadClient)?;
        // Digests are compared, so that the time tells nothing about the secrets.
        let given = Digest::of(secret.as_bytes());
        let known = clients.into_iter().find(|client| {
            client.id == id && Digest::of(client.secret.expose_secret().as_bytes()) == given
        });
        known.map(|client| Self { id: client.id }).ok_or(Error::BadClient)
    }
}

fn basic(parts: &Parts) -> Option<(String, String)> {
    let value = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (id, secret) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| (id.to_owned(), secret.to_owned()))
}

/// Tells whether a token is live, and if so what it says.
pub async fn introspect(
    State(app): State<App>,
    _service: Service,
    Form(request): Form<Request>,
) -> Result<Json<Value>> {
    let live = match RefreshToken::parse(&request.token) {
        Some(token) => about_refresh_token(&app, &token).await?,
        None => about_access_token(&app, &request.token).await?,
    };
    Ok(Json(live.unwrap_or_else(|| json!({ "active": false }))))
}

async fn about_access_token(app: &App, token: &str) -> Result<Option<Value>> {
    let caller = match authenticate(app, token).await {
        Ok(caller) => caller,
        Err(Error::DeadToken) => return Ok(None),
        Err(outage) => return Err(outage),
    };
    let tokens = &app.settings.tokens;
    Ok(Some(json!({
        "active": true,
        "token_type": "Bearer",
        "iss": tokens.jwt_issuer,
        "aud": tokens.jwt_audience,
        "sub": caller.user_id.to_string(),
        "sid": caller.session,
        "jti": caller.jti,
        "iat": caller.issued_at_s,
        "exp": caller.expires_at_s,
        "auth_time": caller.auth_time_s,
        "role": caller.role,
    })))
}

/// A refresh token with its session.
struct Row {
    user_id: u64,
    session: SessionId,
    created_at: UnixMs,
    expires_at: UnixMs,
}

async fn find(app: &App, token: &RefreshToken, now: UnixMs) -> Result<Option<Row>> {
    let digest = token.digest();
    let row = sqlx::query_as!(
        Row,
        r#"select t.user_id, t.session_id as "session: SessionId",
                  t.created_at as "created_at: UnixMs", t.expires_at as "expires_at: UnixMs"
             from refresh_tokens t
             join user_sessions s on s.id = t.session_id
             join users u on u.id = t.user_id
            where t.token_hash = ? and t.is_active and t.expires_at > ?
              and s.is_active and u.is_active
              and (s.idle_timeout_s = 0
                   or s.last_activity > ? - interval s.idle_timeout_s second)"#,
        digest.as_bytes().as_slice(),
        now,
        now,
    )
    .fetch_optional(&app.db)
    .await?;
    Ok(row)
}

async fn about_refresh_token(app: &App, token: &RefreshToken) -> Result<Option<Value>> {
    let row = find(app, token, app.clock.now()).await?;
    Ok(row.map(|row| {
        json!({
            "active": true,
            "token_type": "refresh_token",
            "iss": app.settings.tokens.jwt_issuer,
            "sub": row.user_id.to_string(),
            "sid": row.session,
            "iat": row.created_at.seconds(),
            "exp": row.expires_at.seconds(),
        })
    }))
}

/// Revokes a token: a refresh token with its whole family, an access token by itself.
pub async fn revoke(
    State(app): State<App>,
    client: Client,
    service: Service,
    Form(request): Form<Request>,
) -> Result<StatusCode> {
    let at = app.clock.now();
    let ending = Ending { reason: Reason::Revoked, at, client: &client };
    let by = json!({ "by": service.id });
    let user_id = if let Some(token) = RefreshToken::parse(&request.token) {
        let Some(row) = find(&app, &token, at).await? else { return Ok(StatusCode::OK) };
        let mut tx = app.db.begin().await?;
        ending::end(&mut tx, row.user_id, std::slice::from_ref(&row.session), ending).await?;
        let event =
            Event::of("authn_token_revoked", row.user_id).in_session(row.session.as_str()).with(by);
        audit::record(&mut *tx, &client, at, event).await?;
        tx.commit().await?;
        row.user_id
    } else {
        let caller = match authenticate(&app, &request.token).await {
            Ok(caller) => caller,
            Err(Error::DeadToken) => return Ok(StatusCode::OK),
            Err(outage) => return Err(outage),
        };
        revoke_access_token(&app, &caller, ending, by).await?;
        caller.user_id
    };
    outbox::deliver(&app, user_id).await;
    Ok(StatusCode::OK)
}

async fn revoke_access_token(
    app: &App,
    caller: &Caller,
    ending: Ending<'_>,
    by: Value,
) -> Result<()> {
    let mut tx = app.db.begin().await?;
    blacklist_presented(&mut tx, caller, ending).await?;
    let event = Event::of("authn_token_revoked", caller.user_id)
        .in_session(caller.session.as_str())
        .with(by);
    audit::record(&mut *tx, ending.client, ending.at, event).await?;
    Ok(tx.commit().await?)
}
