//! The token that a page shows so that a call made with cookies counts: it belongs to the session
//! and cannot be guessed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;

use super::derived::Derived;
use crate::base::random::Random;
use crate::base::session_id::SessionId;
use crate::settings::RefreshSecrets;

/// Precedes what is not the name of a session; those begin with another word.
const FORM: &str = "form ";

/// What a browser keeps so that a form can belong to it.
pub(crate) fn nonce(random: &Random) -> String {
    URL_SAFE_NO_PAD.encode(random.bytes::<32>())
}

/// Makes and checks CSRF tokens.
pub struct Csrf(Derived);

impl Csrf {
    /// Derives its keys from what the operator set.
    pub fn from_secrets(secrets: &RefreshSecrets) -> Self {
        Self(Derived::new(secrets, b"portcullis csrf"))
    }

    /// The session's token.
    pub(crate) fn token(&self, session: &SessionId) -> String {
        let mac = self.0.signing().chain_update(session.as_str());
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// The token of a form that is shown to somebody who is not logged in: it belongs to what their browser
    /// keeps, which is no name of a session.
    pub(crate) fn token_of_form(&self, nonce: &str) -> String {
        let mac = self.0.signing().chain_update(FORM).chain_update(nonce);
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// Whether this is the token of a form in that browser.
    pub(crate) fn is_of_form(&self, nonce: &str, shown: &[u8]) -> bool {
        let mac = URL_SAFE_NO_PAD.decode(shown);
        let made = [FORM, nonce].concat();
        !nonce.is_empty() && mac.is_ok_and(|mac| self.0.made(made.as_bytes(), &mac))
    }

    /// Whether this is the session's token.
    pub(crate) fn is_of(&self, session: &SessionId, shown: &[u8]) -> bool {
        let mac = URL_SAFE_NO_PAD.decode(shown);
        mac.is_ok_and(|mac| self.0.made(session.as_str().as_bytes(), &mac))
    }
}
