//! Tokens whose signature was found good once. What they say is kept while the keys are there that were
//! there then, and is found again by all bytes of the token (`portcullis-client`).
//!
//! Their times are looked at each time, by the clock of this service. Whether they were ended since is
//! not asked here.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portcullis_client::{Known, Seen, Verifier};
use portcullis_core::Digest;

use crate::base::clock::{Clock, Timestamp};
use crate::tokens::access::{Claims, Keys, Refusal};

/// Reads tokens.
pub struct Signed {
    verifier: Ours,
    /// Nothing is kept where no verdicts are.
    kept: Option<Seen<Ours>>,
}

/// What a token of ours says, and its digest.
pub(crate) struct Read {
    pub(crate) claims: Claims,
    pub(crate) digest: Digest,
}

#[derive(Clone)]
struct Ours {
    keys: Arc<Keys>,
    clock: Clock,
}

impl Signed {
    /// Keeps what so many tokens say, as long as verdicts on them are kept.
    pub(crate) fn new(keys: Arc<Keys>, clock: Clock, most: Option<usize>) -> Self {
        let verifier = Ours { keys, clock };
        let kept = most.map(|most| Seen::new(verifier.clone(), most));
        Self { verifier, kept }
    }

    /// What a token says that one of the keys has signed and that is good `now`, by itself.
    pub(super) async fn read(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Arc<Known<Read>>, Refusal> {
        let Some(kept) = &self.kept else { return self.verifier.verify(token).map(Arc::new) };
        let known = kept.known(token).await?;
        if self.verifier.keys.is_out_of_time(&known.claims.claims, now) {
            return Err(Refusal::Expired);
        }
        Ok(known)
    }
}

impl Verifier for Ours {
    type Claims = Read;
    type Refusal = Refusal;

    fn verify(&self, token: &str) -> Result<Known<Read>, Refusal> {
        let claims = self.keys.verify(token, self.clock.now())?;
        let end = Duration::from_millis(self.keys.end(&claims).0);
        Ok(Known {
            subject: claims.user_id.to_string().into(),
            session: Some(claims.session_id.as_str().into()),
            issued_ms: None,
            expires: SystemTime::UNIX_EPOCH + end,
            claims: Read { claims, digest: Digest::of(token.as_bytes()) },
        })
    }

    fn keys(&self) -> u64 {
        self.keys.turns()
    }
}
