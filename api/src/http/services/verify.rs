//! Forward-auth: any method on `/verify` and below asks whether the token of a request is good.
//!
//! For proxies: nginx, Caddy, `HAProxy`, Traefik, Envoy. The hot path of the service. It is answered
//! from the head of the request (`http/request.rs`).

use axum::extract::FromRequestParts;
use axum::http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method};

use crate::App;
use crate::base::error::{Error, Result};
use crate::base::role::Role;
use crate::base::session_id::SessionId;
use crate::sessions::caller::Caller;

/// Who the caller is, as headers for the service behind the proxy.
type Identity = [(HeaderName, HeaderValue); 3];

/// Whose token a request has; nobody's, if a browser asks beforehand whether a page of another origin
/// may call (a CORS preflight): with that it never sends credentials, and it takes nothing but success
/// for yes.
pub struct Asked(Option<Caller>);

impl FromRequestParts<App> for Asked {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        // Some proxies ask with GET, whatever they were asked. Who says so is asked for more, never less,
        // and what cannot be read may be a change.
        let told = parts.headers.get_all("x-forwarded-method").iter().map(HeaderValue::as_bytes);
        let told = told.filter(|method| !method.is_empty());
        let mut told = told.map(|method| Method::from_bytes(method).unwrap_or(Method::POST));
        if let Some(change) = told.find(|method| !method.is_safe()) {
            parts.method = change;
        }
        let says = |name| parts.headers.contains_key(name);
        let is_preflight =
            parts.method == Method::OPTIONS && says(ORIGIN) && says(ACCESS_CONTROL_REQUEST_METHOD);
        match Caller::from_request_parts(parts, app).await {
            Err(Error::NoToken) if is_preflight => Ok(Self(None)),
            caller => caller.map(|caller| Self(Some(caller))),
        }
    }
}

/// `/verify`: 200 with an empty body and the caller's identity, or 401.
#[utoipa::path(
    method(get, post, put, patch, delete, head, options, trace), path = "/verify", tag = "For services",
    summary = "Checks the token of a request",
    security(("bearer" = [])),
    responses((
        status = 200,
        description = "The token is live; the body is empty. So it is, with empty headers, for a CORS \
                       preflight without a token: a service behind a proxy has to answer it",
        headers(
            ("x-auth-user" = u64, description = "The user's id"),
            ("x-auth-session" = SessionId, description = "The id of the session"),
            ("x-auth-role" = Role, description = "The user's role"),
        ),
    )),
)]
pub async fn verify(Asked(caller): Asked) -> Result<Identity> {
    let Some(caller) = caller else { return Ok(identity([EMPTY; 3])) };
    let text = |value: &str| {
        HeaderValue::from_str(value)
            .map_err(|_| Error::Internal("the identity does not fit into a header".into()))
    };
    Ok(identity([
        HeaderValue::from(caller.user_id),
        text(caller.session.as_str())?,
        HeaderValue::from_static(caller.role.as_str()),
    ]))
}

/// Proxies replace what a client says of itself only by headers that are there.
const EMPTY: HeaderValue = HeaderValue::from_static("");

fn identity([user, session, role]: [HeaderValue; 3]) -> Identity {
    [("x-auth-user", user), ("x-auth-session", session), ("x-auth-role", role)]
        .map(|(name, value)| (HeaderName::from_static(name), value))
}
