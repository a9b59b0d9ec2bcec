//! What every request goes through, whatever its route: an id, a bounded body, a deadline, the
//! security headers and one log line.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody as _};
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;

use crate::App;
use crate::base::device::Device;
use crate::base::error::{Cause, Error, Result};
use crate::base::log;
use crate::limits::Allowance;
use crate::metrics;

/// The longest body that is read.
const MAX_BODY: usize = 16 * 1024;
/// The longest body that is thrown away so that its sender gets to read the refusal.
const MAX_DRAINED: usize = 4 * 1024 * 1024;
/// How long a client may take to send its body.
const BODY_DEADLINE: Duration = Duration::from_secs(5);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Set on every answer, errors included, unless its handler knows better.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        header::STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static("max-age=63072000; includeSubDomains"),
    ),
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

/// Who sent the request and with what, for limits, device lists and the audit trail.
#[derive(Clone)]
pub struct Client {
    /// The client's own address, proxies looked through.
    pub ip: std::net::IpAddr,
    /// `User-Agent`, cut to what its column holds.
    pub user_agent: String,
    /// What the User-Agent says about the device.
    pub device: Device,
    /// The id that the answer and the log line carry.
    pub request_id: RequestId,
    /// What the limits have left for the client.
    pub(crate) allowance: Allowance,
}

impl Client {
    /// Somebody at a command line of ours.
    pub(crate) fn operator() -> Self {
        Self {
            ip: std::net::Ipv4Addr::LOCALHOST.into(),
            user_agent: String::new(),
            device: Device::unrecorded(),
            request_id: RequestId::none(),
            allowance: Allowance::default(),
        }
    }
}

/// Names one request in its answer, in the log and in the audit trail.
#[derive(Clone)]
pub struct RequestId(pub HeaderValue);

impl RequestId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    const fn none() -> Self {
        Self(HeaderValue::from_static("-"))
    }

    /// A proxy's id is kept if it is short and plain; anything else is replaced.
    fn of(app: &App, headers: &HeaderMap) -> Self {
        let plain = |id: &&HeaderValue| {
            (1..=64).contains(&id.len())
                && id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
        };
        let given = headers.get(REQUEST_ID).filter(plain).cloned();
        let made = || {
            let id = u64::from_le_bytes(app.random.bytes::<8>());
            HeaderValue::try_from(format!("{id:016x}")).unwrap_or(HeaderValue::from_static("-"))
        };
        Self(given.unwrap_or_else(made))
    }
}

/// The middleware around the whole router.
pub(crate) async fn handle(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(&app, request.headers());
    request.extensions_mut().insert(id.clone());
    let allowance = Allowance::default();
    request.extensions_mut().insert(allowance.clone());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();

    let mut response = match with_body_read(request).await {
        Ok(request) => tokio::time::timeout(app.deadline(), next.run(request))
            .await
            .unwrap_or_else(|_| Error::Late.into_response()),
        Err(refusal) => refusal.into_response(),
    };

    let route = route.as_ref().map_or("-", MatchedPath::as_str);
    let took = started.elapsed();
    metrics::answered(&method, route, response.status(), took);
    log(&response, &id, method.as_str(), route, took);
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS.into_iter().chain(allowance.headers()) {
        headers.entry(name).or_insert(value);
    }
    headers.insert(REQUEST_ID, id.0);
    response
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

impl FromRequestParts<App> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let text = |name: &str| parts.headers.get(name).map(HeaderValue::as_bytes);
        let user_agent = text("user-agent").map(String::from_utf8_lossy).unwrap_or_default();
        let device_id = text("x-device-id").map(String::from_utf8_lossy);
        Ok(Self {
            ip: address(app, parts),
            device: if app.settings.sessions.device_fingerprinting {
                Device::from_user_agent(Some(&user_agent), device_id.as_deref())
            } else {
                Device::unrecorded()
            },
            user_agent: user_agent.chars().filter(|c| !c.is_control()).take(512).collect(),
            request_id: parts.extensions.get().cloned().unwrap_or_else(RequestId::none),
            allowance: parts.extensions.get().cloned().unwrap_or_default(),
        })
    }
}

fn address(app: &App, parts: &Parts) -> std::net::IpAddr {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(std::net::Ipv4Addr::LOCALHOST.into(), |ConnectInfo(peer)| peer.ip());
    app.limits.client_address(peer, &parts.headers)
}
