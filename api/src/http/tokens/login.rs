//! `POST /login-enhanced` and, for old clients, `POST /login`: a password becomes a session.
//!
//! Whatever is wrong, unknown user, wrong password, unverified or disabled account, the answer and
//! its cost are the same. A login always makes a new session; the least recently used
//! ones beyond the cap end in the same transaction, which holds the user's row, so that no number
//! of parallel logins leaves more than the cap.

mod account;
mod begin_session;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::accounts::password::Known;
use crate::base::client::Client;
use crate::base::clock::Timestamp;
use crate::base::device::Device;
use crate::base::error::{Error, Result};
use crate::base::session_id::SessionId;
use crate::http::answer::Success;
use crate::http::body::Body;

use crate::http::cookies::{self, DEVICE, Mode, OLD};
use crate::ledger::change::Propagation;
use crate::limits::Scope;
use crate::sessions::opening::Opened;
use crate::tokens::issue::{Grant, TokenPair};
use crate::tokens::secret::Password;
use account::{Attempted, Stored};
use begin_session::{Begun, begin};

/// Body of `/login` and `/login-enhanced`.
#[derive(Deserialize, ToSchema)]
#[schema(as = LoginRequest)]
pub struct Request {
    /// The account's e-mail address.
    #[schema(example = "ada@example.com")]
    email: String,
    /// The account's password.
    password: Password,
    /// With `cookie` the tokens are sent in cookies that no script can read.
    #[schema(default = "bearer")]
    mode: Option<Mode>,
}

/// A successful login.
#[derive(Serialize, ToSchema)]
pub struct LoggedIn {
    user: User,
    tokens: TokenPair,
    session: Session,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LoggedInUser)]
struct User {
    id: u64,
    email: String,
    first_name: String,
    last_name: String,
    is_active: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = NewSession)]
struct Session {
    id: SessionId,
    device_info: DeviceInfo,
    ip_address: String,
    last_activity: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct DeviceInfo {
    #[serde(flatten)]
    device: Device,
    ip: String,
}

/// The older answer, plus that of `/login-enhanced`.
#[derive(Serialize, ToSchema)]
struct OldBody {
    /// The access token again; omitted in cookie mode.
    #[schema(required = false)]
    token: String,
    #[serde(flatten)]
    success: Success<LoggedIn>,
}

/// What a client may call its device.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "http/client.rs reads the header; this describes it")]
struct DeviceId {
    /// Distinguishes devices with the same browser and system; free form, only the first 128 bytes
    /// count.
    #[param(rename = "X-Device-Id")]
    device_id: Option<String>,
}

/// `POST /login-enhanced`.
#[utoipa::path(
    post, path = "/login-enhanced", tag = "Tokens",
    summary = "Logs in",
    params(DeviceId),
    request_body = Request,
    responses((status = 200, description = "A session has begun", body = Success<LoggedIn>)),
    extensions(("x-problems" = json!("bad_credentials throttled")))
)]
pub async fn login_enhanced(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Body(request): Body<Request>,
) -> Result<Response> {
    let known_device = device_cookie(&app, &request.email);
    let mode = request.mode.unwrap_or_default();
    let (mut logged_in, propagation) = log_in(&app, &client, &headers, request).await?;
    let LoggedIn { tokens, session, .. } = &mut logged_in;
    let cookies = (mode == Mode::Cookie).then(|| cookies::move_tokens(&app, tokens, &session.id));
    let body = Success::data(logged_in).propagated(propagation);
    Ok((AppendHeaders([(SET_COOKIE, known_device)]), cookies, body).into_response())
}

/// `POST /login`: the same with the token on top and in a cookie, unless switched off.
#[utoipa::path(
    post, path = "/login", tag = "Tokens",
    summary = "Logs in, for old clients",
    params(DeviceId),
    request_body = Request,
    responses((
        status = 200,
        description = "A session has begun; the token is also at the top level and in the cookie `jwt`",
        body = OldBody,
    )),
    extensions(("x-problems" = json!("bad_credentials not_found throttled")))
)]
pub async fn login(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Body(request): Body<Request>,
) -> Result<Response> {
    if !app.settings.server.legacy_login {
        return Err(Error::NotFound);
    }
    if request.mode == Some(Mode::Cookie) {
        return login_enhanced(State(app), client, headers, Body(request)).await;
    }
    let known_device = device_cookie(&app, &request.email);
    let (logged_in, propagation) = log_in(&app, &client, &headers, request).await?;
    let access = &logged_in.tokens.access;
    let token = access.token.clone();
    let cookie = format!(
        "{OLD}={token}; Path=/; Max-Age={}; HttpOnly; Secure; SameSite=Lax",
        access.expires_in
    );
    let body = OldBody { token, success: Success::data(logged_in).propagated(propagation) };
    Ok((AppendHeaders([(SET_COOKIE, cookie), (SET_COOKIE, known_device)]), axum::Json(body))
        .into_response())
}

/// Makes the device known, so that strangers' failures at the account do not slow its owner.
fn device_cookie(app: &App, email: &str) -> String {
    let value = app.limits.device_cookie(email, app.random.bytes());
    format!("{DEVICE}={value}; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax")
}

async fn log_in(
    app: &App,
    client: &Client,
    headers: &HeaderMap,
    request: Request,
) -> Result<(LoggedIn, Propagation)> {
    let Request { email, password, .. } = request;
    let device = cookies::value(headers, DEVICE);
    let known = Known::of(app.limits.knows(&email, device));
    let passwords = app.passwords.with_place(known)?;
    app.limits.take(Scope::Login, client).await?;
    let attempt = app.limits.attempt(&email, client, device).await?;
    let attempted = Attempted { email: &email, given: password, passwords };
    let begun = begin(app, client, headers, attempted).await;
    let begun = app.limits.outcome(&attempt, client, begun).await?;
    let Some(Begun { user, role, now, opened, propagation }) = begun else {
        return Err(Error::BadCredentials);
    };
    app.limits.succeeded(&attempt).await;
    let Opened { session, refresh, expires_at, .. } = opened;

    let grant =
        Grant { user_id: user.id, role, session: &session, authenticated_at: now, expires_at };
    let tokens = app.issuer.pair(&grant, &refresh, now);
    let ip = client.ip.to_string();
    let device_info = DeviceInfo { device: client.device.clone(), ip: ip.clone() };
    let session = Session { id: session, device_info, ip_address: ip, last_activity: now };
    let Stored { id, email, first_name, last_name, .. } = user;
    let user = User { id, email, first_name, last_name, is_active: true };
    Ok((LoggedIn { user, tokens, session }, propagation))
}
