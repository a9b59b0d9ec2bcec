//! The one home of randomness: whoever needs some is given a [`Random`].

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Where randomness comes from: the operating system, or a test's seed.
#[derive(Clone)]
pub struct Random(Option<Arc<Mutex<StdRng>>>);

impl Random {
    /// A generator seeded and reseeded by the operating system.
    #[must_use]
    pub const fn system() -> Self {
        Self(None)
    }

    /// A generator that always gives the same bytes in the same order.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// The next `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            Some(seeded) => {
                seeded.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
            }
            None => fill_from_system(&mut bytes),
        }
        bytes
    }

    pub(crate) fn base64<const N: usize>(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes::<N>())
    }
}

#[expect(clippy::disallowed_methods, reason = "the one home of the system's generator")]
fn fill_from_system(bytes: &mut [u8]) {
    rand::rng().fill_bytes(bytes);
}

/// Whether `text` is 32 bytes in base64url, in their one canonical spelling.
pub(crate) fn is_base64_of_32_bytes(text: &str) -> bool {
    from_base64::<32>(text).is_some()
}

/// The bytes that `text` is in base64url, if it is so many and in their one canonical spelling.
pub(crate) fn from_base64<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != (N * 4).div_ceil(3) {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_the_system_does_not() {
        assert_eq!(Random::seeded(7).bytes::<32>(), Random::seeded(7).bytes::<32>());
        assert_ne!(Random::system().bytes::<32>(), Random::system().bytes::<32>());
    }
}
