//! A form as a browser sends it, and the proof that it is one of ours.

use axum::extract::{FromRequest, Request};
use serde_json::{Map, Value};

use super::shared::Pages;
use crate::base::error::{Error, Result};
use crate::http::body;

/// The fields of a form, of each the first.
pub(super) struct Form(Vec<(String, String)>);

impl FromRequest<Pages> for Form {
    type Rejection = Error;

    async fn from_request(request: Request, _: &Pages) -> Result<Self> {
        body::form(request).await.map(Self)
    }
}

impl Form {
    /// A field, empty if it was not sent.
    pub(super) fn field(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Whether a box is ticked or a button was pressed.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// These fields as the body of a call; what was not sent is left out, and the API says so.
    pub(super) fn body(&self, names: &[&str]) -> Value {
        let sent = names.iter().filter(|name| self.has(name));
        let pairs = sent.map(|name| ((*name).to_owned(), self.field(name).into()));
        Value::Object(pairs.collect::<Map<_, _>>())
    }

    /// These fields as the form shows them again.
    pub(super) fn again(&self, names: &[&str]) -> Value {
        let pairs = names.iter().map(|name| ((*name).to_owned(), self.field(name).into()));
        Value::Object(pairs.collect::<Map<_, _>>())
    }
}
