//! A layer that lets nobody in without a token that is good, for whatever speaks `tower` and `http`.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use crate::gate::{Gate, Refused};
use crate::verifier::{Known, Verifier};

/// Admits requests whose `Authorization: Bearer` token a [`Gate`] admits, and puts what the token says
/// into their extensions, as `Arc<Known<Claims>>`.
///
/// All others are answered here, with an empty body and what RFC 6750 says:
///
/// | | status | `WWW-Authenticate` |
/// |---|---|---|
/// | no token | 401 | `Bearer` |
/// | two `Authorization` headers, or `Bearer` without one well-formed token | 400 | `Bearer error="invalid_request"` |
/// | a token that is not valid or not good any more | 401 | `Bearer error="invalid_token"` |
/// | nobody can tell now | 503, `Retry-After: 1` | |
pub struct BearerLayer<V: Verifier>(Gate<V>);

/// What [`BearerLayer`] makes of a service.
pub struct Bearer<S, V: Verifier> {
    inner: S,
    gate: Gate<V>,
}

impl<V: Verifier> BearerLayer<V> {
    /// A layer in front of which this gate stands.
    #[must_use]
    pub fn new(gate: Gate<V>) -> Self {
        Self(gate)
    }
}

impl<S, V: Verifier> Layer<S> for BearerLayer<V> {
    type Service = Bearer<S, V>;

    fn layer(&self, inner: S) -> Bearer<S, V> {
        Bearer { inner, gate: self.0.clone() }
    }
}

impl<S, V, B, R> Service<Request<B>> for Bearer<S, V>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    V: Verifier + 'static,
    V::Claims: 'static,
    V::Refusal: Send,
    B: Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The one that is ready is the one to call.
        let next = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, next);
        let gate = self.gate.clone();
        Box::pin(async move {
            match admitted(&gate, request.headers()).await {
                Ok(known) => {
                    request.extensions_mut().insert(known);
                    inner.call(request).await
                }
                Err(refusal) => Ok(refusal.answer()),
            }
        })
    }
}

async fn admitted<V: Verifier>(
    gate: &Gate<V>,
    headers: &HeaderMap,
) -> Result<Arc<Known<V::Claims>>, Refusal> {
    let token = token(headers)?;
    match gate.admit(token).await {
        Ok(known) => Ok(known),
        Err(Refused::Invalid(why)) if gate.verifier().is_temporary(&why) => {
            Err(Refusal::Unavailable)
        }
        Err(Refused::Invalid(_) | Refused::Dead(_)) => Err(Refusal::Token),
        Err(Refused::Unavailable(_)) => Err(Refusal::Unavailable),
    }
}

/// The one token of a request.
fn token(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let Some(header) = all.next() else { return Err(Refusal::Missing) };
    if all.next().is_some() {
        return Err(Refusal::Request);
    }
    let header = header.to_str().map_err(|_| Refusal::Request)?.trim();
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::Missing);
    }
    let token = token.trim_start();
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || !token.bytes().all(is_legal) {
        return Err(Refusal::Request);
    }
    Ok(token)
}

/// Who is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Missing,
    Request,
    Token,
    Unavailable,
}

impl Refusal {
    fn answer<R: Default>(self) -> Response<R> {
        let (status, header, value) = match self {
            Self::Missing => (StatusCode::UNAUTHORIZED, WWW_AUTHENTICATE, "Bearer"),
            Self::Request => {
                (StatusCode::BAD_REQUEST, WWW_AUTHENTICATE, r#"Bearer error="invalid_request""#)
            }
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                WWW_AUTHENTICATE,
                r#"Bearer error="invalid_token", error_description="the token is not valid any more""#,
            ),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, RETRY_AFTER, "1"),
        };
        let mut response = Response::new(R::default());
        *response.status_mut() = status;
        response.headers_mut().insert(header, HeaderValue::from_static(value));
        response
    }
}

impl<V: Verifier> Clone for BearerLayer<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Clone, V: Verifier> Clone for Bearer<S, V> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), gate: self.gate.clone() }
    }
}

impl<V: Verifier> fmt::Debug for BearerLayer<V> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("BearerLayer").field(&self.0).finish()
    }
}

impl<S: fmt::Debug, V: Verifier> fmt::Debug for Bearer<S, V> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Bearer").field("inner", &self.inner).field("gate", &self.gate).finish()
    }
}
