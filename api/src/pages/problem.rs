//! A refusal as a person reads it: what is wrong, at which field, and what to do.

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::api::Answer;

/// A refusal as templates show it.
#[derive(Serialize)]
pub(super) struct Problem {
    pub(super) code: String,
    /// What the API says of it, in English; shown if there is no text of our own.
    detail: String,
    /// Whole seconds to wait, if there is anything to wait for.
    pub(super) retry_after: Option<u64>,
    faults: Vec<Fault>,
}

/// What is wrong with one field.
#[derive(Serialize)]
struct Fault {
    field: String,
    code: String,
    detail: String,
}

impl Problem {
    pub(super) fn of(json: &Value, retry_after: Option<u64>) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let fault = |fault: &Value| Fault {
            field: text(&fault["pointer"]).trim_start_matches("#/").to_owned(),
            code: text(&fault["code"]),
            detail: text(&fault["detail"]),
        };
        let faults = json["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        Self {
            code: text(&json["code"]),
            detail: text(&json["detail"]),
            retry_after,
            faults: faults.iter().map(fault).collect(),
        }
    }

    /// One that the page itself has found, at one field.
    pub(super) fn at(field: &str, code: &str) -> Self {
        let fault = Fault { field: field.into(), code: code.into(), detail: String::new() };
        Self {
            code: "unacceptable".into(),
            detail: String::new(),
            retry_after: None,
            faults: vec![fault],
        }
    }
}

impl From<&Answer> for Problem {
    fn from(answer: &Answer) -> Self {
        Self::of(&answer.json, answer.retry_after())
    }
}

/// The status of a form that is shown again. 401 would promise a challenge that browsers know.
pub(super) fn status_of(refusal: &Answer) -> StatusCode {
    match refusal.status {
        StatusCode::UNAUTHORIZED => StatusCode::UNPROCESSABLE_ENTITY,
        status => status,
    }
}
