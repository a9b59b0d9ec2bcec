//! Verify once: what tokens say, kept while their keys are there and their time has not passed.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::tokens::Tokens;
use crate::verifier::{Known, Verifier};

/// Tokens that were verified, and what they say.
///
/// It knows nothing of whether a token was ended since: that is what a [`Watch`](crate::Watch) is asked,
/// and a [`Gate`](crate::Gate) does both. By itself it is for whoever has several watches, or more to look
/// at before one is asked.
pub struct Seen<V: Verifier> {
    verifier: V,
    tokens: Tokens<Verified<V::Claims>>,
}

struct Verified<C> {
    known: Arc<Known<C>>,
    /// The keys that there were before it was verified.
    keys: u64,
}

impl<V: Verifier> Seen<V> {
    /// Has tokens verified by `verifier`, and keeps what so many of them say.
    #[must_use]
    pub fn new(verifier: V, most_tokens: usize) -> Self {
        Self { verifier, tokens: Tokens::new(most_tokens) }
    }

    /// What the token says, if it is authentic, whether or not it is still good.
    ///
    /// # Errors
    ///
    /// Whatever the verifier has against it.
    pub async fn known(&self, token: &str) -> Result<Arc<Known<V::Claims>>, V::Refusal> {
        match self.kept(token) {
            Some(known) => Ok(known),
            None => self.verify(token).await,
        }
    }

    /// Has every token verified again.
    pub fn forget_all(&self) {
        self.tokens.clear();
    }

    /// Who verifies tokens.
    #[must_use]
    pub fn verifier(&self) -> &V {
        &self.verifier
    }

    /// What was verified before, with keys that are still there, and whose time has not passed.
    fn kept(&self, token: &str) -> Option<Arc<Known<V::Claims>>> {
        let keys = self.verifier.keys();
        self.tokens.find(token.as_bytes(), |it| {
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
        self.tokens.keep(token.as_bytes(), value, is_dead);
        Ok(known)
    }
}

impl<V: Verifier> fmt::Debug for Seen<V> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Seen").finish_non_exhaustive()
    }
}

/// What verifiers go by. That of the watch is the server's, and either may be wrong.
#[expect(clippy::disallowed_methods, reason = "a token's own time is by the clock on the wall")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}
