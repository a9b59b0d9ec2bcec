//! What the API has answered to a page's call.

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

/// An answer of the API.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) json: Value,
}

impl Answer {
    /// What is in the envelope; null if the call was refused.
    pub(super) fn data(&self) -> &Value {
        &self.json["data"]
    }

    /// The code of the refusal, empty if there is none.
    pub(super) fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    /// The answer, if the call was served.
    pub(super) fn served(self) -> Result<Self, Box<Self>> {
        if self.status.is_success() { Ok(self) } else { Err(Box::new(self)) }
    }

    /// Whether whoever asked is not logged in.
    pub(super) fn is_signed_out(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
            && ["no_token", "invalid_token", "invalid_grant"].contains(&self.code())
    }

    /// Whether the login is too old for this.
    pub(super) fn wants_a_new_login(&self) -> bool {
        self.code() == "insufficient_user_authentication"
    }

    /// Whether it is about what was entered, or about when: the form is shown again, with all that stands
    /// in it. What else is refused has a page of its own.
    pub(super) fn is_of_the_form(&self) -> bool {
        [400, 409, 422, 429, 503].contains(&self.status.as_u16())
    }

    /// Whether Redis has yet to hear of the change.
    pub(super) fn is_pending(&self) -> bool {
        self.json["propagation"] == "pending"
    }

    /// Whole seconds to wait, if there is anything to wait for.
    pub(super) fn retry_after(&self) -> Option<u64> {
        self.headers.get("retry-after").and_then(seconds)
    }
}

/// The number in `Retry-After`.
pub(super) fn seconds(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.parse().ok()
}
