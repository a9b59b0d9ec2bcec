//! Who is calling: a live access token, or a refusal.
//!
//! The token's own claims are checked first, then Redis is asked whether it is still good. When
//! Redis cannot say or is not believed, MySQL can (`fallback.rs`). So it is when a believed Redis
//! does not know the session, or calls it idle or logged out: a session that is not in its ledger
//! yet is no dead one, nor is one of whose last use Redis has not heard. Only what it calls revoked
//! stays so. No verdict at all is a refusal.

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE, HeaderMap};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method};
use portcullis_core::{Digest, Verdict};

use crate::App;
use crate::base::client::Client;
use crate::base::clock::UnixMs;
use crate::base::error::{Error, Result};
use crate::base::log;
use crate::base::role::Role;
use crate::base::session_id::SessionId;
use crate::http::cookies;
use crate::ledger::repair;
use crate::sessions::fallback;
use crate::sessions::gate;
use crate::tokens::access::Claims;

/// The cookie of the older login; it counts as a bearer token on GET only.
pub(crate) const OLD_COOKIE: &str = "jwt";

/// Somebody who sent a live access token.
pub struct Caller {
    /// The user.
    pub user_id: u64,
    /// The session that the token belongs to.
    pub session: SessionId,
    /// What the user may do.
    pub role: Role,
    /// The token's own name.
    pub jti: String,
    /// When the token was made.
    pub issued_at_s: u64,
    /// When the password was last given.
    pub auth_time_s: u64,
    /// When the token dies.
    pub expires_at_s: u64,
    /// The token's digest, for ending it.
    pub digest: Digest,
    /// Whether the token came in the cookie of cookie mode, so that the next one should as well.
    pub by_cookie: bool,
}

impl FromRequestParts<App> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Presented { token, by_cookie } = token_in(&parts.headers, &parts.method)?;
        let caller = Self { by_cookie, ..check(app, token).await? };
        if by_cookie && !parts.method.is_safe() {
            app.csrf.check(&parts.headers, &caller.session)?;
        }
        let named = parts.headers.get("x-session-id").map(HeaderValue::as_bytes);
        if named.is_some_and(|named| named != caller.session.as_str().as_bytes()) {
            return Err(Error::SessionMismatch);
        }
        must_be_admitted(app, parts, &caller).await?;
        app.activity.note(caller.user_id, &caller.session).await;
        Ok(caller)
    }
}

impl Caller {
    fn new(claims: Claims, digest: Digest) -> Self {
        let Claims { user_id, session_id, jti, issued_at_s, expires_at_s, .. } = claims;
        let Claims { auth_time_s, role, .. } = claims;
        let session = session_id;
        let by_cookie = false;
        Self {
            user_id,
            session,
            role,
            jti,
            issued_at_s,
            auth_time_s,
            expires_at_s,
            digest,
            by_cookie,
        }
    }

    /// Sensitive changes want a password that was given lately (R-11, RFC 9470).
    pub fn must_have_logged_in_lately(&self, app: &App) -> Result<()> {
        let window = app.settings.sessions.step_up_window;
        let authenticated_at = UnixMs::from_seconds(self.auth_time_s);
        if app.clock.now().since(authenticated_at) > window {
            return Err(Error::StepUp(window.as_secs()));
        }
        Ok(())
    }
}

/// What the user may do now. A token that says more was made before it was taken away (R-13), so
/// the power of an administrator is never believed from a token.
pub(crate) async fn role(app: &App, user_id: u64) -> Result<Role> {
    let role = sqlx::query_scalar!(
        r#"select role as "role: Role" from users where id = ? and is_active"#,
        user_id,
    );
    role.fetch_optional(&app.store.pool).await?.ok_or(Error::DeadToken)
}

/// Checks a token that came by way of somebody else, and tells whose it is. That counts as use.
pub(crate) async fn authenticate(app: &App, token: &str) -> Result<Caller> {
    let caller = check(app, token).await?;
    app.activity.note(caller.user_id, &caller.session).await;
    Ok(caller)
}

/// Refuses a session that is used from elsewhere, if the operator wants that.
async fn must_be_admitted(app: &App, parts: &mut Parts, caller: &Caller) -> Result<()> {
    if app.gate.is_open() {
        return Ok(());
    }
    let Ok(client) = Client::from_request_parts(parts, app).await;
    if gate::admits(app, &client, caller.user_id, &caller.session).await? {
        Ok(())
    } else {
        Err(Error::DeadToken)
    }
}

async fn check(app: &App, token: &str) -> Result<Caller> {
    let now = app.clock.now();
    let claims = app.keys.verify(token, now).map_err(|_| Error::DeadToken)?;
    let mut caller = Caller::new(claims, Digest::of(token.as_bytes()));
    match app.ledgers.check(caller.user_id, caller.digest, &caller.session).await {
        Ok(Verdict::Ok) => {}
        Ok(Verdict::Revoked) => return Err(Error::DeadToken),
        Ok(Verdict::NoSession | Verdict::Idle) => {
            fallback::must_live(app, &caller, now).await?;
            repair::put_back_later(&app.ledgers, caller.user_id);
        }
        // Nothing is put back: a watermark in Redis never moves back.
        Ok(Verdict::LoggedOut) => fallback::must_live(app, &caller, now).await?,
        Err(cause) => {
            tracing::debug!(target: log::CALLER, %cause, "Redis gave no verdict");
            fallback::must_live(app, &caller, now).await?;
        }
    }
    if caller.role == Role::Admin {
        caller.role = role(app, caller.user_id).await?;
    }
    Ok(caller)
}

/// A token as it came.
pub(crate) struct Presented<'a> {
    pub(crate) token: &'a str,
    by_cookie: bool,
}

/// The one token of a request (RFC 6750 §2, R-30).
pub(crate) fn token_in<'a>(headers: &'a HeaderMap, method: &Method) -> Result<Presented<'a>> {
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    let bearer = sent.next().map(bearer).transpose()?;
    let ours = cookie(headers, cookies::ACCESS);
    let cookie = ours.or(cookie(headers, OLD_COOKIE).filter(|_| *method == Method::GET));
    match (bearer, cookie, sent.next()) {
        (_, _, Some(_)) | (Some(_), Some(_), _) => Err(Error::TwoTokens),
        (Some(token), None, None) => Ok(Presented { token, by_cookie: false }),
        (None, Some(token), None) => Ok(Presented { token, by_cookie: ours.is_some() }),
        (None, None, None) => Err(Error::NoToken),
    }
}

fn bearer(value: &HeaderValue) -> Result<&str> {
    let text = value.to_str().map_err(|_| Error::DeadToken)?;
    let (scheme, token) = text.split_once(' ').ok_or(Error::NoToken)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token) } else { Err(Error::NoToken) }
}

/// The value of a cookie; an empty one is none.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, value)| (found == name && !value.is_empty()).then_some(value))
}
