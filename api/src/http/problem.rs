//! What a client is told when a request is not served: RFC 9457 problem details.
//!
//! [`Error::answer`] is the one table of status, code and text. A cause never leaves in an answer: it
//! travels to the request's log line.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::ratelimit_headers;
use crate::base::clock::Timestamp;
use crate::base::error::{Error, Over, Violation};
use crate::base::log_targets as log;
use crate::metrics;

/// What is logged of an error and never sent; `request.rs` finds it among the extensions.
#[derive(Clone)]
pub(super) struct Cause(pub(super) Arc<str>);

/// When to try again after an outage.
const RETRY_AFTER_OUTAGE: Duration = Duration::from_secs(2);
/// For requests that carry no credentials (RFC 6750 §3).
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Bearer realm="portcullis""#);
/// For requests whose credentials are dead.
const CHALLENGE_INVALID: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="portcullis", error="invalid_token""#);
/// For services that call with a name and a secret (RFC 6749 §5.2).
const CHALLENGE_CLIENT: HeaderValue =
    HeaderValue::from_static(r#"Basic realm="portcullis", charset="UTF-8""#);
const CHALLENGE_REQUEST: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="portcullis", error="invalid_request""#);
const CHALLENGE_SCOPE: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="portcullis", error="insufficient_scope""#);

const EMPTY_BEARER: &str = "Send a token after Authorization: Bearer.";
const SESSION_OVER: &str = "The session is over. Log in again.";
const WRONG_PASSWORD: &str = "The current password is wrong.";
const DEAD_LINK: &str = "The link is unknown, already used or expired. Ask for a new one.";
const NO_CSRF_TOKEN: &str = "X-CSRF-Token is missing, or is not the token of this session. Send the \
    value of the cookie __Host-csrf, or csrf_token of GET /me.";
const FOREIGN_PAGE: &str = "The call does not come from one of our pages. Its Origin must be this host \
    or one of CORS_ORIGINS, or Sec-Fetch-Site must be same-origin.";

impl Error {
    /// What the client is told. Causes stay in the log.
    fn answer(&self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::Malformed(why) => (S::BAD_REQUEST, "malformed_request", why),
            Self::Incomplete(_) => {
                (S::BAD_REQUEST, "missing_fields", "Required fields are missing.")
            }
            Self::Unacceptable(_) => {
                (S::UNPROCESSABLE_ENTITY, "unacceptable", "Some values are not acceptable.")
            }
            Self::BadCredentials => {
                (S::UNAUTHORIZED, "bad_credentials", "The e-mail address or the password is wrong.")
            }
            Self::NoToken => (S::UNAUTHORIZED, "no_token", "An access token is required."),
            Self::EmptyBearer => (S::BAD_REQUEST, "empty_bearer", EMPTY_BEARER),
            Self::DeadToken => (S::UNAUTHORIZED, "invalid_token", "The access token is not valid."),
            Self::DeadRefreshToken | Self::NotFromHere => {
                (S::UNAUTHORIZED, "invalid_grant", "The refresh token is not valid. Log in again.")
            }
            Self::SessionOver(_) => (S::UNAUTHORIZED, "invalid_grant", SESSION_OVER),
            Self::DeadEmailToken => (S::UNPROCESSABLE_ENTITY, "invalid_email_token", DEAD_LINK),
            Self::WrongPassword => (S::UNPROCESSABLE_ENTITY, "wrong_password", WRONG_PASSWORD),
            Self::StepUp(_) => {
                (S::UNAUTHORIZED, "insufficient_user_authentication", "Log in again to do this.")
            }
            Self::BadClient => (S::UNAUTHORIZED, "invalid_client", "Client authentication failed."),
            Self::TwoTokens => {
                (S::BAD_REQUEST, "two_tokens", "Send the token in one place, not in two.")
            }
            Self::SessionMismatch => {
                (S::BAD_REQUEST, "session_mismatch", "The session does not belong to this token.")
            }
            Self::NoCsrfToken(_) => (S::FORBIDDEN, "csrf_failed", NO_CSRF_TOKEN),
            Self::ForeignPage => (S::FORBIDDEN, "csrf_failed", FOREIGN_PAGE),
            Self::LastAdmin => (S::CONFLICT, "last_admin", "This is the last administrator."),
            Self::Forbidden => (S::FORBIDDEN, "forbidden", "This is not allowed."),
            Self::NoSuchSession => (S::NOT_FOUND, "session_not_found", "No such session."),
            Self::NotFound => (S::NOT_FOUND, "not_found", "There is nothing here."),
            Self::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method_not_allowed", "See the Allow header.")
            }
            Self::SlowBody => (S::REQUEST_TIMEOUT, "slow_body", "The body did not arrive in time."),
            Self::TooLarge => {
                (S::PAYLOAD_TOO_LARGE, "body_too_large", "The body is longer than 16 KiB.")
            }
            Self::NotJson => {
                (S::UNSUPPORTED_MEDIA_TYPE, "not_json", "Send Content-Type: application/json.")
            }
            Self::NotAForm => {
                let what = "Send Content-Type: application/x-www-form-urlencoded.";
                (S::UNSUPPORTED_MEDIA_TYPE, "not_a_form", what)
            }
            Self::Throttled(_) => (S::TOO_MANY_REQUESTS, "throttled", "Too many requests."),
            Self::Busy | Self::Late | Self::Database(_) => {
                (S::SERVICE_UNAVAILABLE, "unavailable", "Temporarily unavailable; try again.")
            }
            Self::Internal(_) => (S::INTERNAL_SERVER_ERROR, "internal", "Something went wrong."),
        }
    }

    fn headers(&self, status: StatusCode) -> HeaderMap {
        let mut headers = match self {
            Self::Throttled(refusal) => ratelimit_headers::headers_of_refusal(*refusal),
            _ => HeaderMap::new(),
        };
        match self {
            Self::NoToken | Self::BadCredentials => headers.insert(WWW_AUTHENTICATE, CHALLENGE),
            Self::TwoTokens | Self::EmptyBearer => {
                headers.insert(WWW_AUTHENTICATE, CHALLENGE_REQUEST)
            }
            Self::StepUp(max_age) => {
                let challenge = format!(
                    "Bearer realm=\"portcullis\", error=\"insufficient_user_authentication\", \
                     max_age={max_age}"
                );
                HeaderValue::from_str(&challenge)
                    .ok()
                    .and_then(|challenge| headers.insert(WWW_AUTHENTICATE, challenge))
            }
            Self::BadClient => headers.insert(WWW_AUTHENTICATE, CHALLENGE_CLIENT),
            Self::Forbidden => headers.insert(WWW_AUTHENTICATE, CHALLENGE_SCOPE),
            _ if status == StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, CHALLENGE_INVALID)
            }
            _ if status == StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, RETRY_AFTER_OUTAGE.as_secs().into())
            }
            _ => None,
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers
    }

    fn violations(&self) -> Cow<'_, [Violation]> {
        let (_, code, detail) = self.answer();
        let at = |field| vec![Violation::new(field, code, detail)].into();
        match self {
            Self::Incomplete(violations) | Self::Unacceptable(violations) => violations.into(),
            Self::DeadEmailToken => at("token"),
            Self::WrongPassword => at("current_password"),
            _ => Cow::default(),
        }
    }

    const fn over(&self) -> Option<&Over> {
        match self {
            Self::SessionOver(over) => Some(over),
            _ => None,
        }
    }

    fn cause(&self) -> Option<Cause> {
        match self {
            Self::Database(cause) => Some(Cause(cause.to_string().into())),
            Self::Internal(cause) => Some(Cause(cause.as_ref().into())),
            Self::Busy => Some(Cause("all workers are busy and the queue is full".into())),
            Self::Late => Some(Cause("deadline passed".into())),
            _ => None,
        }
    }
}

/// Problem details (RFC 9457), with `status_text` and `message` for clients that expect the older
/// envelope.
#[derive(Serialize, ToSchema)]
pub(crate) struct Problem<'a> {
    #[schema(example = "about:blank")]
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    /// Stable, machine-readable error code.
    code: &'a str,
    status_text: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Violation],
    /// With `csrf_failed`, for our own pages: what to send as `X-CSRF-Token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    csrf_token: Option<&'a str>,
    /// With `invalid_grant` at `/refresh`, if the session is over: what ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, example = "password_change")]
    ended_reason: Option<&'a str>,
    /// With `ended_reason`: when it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Timestamp)]
    ended_at: Option<Timestamp>,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (_, code, _) = self.answer();
        metrics::refused(code);
        tracing::debug!(target: log::PROBLEM, code, "a request is refused");
        let cause = self.cause();
        let mut response = self.parts().into_response();
        if let Some(cause) = cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}

impl Error {
    /// Status, headers and body, as they go out.
    pub(crate) fn parts(self) -> (StatusCode, HeaderMap, Vec<u8>) {
        let (status, code, detail) = self.answer();
        let headers = self.headers(status);
        let problem = Problem {
            r#type: match self {
                Self::Throttled(_) => {
                    "https://iana.org/assignments/http-problem-types#quota-exceeded"
                }
                _ => "about:blank",
            },
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail,
            code,
            status_text: "error",
            message: detail,
            errors: &self.violations(),
            ended_reason: self.over().map(|over| over.reason.as_ref()),
            ended_at: self.over().map(|over| over.at),
            csrf_token: match &self {
                Self::NoCsrfToken(token) => token.as_deref(),
                _ => None,
            },
        };
        (status, headers, serde_json::to_vec(&problem).unwrap_or_default())
    }
}
