//! What every request goes through, whatever its route: an id, a bounded body, a deadline, the
//! security headers and one log line.

use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody as _};
use axum::extract::{MatchedPath, Request, State};
use axum::http::Version;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;

use super::oauth_error;
use super::ratelimit_headers;
use crate::App;
use crate::base::allowance::Allowance;
use crate::base::client::RequestId;
use crate::base::error::{Error, Result};
use crate::base::log_targets as log;
use crate::http::problem::Cause;
use crate::metrics;

/// The longest body that is read.
const MAX_BODY: usize = 16 * 1024;
/// The longest body that is thrown away so that its sender gets to read the refusal.
const MAX_DRAINED: usize = 4 * 1024 * 1024;
/// How long a client may take to send its body.
const BODY_DEADLINE: Duration = Duration::from_secs(5);
/// How long a body that nobody reads may pause before its connection is closed.
const PAUSE: Duration = Duration::from_millis(500);
/// What is here and below is answered from the head of a request.
const FORWARD_AUTH: &str = "/api/v1/auth/verify";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Set on every answer, errors included, unless its handler knows better.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
];

/// The middleware around the whole router.
pub(crate) async fn handle(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = id_of(&app, request.headers());
    request.extensions_mut().insert(id.clone());
    let allowance = Allowance::default();
    request.extensions_mut().insert(allowance.clone());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let of_oauth =
        route.as_ref().and_then(|route| oauth_error::media_type(route.as_str(), request.headers()));

    let (request, is_unread) = match must_name_its_host(&request) {
        Ok(()) if answers_from_the_head(route.as_ref()) => {
            let (request, is_unread) = without_body(request);
            (Ok(request), is_unread)
        }
        Ok(()) => (with_body_read(request).await, false),
        Err(refusal) => (Err(refusal), false),
    };
    let mut response = match request {
        Ok(request) => tokio::time::timeout(deadline(&app), next.run(request))
            .await
            .unwrap_or_else(|_| Error::Late.into_response()),
        Err(refusal) => refusal.into_response(),
    };

    let route = route.as_ref().map_or("-", MatchedPath::as_str);
    let took = started.elapsed();
    metrics::answered(&method, route, response.status(), took);
    log(&response, &id, method.as_str(), route, took);
    if let Some(media_type) = of_oauth.filter(|_| !response.status().is_success()) {
        response = oauth_error::add(response, media_type).await;
    }
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.entry(name).or_insert(value);
    }
    if let Some(hsts) = &app.settings.server.hsts.0 {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
    if let Some(quota) = allowance.get() {
        ratelimit_headers::add(headers, quota);
    }
    if let Ok(id) = HeaderValue::try_from(id.as_str()) {
        headers.insert(REQUEST_ID, id);
    }
    if is_unread {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// How long an answer may take. While MySQL is not to be asked nothing comes of waiting for it.
fn deadline(app: &App) -> Duration {
    let stores = &app.settings.stores;
    if app.store.history.is_doubted() { stores.redis_deadline } else { stores.answer_deadline() }
}

/// A request is for one host, and names it (RFC 9110 §7.2, RFC 9112 §3.2); before HTTP/1.1 it need not.
fn must_name_its_host(request: &Request) -> Result<()> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let is_old = request.version() < Version::HTTP_11;
    let is_legal = |host: &HeaderValue| {
        let authority = Authority::try_from(host.as_bytes());
        host.is_empty() || authority.is_ok_and(|host| !host.as_str().contains('@'))
    };
    match (hosts.next(), hosts.next()) {
        (None, _) if is_old => Ok(()),
        (Some(host), None) if is_legal(host) => Ok(()),
        _ => Err(Error::Malformed("Send one Host header, with a host and perhaps a port.")),
    }
}

/// A proxy that asks whether it may let a request in often announces the body of that request, and
/// sends it to somebody else or not at all.
fn answers_from_the_head(route: Option<&MatchedPath>) -> bool {
    let below = route.and_then(|route| route.as_str().strip_prefix(FORWARD_AUTH));
    below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// The request without its body, and whether there is one: then nothing else can be asked over this
/// connection, because nobody waits for where the body ends.
fn without_body(request: Request) -> (Request, bool) {
    if request.body().is_end_stream() {
        return (request, false);
    }
    let (parts, body) = request.into_parts();
    // Who asks before sending is not told to send.
    if !parts.headers.contains_key(header::EXPECT) {
        tokio::spawn(tokio::time::timeout(BODY_DEADLINE, throw_away(body)));
    }
    (Request::from_parts(parts, Body::empty()), true)
}

/// Takes what is on its way, so that its sender gets to read the answer: a connection that is closed
/// with something unread in it is reset.
async fn throw_away(body: Body) {
    let mut stream = body.into_data_stream();
    let mut length = 0_usize;
    while let Ok(Some(Ok(chunk))) = tokio::time::timeout(PAUSE, stream.next()).await {
        length = length.saturating_add(chunk.len());
        if length > MAX_DRAINED {
            break;
        }
    }
}

/// A proxy's id is kept if it is short and plain; anything else is replaced.
fn id_of(app: &App, headers: &HeaderMap) -> RequestId {
    let plain = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(plain);
    let made = || format!("{:016x}", u64::from_le_bytes(app.random.bytes::<8>()));
    given.map_or_else(|| RequestId::new(&made()), RequestId::new)
}

fn log(response: &Response, id: &RequestId, method: &str, route: &str, took: Duration) {
    let status = response.status().as_u16();
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    match response.extensions().get::<Cause>() {
        Some(Cause(cause)) => tracing::error!(
            target: log::REQUEST,
            request_id = id.as_str(), method, route, status, took_us, %cause, "request failed"
        ),
        None => {
            tracing::debug!(
                target: log::REQUEST,
                request_id = id.as_str(),
                method,
                route,
                status,
                took_us,
                "request"
            );
        }
    }
}

/// Reads the body before the deadline starts to run, so that a slow sender spoils only its own
/// time, and no further than its bound.
async fn with_body_read(request: Request) -> Result<Request> {
    if request.body().is_end_stream() {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let bytes =
        tokio::time::timeout(BODY_DEADLINE, read(body)).await.unwrap_or(Err(Error::SlowBody))?;
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

async fn read(body: Body) -> Result<Vec<u8>> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut length = 0_usize;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Error::Malformed("The body could not be read."))?;
        length = length.saturating_add(chunk.len());
        if length <= MAX_BODY {
            bytes.extend_from_slice(&chunk);
        } else if length > MAX_DRAINED {
            break;
        }
    }
    if length > MAX_BODY { Err(Error::TooLarge) } else { Ok(bytes) }
}
