//! The envelope of every success: `{"status":"success","data":…,"message":…}`.

use std::borrow::Cow;

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::ledger::change::Propagation;

/// A successful answer.
#[derive(Serialize, ToSchema)]
pub struct Success<T = ()> {
    /// Always `success`.
    #[schema(pattern = "^success$", example = "success")]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = T, required)]
    data: Option<T>,
    /// What happened, in plain words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    message: Option<Cow<'static, str>>,
    /// `pending`: the change has been made, and takes effect everywhere once Redis is back.
    #[serde(skip_serializing_if = "Propagation::is_confirmed")]
    propagation: Propagation,
}

impl Success {
    /// A success that has nothing but a sentence to tell.
    pub fn message(text: &'static str) -> Self {
        Self { message: Some(text.into()), ..Success::empty() }
    }
}

impl<T> Success<T> {
    /// A success that carries data.
    pub fn data(data: T) -> Self {
        Self { data: Some(data), ..Self::empty() }
    }

    /// The same with a sentence beside the data.
    #[must_use]
    pub fn saying(self, text: impl Into<Cow<'static, str>>) -> Self {
        Self { message: Some(text.into()), ..self }
    }

    /// The same, telling whether Redis has heard of the change yet.
    #[must_use]
    pub fn propagated(self, propagation: Propagation) -> Self {
        Self { propagation, ..self }
    }

    fn empty() -> Self {
        Self { status: "success", data: None, message: None, propagation: Propagation::Confirmed }
    }
}

impl<T: Serialize> IntoResponse for Success<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}
