//! What is derived from a secret that may be replaced: one key makes it, and what earlier ones made is
//! still read.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::place::Place;
use super::secret::{RefreshKey, RefreshToken, derived};
use crate::settings::RefreshSecrets;

/// The key that refresh tokens are made with, and earlier ones, by which a token can be made out that
/// was handed out before the key was replaced.
pub struct RefreshKeys {
    current: RefreshKey,
    old: Vec<RefreshKey>,
}

impl RefreshKeys {
    /// Derives the keys from what the operator set.
    #[must_use]
    pub fn from_secrets(secrets: &RefreshSecrets) -> Self {
        Self {
            current: RefreshKey::from_secret(&secrets.current),
            old: secrets.old.iter().map(RefreshKey::from_secret).collect(),
        }
    }

    /// The token of a place.
    #[must_use]
    pub fn token(&self, place: Place) -> RefreshToken {
        RefreshToken::at(place, &self.current)
    }

    /// The token that was handed out for a place, of which only the digest is known; none, if its key
    /// is not read any more.
    #[must_use]
    pub fn token_again(&self, place: Place, digest: &[u8]) -> Option<RefreshToken> {
        let mut tokens = self.all().map(|key| RefreshToken::at(place, key));
        tokens.find(|token| token.digest().as_bytes() == digest)
    }

    /// The place of a token, if one of the keys has proved it.
    #[must_use]
    pub fn place(&self, token: &RefreshToken) -> Option<Place> {
        self.all().find_map(|key| token.place(key))
    }

    /// The token that is to follow this one in the earlier form.
    #[must_use]
    pub fn successor(&self, token: &RefreshToken) -> RefreshToken {
        token.successor(&self.current)
    }

    /// The token that did follow this one, of which only the digest is known; none, if its key is not
    /// read any more.
    #[must_use]
    pub fn successor_again(&self, token: &RefreshToken, digest: &[u8]) -> Option<RefreshToken> {
        let mut tokens = self.all().map(|key| token.successor(key));
        tokens.find(|next| next.digest().as_bytes() == digest)
    }

    fn all(&self) -> impl Iterator<Item = &RefreshKey> {
        [&self.current].into_iter().chain(&self.old)
    }
}

/// Keys for one purpose: one makes codes, all read them.
pub(crate) struct Derived {
    current: Hmac<Sha256>,
    old: Vec<Hmac<Sha256>>,
}

impl Derived {
    /// Derives the keys from what the operator set.
    pub(crate) fn new(secrets: &RefreshSecrets, purpose: &[u8]) -> Self {
        Self {
            current: derived(&secrets.current, purpose),
            old: secrets.old.iter().map(|secret| derived(secret, purpose)).collect(),
        }
    }

    /// The one in use, before the message.
    pub(crate) fn signing(&self) -> Hmac<Sha256> {
        self.current.clone()
    }

    /// Whether one of the keys made this code of a message.
    pub(crate) fn made(&self, message: &[u8], code: &[u8]) -> bool {
        [&self.current]
            .into_iter()
            .chain(&self.old)
            .any(|key| key.clone().chain_update(message).verify_slice(code).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    #[test]
    fn a_token_and_its_place_are_made_out_again_by_whichever_key_made_it() {
        let secrets = |current: &str, old: &[&str]| RefreshSecrets {
            current: current.into(),
            old: old.iter().map(|secret| (*secret).into()).collect(),
        };
        let place = Place::first(&Random::seeded(1)).next();
        let before = RefreshKeys::from_secrets(&secrets("one", &[])).token(place);
        let digest = *before.digest().as_bytes();
        let keys = RefreshKeys::from_secrets(&secrets("two", &["three", "one"]));
        assert_ne!(keys.token(place).expose(), before.expose());
        assert_eq!(keys.place(&before), Some(place));
        assert_eq!(keys.token_again(place, &digest).unwrap().expose(), before.expose());
        assert!(keys.token_again(place.next(), &digest).is_none());
        let forgetful = RefreshKeys::from_secrets(&secrets("two", &["three"]));
        assert_eq!(forgetful.place(&before), None);
        assert!(forgetful.token_again(place, &digest).is_none());
    }

    #[test]
    fn f_42_a_successor_is_made_out_again_by_whichever_key_derived_it() {
        let secrets = |current: &str, old: &[&str]| RefreshSecrets {
            current: current.into(),
            old: old.iter().map(|secret| (*secret).into()).collect(),
        };
        let token = RefreshToken::random(&Random::seeded(1));
        let before = RefreshKeys::from_secrets(&secrets("one", &[])).successor(&token);
        let digest = *before.digest().as_bytes();
        let keys = RefreshKeys::from_secrets(&secrets("two", &["three", "one"]));
        assert_ne!(keys.successor(&token).expose(), before.expose());
        let again = keys.successor_again(&token, &digest).unwrap();
        assert_eq!(again.expose(), before.expose());
        let forgetful = RefreshKeys::from_secrets(&secrets("two", &["three"]));
        assert!(forgetful.successor_again(&token, &digest).is_none());
    }
}
