//! Why a request is not served. What a client is told of it, `http/problem.rs` says.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

use crate::base::allowance::Throttled;
use crate::base::clock::Timestamp;

/// The result of every handler.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request was not served.
#[derive(Debug)]
pub enum Error {
    /// The request cannot be understood; the text says why.
    Malformed(&'static str),
    /// The body is JSON of the wrong shape: required fields are missing.
    Incomplete(Vec<Violation>),
    /// The body is well formed but some values are not acceptable.
    Unacceptable(Vec<Violation>),
    /// Unknown user, wrong password, unverified, disabled: never told apart.
    BadCredentials,
    /// The current password, which a logged-in user gave to change something, is wrong.
    WrongPassword,
    /// No access token was sent.
    NoToken,
    /// `Authorization: Bearer` with nothing after it.
    EmptyBearer,
    /// The access token is damaged, expired or dead.
    DeadToken,
    /// The refresh token is unknown or may not be used any more.
    DeadRefreshToken,
    /// The refresh token is known, but its session is over.
    SessionOver(Over),
    /// The refresh token is good, but not from where it was sent.
    NotFromHere,
    /// The token from a mail is unknown, used or too old.
    DeadEmailToken,
    /// The password was given too long ago for this (RFC 9470); seconds that are not too long.
    StepUp(u64),
    /// The calling service is unknown or its secret is wrong.
    BadClient,
    /// The same request carries tokens in two places.
    TwoTokens,
    /// The session named in the request is not the token's own.
    SessionMismatch,
    /// Sent with cookies and without the session's CSRF token, which a page of ours is told.
    NoCsrfToken(Option<String>),
    /// Sent with cookies from a page that is none of ours.
    ForeignPage,
    /// Known, but not allowed to do this.
    Forbidden,
    /// It would leave nobody to administer the service.
    LastAdmin,
    /// There is no such session, or it is somebody else's.
    NoSuchSession,
    /// There is no such thing, or it is somebody else's.
    NotFound,
    /// The path exists, not with this method.
    MethodNotAllowed,
    /// The body did not arrive in time.
    SlowBody,
    /// The body is longer than 16 KiB.
    TooLarge,
    /// The body is not declared to be JSON.
    NotJson,
    /// The body is not declared to be a form.
    NotAForm,
    /// Too many requests.
    Throttled(Throttled),
    /// So much of the same is going on that even the queue is full.
    Busy,
    /// The answer would come too late.
    Late,
    /// The database did not do what it was asked.
    Database(sqlx::Error),
    /// A fault of our own.
    Internal(Cow<'static, str>),
}

/// Why a session is over, and since when. Only its holder is told.
#[derive(Debug)]
pub struct Over {
    /// What ended it: a word of the tables, or `expired` or `idle`.
    pub reason: Cow<'static, str>,
    /// When it ended.
    pub at: Timestamp,
}

/// One unacceptable value, and where it is in the body.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Violation {
    /// JSON pointer as a URI fragment.
    #[schema(example = "#/email")]
    pub pointer: String,
    /// Stable name of the rule, in snake case.
    #[schema(example = "not_an_email")]
    pub code: &'static str,
    /// The rule, in plain words.
    pub detail: String,
}

impl Violation {
    /// A rule that the value at `/field` breaks.
    pub fn new(field: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: format!("#/{field}"), code, detail: detail.into() }
    }
}

impl From<sqlx::Error> for Error {
    fn from(cause: sqlx::Error) -> Self {
        Self::Database(cause)
    }
}

impl From<Throttled> for Error {
    fn from(throttled: Throttled) -> Self {
        Self::Throttled(throttled)
    }
}
