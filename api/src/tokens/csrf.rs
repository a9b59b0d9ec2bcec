//! The token that a page shows so that a call made with cookies counts: it belongs to the session
//! and cannot be guessed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use secrecy::SecretString;
use sha2::Sha256;

use super::secret;
use crate::base::session_id::SessionId;

/// Makes and checks CSRF tokens.
pub struct Csrf(Hmac<Sha256>);

impl Csrf {
    /// Derives its key from what the operator set.
    pub fn from_secret(secret: &SecretString) -> Self {
        Self(secret::derived(secret, b"portcullis csrf"))
    }

    /// The session's token.
    pub(crate) fn token(&self, session: &SessionId) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(session).finalize().into_bytes())
    }

    /// Whether this is the session's token.
    pub(crate) fn is_of(&self, session: &SessionId, shown: &[u8]) -> bool {
        let mac = URL_SAFE_NO_PAD.decode(shown);
        mac.is_ok_and(|mac| self.mac(session).verify_slice(&mac).is_ok())
    }

    fn mac(&self, session: &SessionId) -> Hmac<Sha256> {
        self.0.clone().chain_update(session.as_str())
    }
}
