//! Verify once, then watch.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use portcullis_core::Verdict;

use crate::answers::Unavailable;
use crate::question::Question;
use crate::tokens::Tokens;
use crate::verifier::{Known, Verifier};
use crate::watch::Watch;

/// Admits tokens that are authentic and good right now.
///
/// A token's signature is verified once; what it says is kept as long as its keys are there and its time
/// has not passed, beside the watch's verdict. Clones are the same gate.
pub struct Gate<V: Verifier>(Arc<Inner<V>>);

struct Inner<V: Verifier> {
    watch: Watch,
    verifier: V,
    seen: Tokens<Verified<V::Claims>>,
}

struct Verified<C> {
    known: Arc<Known<C>>,
    /// The keys that there were before it was verified.
    keys: u64,
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
        let seen = Tokens::new(watch.most_tokens());
        Self(Arc::new(Inner { watch, verifier, seen }))
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
        match self.0.known(token) {
            Some(known) => Ok(known),
            None => self.0.verify(token).await,
        }
    }

    /// Has every token verified and asked about again.
    pub fn forget_all(&self) {
        self.0.seen.clear();
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
        &self.0.verifier
    }
}

impl<V: Verifier> Inner<V> {
    /// What was verified before, with keys that are still there, and whose time has not passed.
    fn known(&self, token: &str) -> Option<Arc<Known<V::Claims>>> {
        let keys = self.verifier.keys();
        self.seen.find(token.as_bytes(), |it| {
            let counts = it.keys == keys && wall_clock() < it.known.expires;
            counts.then(|| Arc::clone(&it.known))
        })?
    }

    async fn verify(&self, token: &str) -> Result<Arc<Known<V::Claims>>, V::Refusal> {
        // Before it is verified: a key that goes meanwhile makes it stale.
        let mut keys = self.verifier.keys();
        let mut verified = self.verifier.verify(token);
        let remedy = verified.as_ref().err().and_then(|refusal| self.verifier.remedy(refusal));
        if let Some(remedy) = remedy {
            remedy.await;
            keys = self.verifier.keys();
            verified = self.verifier.verify(token);
        }
        let known = Arc::new(verified?);
        let now = wall_clock();
        let is_dead = |it: &Verified<V::Claims>| it.keys != keys || now >= it.known.expires;
        let value = Verified { known: Arc::clone(&known), keys };
        self.seen.keep(token.as_bytes(), value, is_dead);
        Ok(known)
    }
}

/// What verifiers go by. That of the watch is the server's, and either may be wrong.
#[expect(clippy::disallowed_methods, reason = "a token's own time is by the clock on the wall")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
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
