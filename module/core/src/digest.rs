//! What is kept of a token: never the token itself, always this digest.
//!
//! A compact JWS can be respelled without losing its meaning: spare bits in the last base64url
//! character, padding, an ES256 signature `(r, n − s)`. All of that happens after the last dot, so
//! a JWS is digested up to there and every spelling of it is one token. No secret goes in, because
//! rotating a secret must never un-revoke anything.

use core::fmt;

use sha2::{Digest as _, Sha256};

/// SHA-256 over what makes a token that token (RFC 7515 signing input, or all bytes of any other).
///
/// Not reversible, so it may be stored, compared and logged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Digests a token as its holder presents it.
    #[must_use]
    pub fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(jws_signing_input(token).unwrap_or(token)).into())
    }

    /// Takes a digest that was computed by this rule elsewhere.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads exactly 64 hex digits of either case; anything else is not a digest.
    #[must_use]
    pub fn from_hex(hex: &[u8]) -> Option<Self> {
        let (pairs, []) = hex.as_chunks::<2>() else { return None };
        if pairs.len() != 32 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = (nibble(high)? << 4) | nibble(low)?;
        }
        Some(Self(bytes))
    }

    /// The 32 bytes, as `BINARY(32)` columns hold them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hex digits, as `DIGEST hex64` takes them.
    #[must_use]
    pub fn to_hex(self) -> [u8; 64] {
        const HEX: [u8; 16] = *b"0123456789abcdef";
        let mut hex = [0; 64];
        let (pairs, _) = hex.as_chunks_mut::<2>();
        for (pair, byte) in pairs.iter_mut().zip(self.0) {
            *pair = [byte >> 4, byte & 15]
                .map(|nibble| HEX.get(usize::from(nibble)).copied().unwrap_or_default());
        }
        hex
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn nibble(hex: u8) -> Option<u8> {
    char::from(hex).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// `header.payload` of a compact JWS (RFC 7515 §7.1), if the token has that shape.
///
/// The shape is three non-empty parts whose first two start with `eyJ`, which is `{"` in base64url.
/// PASETO (`v4.public.…`) has three parts as well, but no JSON header: it is digested whole.
#[must_use]
pub fn jws_signing_input(token: &[u8]) -> Option<&[u8]> {
    if !token.starts_with(b"eyJ") {
        return None;
    }
    let mut dots = memchr::memchr_iter(b'.', token);
    let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
        return None;
    };
    let (signing_input, signature) = token.split_at_checked(second)?;
    let payload = signing_input.get(first..)?;
    let shaped = payload.starts_with(b".eyJ") && signature.len() > 1;
    shaped.then_some(signing_input)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The empty string's SHA-256, from FIPS 180-4's examples.
    const EMPTY: &[u8] = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn every_spelling_of_a_signature_has_one_digest() {
        let token = Digest::of(b"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.AAAA");
        for signature in ["AAAB", "AAAA==", "AAAA \n", "x"] {
            let respelled = format!("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.{signature}");
            assert_eq!(Digest::of(respelled.as_bytes()), token, "{signature:?}");
        }
    }

    #[test]
    fn any_other_token_counts_to_its_last_byte() {
        for token in [
            "opaque",
            "v4.public.eyJh",
            "v4.public.eyJhIn0.sig",
            "eyJh.eyJh",
            "eyJh.eyJh.",
            "eyJh.abc.sig",
            "eyJh..sig",
            "eyJh.eyJh.s.t",
            "abc.eyJh.sig",
        ] {
            let longer = format!("{token}x");
            assert_ne!(Digest::of(token.as_bytes()), Digest::of(longer.as_bytes()), "{token:?}");
        }
    }

    #[test]
    fn the_digest_is_plain_sha256() {
        assert_eq!(Digest::of(b"").to_hex(), EMPTY);
        let jws = b"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2ln";
        assert_eq!(
            Digest::of(jws),
            Digest::of_signing_input_for_test(b"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9")
        );
    }

    impl Digest {
        fn of_signing_input_for_test(bytes: &[u8]) -> Self {
            Self(Sha256::digest(bytes).into())
        }
    }

    #[test]
    fn hex_of_either_case_is_read_and_nothing_else() {
        assert_eq!(Digest::from_hex(EMPTY), Some(Digest::of(b"")));
        assert_eq!(Digest::from_hex(&EMPTY.to_ascii_uppercase()), Some(Digest::of(b"")));
        assert_eq!(Digest::from_hex(&EMPTY[1..]), None);
        assert_eq!(Digest::from_hex(&[EMPTY, b"0"].concat()), None);
        assert_eq!(Digest::from_hex(&[b'g'; 64]), None);
        assert_eq!(Digest::from_hex(b""), None);
    }
}
