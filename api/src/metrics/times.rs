//! How long each route takes.
//!
//! Every request comes through here, so a histogram is looked up by what the request already has
//! and made only once.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};
use std::time::Duration;

use ::metrics::{Histogram, histogram};
use axum::http::{Method, StatusCode};

/// By route; few methods and statuses belong to one.
type Times = HashMap<String, Vec<(&'static str, StatusCode, Histogram)>>;

static TIMES: LazyLock<RwLock<Times>> = LazyLock::new(RwLock::default);

/// A request was answered.
pub(crate) fn answered(method: &Method, route: &str, status: StatusCode, took: Duration) {
    let method = name(method);
    let is_same =
        |entry: &&(&'static str, StatusCode, Histogram)| (entry.0, entry.1) == (method, status);
    let times = TIMES.read().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, _, histogram)) =
        times.get(route).and_then(|entries| entries.iter().find(is_same))
    {
        histogram.record(took);
        return;
    }
    drop(times);
    let histogram = histogram!(
        "portcullis_http_request_duration_seconds",
        "method" => method, "route" => route.to_owned(), "status" => status.as_str().to_owned(),
    );
    histogram.record(took);
    let mut times = TIMES.write().unwrap_or_else(PoisonError::into_inner);
    times.entry(route.to_owned()).or_default().push((method, status, histogram));
}

/// A client may invent methods; they would be labels for ever.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}
