//! Forward-auth: any method on `/verify` and below asks whether the token of a request is good.
//!
//! For nginx `auth_request`, Traefik and Envoy `ext_authz`. The hot path of the service.

use axum::http::{HeaderName, HeaderValue};

use crate::base::error::{Error, Result};
use crate::base::role::Role;
use crate::base::session_id::SessionId;
use crate::sessions::caller::Caller;

/// Who the caller is, as headers for the service behind the proxy.
type Identity = [(HeaderName, HeaderValue); 3];

/// `/verify`: 200 with an empty body and the caller's identity, or 401.
#[utoipa::path(
    method(get, post, put, patch, delete, head, options, trace), path = "/verify", tag = "For services",
    summary = "Checks the token of a request",
    security(("bearer" = [])),
    responses((status = 200, description = "The token is live; the body is empty", headers(
        ("x-auth-user" = u64, description = "The user's id"),
        ("x-auth-session" = SessionId, description = "The id of the session"),
        ("x-auth-role" = Role, description = "The user's role"),
    ))),
)]
pub async fn verify(caller: Caller) -> Result<Identity> {
    let text = |value: &str| {
        HeaderValue::from_str(value)
            .map_err(|_| Error::Internal("the identity does not fit into a header".into()))
    };
    Ok([
        (HeaderName::from_static("x-auth-user"), HeaderValue::from(caller.user_id)),
        (HeaderName::from_static("x-auth-session"), text(caller.session.as_str())?),
        (HeaderName::from_static("x-auth-role"), HeaderValue::from_static(caller.role.as_str())),
    ])
}
