//! What the token of a request says, as an extractor for axum.

use std::fmt;
use std::sync::Arc;

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::verifier::Known;

/// What the token of this request says. A handler that takes it runs only for requests that a
/// [`BearerLayer`](crate::BearerLayer) has let in; `C` is [`Claims`](crate::Verifier::Claims) of its
/// verifier.
///
/// Without the layer, or with another `C`, the answer is 500 and the log says so.
pub struct Live<C>(pub Arc<Known<C>>);

/// There is no [`BearerLayer`](crate::BearerLayer) with these claims before this handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody has verified this request; put a BearerLayer with these claims before its route")]
pub struct NoLayer;

impl<C, S> FromRequestParts<S> for Live<C>
where
    C: Send + Sync + 'static,
    S: Send + Sync,
{
    type Rejection = NoLayer;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, NoLayer> {
        parts.extensions.get().cloned().map(Self).ok_or(NoLayer)
    }
}

impl IntoResponse for NoLayer {
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl<C> Clone for Live<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: fmt::Debug> fmt::Debug for Live<C> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Live").field(&self.0).finish()
    }
}
