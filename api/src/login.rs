//! `POST /login-enhanced` and, for old clients, `POST /login`: a password becomes a session.
//!
//! Whatever is wrong, unknown user, wrong password, unverified or disabled account, the answer and
//! its cost are the same. A login always makes a new session; the least recently used
//! ones beyond the cap end in the same transaction, which holds the user's row, so that no number
//! of parallel logins leaves more than the cap.

mod account;

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, Method};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::answer::Success;
use crate::audit::{self, Event};
use crate::body::Body;
use crate::caller::{OLD_COOKIE, authenticate, cookie, token_in};
use crate::clock::UnixMs;
use crate::cookies::{self, Mode};
use crate::device::Device;
use crate::ending::{self, Ending, Reason};
use crate::error::{Error, Result};
use crate::held::{self, Checked};
use crate::issue::{Grant, TokenPair, token_pair};
use crate::ledger::Fence;
use crate::limit::Scope;
use crate::new_device;
use crate::opening::{self, Beginning, Opened};
use crate::outbox::{self, Propagation};
use crate::refresh_tokens::family_of;
use crate::request::Client;
use crate::secret::{Password, RefreshToken};
use crate::session_id::SessionId;
use crate::token::Role;
use crate::transaction::{Transaction, repeat};
use account::{Stored, check_again, check_password, refused};

/// Names a device that has logged in before.
pub(crate) const DEVICE_COOKIE: &str = "__Host-device";

/// What a login takes.
#[derive(Deserialize, ToSchema)]
#[schema(as = LoginRequest)]
pub struct Request {
    /// Of the account.
    #[schema(example = "ada@example.com")]
    email: String,
    /// As it was registered.
    password: Password,
    /// `cookie`: the tokens travel in cookies that no script can read.
    #[serde(default)]
    #[schema(default = "bearer")]
    mode: Mode,
}

/// What a login gives.
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
    last_activity: UnixMs,
}

#[derive(Serialize, ToSchema)]
struct DeviceInfo {
    #[serde(flatten)]
    device: Device,
    ip: String,
}

/// The body of old plus what `/login-enhanced` says.
#[derive(Serialize, ToSchema)]
struct OldBody {
    /// The access token once more; left out with cookies.
    #[schema(required = false)]
    token: String,
    #[serde(flatten)]
    success: Success<LoggedIn>,
}

/// What a client may call its device.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "request.rs reads the header; this describes it")]
struct DeviceId {
    /// Told apart from others with the same browser and system; of any form, 128 bytes count.
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
    let mode = request.mode;
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
        description = "A session has begun; the token is also on top and in the cookie `jwt`",
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
        return Err(Error::NotFound("route"));
    }
    if request.mode == Mode::Cookie {
        return login_enhanced(State(app), client, headers, Body(request)).await;
    }
    let known_device = device_cookie(&app, &request.email);
    let (logged_in, propagation) = log_in(&app, &client, &headers, request).await?;
    let access = &logged_in.tokens.access;
    let token = access.token.clone();
    let cookie = format!(
        "{OLD_COOKIE}={token}; Path=/; Max-Age={}; HttpOnly; Secure; SameSite=Lax",
        access.expires_in
    );
    let body = OldBody { token, success: Success::data(logged_in).propagated(propagation) };
    Ok((AppendHeaders([(SET_COOKIE, cookie), (SET_COOKIE, known_device)]), axum::Json(body))
        .into_response())
}

/// Makes the device known, so that strangers' failures at the account do not slow its owner.
fn device_cookie(app: &App, email: &str) -> String {
    let value = app.limits.device_cookie(&spelled(email), app.random.bytes());
    format!("{DEVICE_COOKIE}={value}; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax")
}

/// An address as it is stored and counted.
fn spelled(email: &str) -> String {
    email.trim().to_lowercase()
}

async fn log_in(
    app: &App,
    client: &Client,
    headers: &HeaderMap,
    request: Request,
) -> Result<(LoggedIn, Propagation)> {
    app.limits.take(Scope::Login, client).await?;
    let email = spelled(&request.email);
    let device = cookie(headers, DEVICE_COOKIE);
    let attempt = app.limits.attempt(&email, client, device).await?;
    let begun = begin(app, client, headers, (&email, request.password)).await;
    let begun = app.limits.outcome(&attempt, client, begun).await?;
    let Some(Begun { user, role, now, opened, propagation }) = begun else {
        return Err(Error::BadCredentials);
    };
    app.limits.succeeded(&attempt).await;
    let Opened { session, refresh, expires_at } = opened;
    if app.settings.accounts.notify_new_device && !app.limits.knows(&email, device) {
        new_device::tell_later(app, client, user.id, email, session.clone());
    }

    let grant =
        Grant { user_id: user.id, role, session: &session, authenticated_at: now, expires_at };
    let tokens = token_pair(app, &grant, &refresh, now);
    let ip = client.ip.to_string();
    let device_info = DeviceInfo { device: client.device.clone(), ip: ip.clone() };
    let session = Session { id: session, device_info, ip_address: ip, last_activity: now };
    let Stored { id, email, first_name, last_name, .. } = user;
    let user = User { id, email, first_name, last_name, is_active: true };
    Ok((LoggedIn { user, tokens, session }, propagation))
}

/// A login that is done.
struct Begun {
    user: Stored,
    role: Role,
    now: UnixMs,
    opened: Opened,
    propagation: Propagation,
}

/// Begins a session if the password is good, and still is when the session begins: hashing takes
/// its time, and whoever changes a password wants everybody out who had the old one.
async fn begin(
    app: &App,
    client: &Client,
    headers: &HeaderMap,
    (email, given): (&str, Password),
) -> Result<Option<Begun>> {
    // Asked for now, a fence costs no time: whatever ends the session comes after it.
    let (checked, fence) =
        tokio::join!(check_password(app, client, email, given.clone()), app.ledger.fence());
    let (Some(mut user), fence) = (checked?, fence.ok()) else { return Ok(None) };
    let presented = presented_session(app, headers, user.id).await;
    loop {
        let begun =
            repeat(app, || begin_session(app, client, presented.as_ref(), (&user, fence.clone())));
        let in_force = match begun.await? {
            Checked::Replaced(in_force) => in_force,
            Checked::Done(Some((role, now, opened, propagation))) => {
                return Ok(Some(Begun { user, role, now, opened, propagation }));
            }
            Checked::Done(None) => {
                refused(app, client, Some(user.id)).await?;
                return Ok(None);
            }
        };
        let checked = check_again(app, client, user, (in_force, given.clone())).await?;
        let Some(still) = checked else { return Ok(None) };
        user = still;
    }
}

/// Begins a session in place of the one that the client may still hold, and tells when it began;
/// none, if the user may not log in any more.
async fn begin_session(
    app: &App,
    client: &Client,
    presented: Option<&SessionId>,
    (user, fence): (&Stored, Option<Fence>),
) -> Result<Checked<Option<(Role, UnixMs, Opened, Propagation)>>> {
    let mut tx = Transaction::begin(&app.db).await?;
    let held = held::user(&mut tx, user.id).await?;
    let Some(held) = held.filter(|held| held.may_log_in(app)) else {
        return Ok(Checked::Done(None));
    };
    if held.password_hash != user.password_hash {
        return Ok(Checked::Replaced(held.password_hash));
    }
    let now = app.clock.now();
    if let Some(old) = presented {
        let ending = Ending { reason: Reason::Replaced, at: now, client };
        ending::end(&mut tx, user.id, std::slice::from_ref(old), ending).await?;
    }
    let beginning = Beginning { now, created_at: held.next_beginning(now) };
    let opened = opening::open(app, &mut tx, user.id, client, beginning).await?;
    let event = Event::of("authn_login_success", user.id).in_session(opened.session.as_str());
    audit::record(&mut tx, client, now, event).await?;
    let propagation = outbox::commit_fenced(app, tx, user.id, fence).await?;
    Ok(Checked::Done(Some((held.role, now, opened, propagation))))
}

/// The session of a token that came with the login, if it is the same user's.
async fn presented_session(app: &App, headers: &HeaderMap, user_id: u64) -> Option<SessionId> {
    // The old cookie counts here whatever the method, because it is only ever ended.
    if let Ok(token) = token_in(headers, &Method::GET)
        && let Ok(caller) = authenticate(app, token.token).await
    {
        return (caller.user_id == user_id).then_some(caller.session);
    }
    // A browser drops the access token first.
    let token = RefreshToken::parse(cookie(headers, cookies::REFRESH)?)?;
    let family = family_of(app, &token).await.ok()??;
    (family.user_id == user_id).then_some(family.session)
}
