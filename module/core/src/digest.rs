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
/// The shape is exactly three non-empty parts of which the first is the beginning of a JSON object
/// in base64url, whatever the payload looks like. PASETO (`v4.public.…`) has three parts as well, but
/// no JSON header, and a JWE has five parts: both are digested whole.
#[must_use]
pub fn jws_signing_input(token: &[u8]) -> Option<&[u8]> {
    if !begins_json_object(token) {
        return None;
    }
    let mut dots = memchr::memchr_iter(b'.', token);
    let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
        return None;
    };
    let (signing_input, signature) = token.split_at_checked(second)?;
    let payload = signing_input.get(first..)?;
    (payload.len() > 1 && signature.len() > 1).then_some(signing_input)
}

/// Whether base64url begins with `{` and then `"`, `}` or JSON white space, told by its characters:
/// the first holds six bits of the brace, the second its other two and four bits of what follows,
/// the third the other four, and two bits of whatever comes then.
#[inline]
const fn begins_json_object(base64url: &[u8]) -> bool {
    let [b'e', second, third, ..] = base64url else { return false };
    match second {
        // Quotation mark; space.
        b'y' => matches!(third, b'I'..=b'L' | b'A'..=b'D'),
        // Tab; line feed; carriage return.
        b'w' => matches!(third, b'k'..=b'n' | b'o'..=b'r' | b'0'..=b'3'),
        // Closing brace.
        b'3' => matches!(third, b'0'..=b'3'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};

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
            "eyJh..sig",
            "eyMh.eyJh.sig",
            "ey.eyJh.sig",
            ".eyJh.sig",
            "eyJh.eyJh.s.t",
            "abc.eyJh.sig",
        ] {
            let longer = format!("{token}x");
            assert_ne!(Digest::of(token.as_bytes()), Digest::of(longer.as_bytes()), "{token:?}");
        }
    }

    #[test]
    fn f_44_a_header_may_begin_as_json_may_begin_and_with_nothing_else() {
        for second in 0..=u8::MAX {
            for third in 0..=u8::MAX {
                let header = BASE64_URL_SAFE_NO_PAD.encode([b'{', second, third]);
                let jws = format!("{header}.payload.sig");
                let is_json = b"\"} \t\n\r".contains(&second);
                let expected = is_json.then(|| jws.strip_suffix(".sig").unwrap_or_default());
                assert_eq!(jws_signing_input(jws.as_bytes()), expected.map(str::as_bytes), "{jws}");
            }
        }
        for other in [b"[\"a".as_slice(), b"\"{\"", b" {\"", b"z{\""] {
            let jws = format!("{}.payload.sig", BASE64_URL_SAFE_NO_PAD.encode(other));
            assert_eq!(jws_signing_input(jws.as_bytes()), None, "{jws}");
        }
        assert_eq!(jws_signing_input(b"e30.e30.s"), Some(b"e30.e30".as_slice()));
    }

    #[test]
    fn f_44_a_payload_may_look_like_anything() {
        for payload in ["ewogICJzdWIi", "eyAic3ViIjog", "aGVsbG8", "x"] {
            let token = |signature| format!("eyJhbGciOiJFUzI1NiJ9.{payload}.{signature}");
            let digests = ["AAAA", "AAAB", "AAAA=="].map(|it| Digest::of(token(it).as_bytes()));
            assert!(digests.iter().all(|it| *it == digests[0]), "{payload}");
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
