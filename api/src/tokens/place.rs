//! The place of a refresh token: which session's it is, and how many came before it.
//!
//! The token carries its place and a code that proves it, so that one row a session is enough: the
//! row has the place of the present token, and who brings an earlier one of the same session has
//! brought a spent one. The reference of a session is random and stands in its tokens alone. So a key
//! that was stolen makes no token by itself, nor does a copy of the database.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::base::random::{Random, from_base64};

/// Which session's a token is.
pub type Reference = [u8; 16];

/// Reference, generation, code.
const LENGTH: usize = 16 + 4 + 32;

/// The place of a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which session's it is.
    pub reference: Reference,
    /// How many came before it.
    pub generation: u32,
}

impl Place {
    /// The first of a session.
    #[must_use]
    pub fn first(random: &Random) -> Self {
        Self { reference: random.bytes(), generation: 0 }
    }

    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { generation: self.generation.saturating_add(1), ..self }
    }

    /// Whether this is spelled like one with its code, proved or not.
    pub(super) fn is_one(text: &str) -> bool {
        from_base64::<LENGTH>(text).is_some()
    }

    /// As tokens spell it, with its code.
    pub(super) fn spelled(self, key: &Hmac<Sha256>) -> String {
        let place = self.bytes();
        let code = key.clone().chain_update(place).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([&place[..], &code].concat())
    }

    /// The place that is spelled so, if the key has proved it.
    pub(super) fn proved(text: &str, key: &Hmac<Sha256>) -> Option<Self> {
        let bytes = from_base64::<LENGTH>(text)?;
        let (place, code) = bytes.split_at(16 + 4);
        key.clone().chain_update(place).verify_slice(code).ok()?;
        let (reference, generation) = place.split_at(16);
        Some(Self {
            reference: reference.try_into().ok()?,
            generation: u32::from_be_bytes(generation.try_into().ok()?),
        })
    }

    fn bytes(self) -> [u8; 16 + 4] {
        let mut bytes = [0; 16 + 4];
        let (reference, generation) = bytes.split_at_mut(16);
        reference.copy_from_slice(&self.reference);
        generation.copy_from_slice(&self.generation.to_be_bytes());
        bytes
    }
}
