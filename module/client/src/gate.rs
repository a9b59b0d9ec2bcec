//! Verify once, then watch.

use std::fmt;
use std::sync::Arc;

use portcullis_core::Verdict;

use crate::answers::Unavailable;
use crate::question::Question;
use crate::seen::Seen;
use crate::verifier::{Known, Verifier};
use crate::watch::Watch;

/// Admits tokens that are authentic and good right now.
///
/// A token's signature is verified once; what it says is kept as long as its keys are there and its time
/// has not passed, beside the watch's verdict. Clones are the same gate.
pub struct Gate<V: Verifier>(Arc<Inner<V>>);

struct Inner<V: Verifier> {
    watch: Watch,
    seen: Seen<V>,
}

/// Why a token is not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused<R> {
    /// It is not authentic, or its time has passed.
    #[error("the token is not valid: {0}")]
    Invalid(R),
    /// It was good once; this is what it is now.
    #[error("the token is dead: {}", .0.word().to_string_lossy())]
    Dead(Verdict),
    /// Nobody can tell now whether it is still good.
    #[error("it cannot be told whether the token is good: {0}")]
    Unavailable(#[source] Unavailable),
}

impl<V: Verifier> Gate<V> {
    /// A gate that has tokens verified by `verifier` and asks `watch` about them. It keeps what it has
    /// verified of as many tokens as the watch does verdicts, so there must be memory for that too.
    #[must_use]
    pub fn new(watch: Watch, verifier: V) -> Self {
        let seen = Seen::new(verifier, watch.most_tokens());
        Self(Arc::new(Inner { watch, seen }))
    }

    /// What the token says, if it is good now.
    ///
    /// # Errors
    ///
    /// [`Refused`]: not authentic, dead, or nobody can tell.
    pub async fn admit(&self, token: &str) -> Result<Arc<Known<V::Claims>>, Refused<V::Refusal>> {
        let known = self.known(token).await.map_err(Refused::Invalid)?;
        let question = Question {
            subject: &known.subject,
            token: token.as_bytes(),
            session: known.session.as_deref(),
            issued_ms: known.issued_ms,
            expires: Some(known.expires),
        };
        match self.0.watch.check(&question).await {
            Ok(Verdict::Ok) => Ok(known),
            Ok(verdict) => Err(Refused::Dead(verdict)),
            Err(cause) => Err(Refused::Unavailable(cause)),
        }
    }

    /// What the token says, if it is authentic, whether or not it is still good.
    ///
    /// For whoever has more to look at before the watch is asked.
    ///
    /// # Errors
    ///
    /// Whatever the verifier has against it.
    pub async fn known(&self, token: &str) -> Result<Arc<Known<V::Claims>>, V::Refusal> {
        self.0.seen.known(token).await
    }

    /// Has every token verified and asked about again.
    pub fn forget_all(&self) {
        self.0.seen.forget_all();
        self.0.watch.forget_all();
    }

    /// The watch that it asks.
    #[must_use]
    pub fn watch(&self) -> &Watch {
        &self.0.watch
    }

    /// Who verifies its tokens.
    #[must_use]
    pub fn verifier(&self) -> &V {
        self.0.seen.verifier()
    }
}

impl<V: Verifier> Clone for Gate<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V: Verifier> fmt::Debug for Gate<V> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Gate").field("watch", &self.0.watch).finish_non_exhaustive()
    }
}
