//! The one claim that a ledger reads from a token: `exp`, so that a revocation lasts as long as
//! the token it revokes.
//!
//! The signature is not looked at: whoever may revoke may revoke anything, and a wrong `exp` only
//! makes an entry shorter or longer that nobody needs. The bytes are hostile all the same.

use core::fmt;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::jws_signing_input;

/// A payload larger than this carries no `exp` for us. Real ones are below 2 KiB.
const PAYLOAD_MAX: usize = 64 * 1024;

const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The `exp` claim of a JWT (RFC 7519 §4.1.4), in milliseconds since the epoch; negative if the
/// token says so. `None` if the token is no compact JWS or its payload has no numeric `exp`.
///
/// Read as JSON: fractions and exponents count, escaped keys too, the last of duplicates wins.
#[must_use]
pub fn exp_ms(token: &[u8]) -> Option<i64> {
    let signing_input = jws_signing_input(token)?;
    let dot = memchr::memchr(b'.', signing_input)?;
    let (_, payload) = signing_input.split_at_checked(dot.checked_add(1)?)?;
    if payload.len() > PAYLOAD_MAX {
        return None;
    }
    let json = BASE64URL.decode(payload).ok()?;
    let mut reader = serde_json::Deserializer::from_slice(&json);
    let exp_s = reader.deserialize_map(Exp).ok()??;
    reader.end().ok()?;
    Some(to_ms(exp_s))
}

/// Whole milliseconds, rounded down. What is out of reach of any clock is as far as it goes: a
/// claim all the same.
fn to_ms(seconds: f64) -> i64 {
    const FARTHEST_MS: f64 = 9.0e15;
    let ms = (seconds * 1000.0).floor().clamp(-FARTHEST_MS, FARTHEST_MS);
    #[expect(clippy::cast_possible_truncation, reason = "whole and within ±9e15, exact in f64")]
    let ms = ms as i64;
    ms
}

/// Finds the last top-level `exp` that is a number; a last one of another kind leaves none.
struct Exp;

impl<'de> Visitor<'de> for Exp {
    type Value = Option<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object of claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut claims: A) -> Result<Self::Value, A::Error> {
        let mut exp = None;
        while let Some(name) = claims.next_key::<String>()? {
            if name == "exp" {
                exp = claims.next_value::<Value>()?.as_f64();
            } else {
                claims.next_value::<IgnoredAny>()?;
            }
        }
        Ok(exp)
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
    use proptest::prelude::*;
    use rstest::rstest;

    use super::exp_ms;

    fn jwt(payload: &[u8]) -> Vec<u8> {
        format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(payload)).into_bytes()
    }

    #[rstest]
    #[case::whole(r#"{"exp":1700000000}"#, Some(1_700_000_000_000))]
    #[case::fraction(r#"{"exp":1.2345}"#, Some(1_234))]
    #[case::exponent(r#"{"exp":17e8}"#, Some(1_700_000_000_000))]
    #[case::negative(r#"{"exp":-1}"#, Some(-1_000))]
    #[case::escaped_key(r#"{"\u0065xp":5}"#, Some(5_000))]
    #[case::last_of_duplicates(r#"{"exp":1,"exp":2}"#, Some(2_000))]
    #[case::last_is_no_number(r#"{"exp":1,"exp":"2"}"#, None)]
    #[case::nested_only(r#"{"a":{"exp":1}}"#, None)]
    #[case::text(r#"{"exp":"1700000000"}"#, None)]
    #[case::f_44_indented("{\n  \"sub\": \"1\",\n  \"exp\": 5\n}\n", Some(5_000))]
    #[case::f_44_spaced("{ \"exp\": 5 }", Some(5_000))]
    #[case::f_44_white_space_first(" \r\n\t{\"exp\":5}", Some(5_000))]
    #[case::none(r#"{"sub":"1"}"#, None)]
    #[case::out_of_reach(r#"{"exp":1e300}"#, Some(9_000_000_000_000_000))]
    #[case::long_past(r#"{"exp":-1e300}"#, Some(-9_000_000_000_000_000))]
    #[case::no_number_at_all(r#"{"exp":1e999}"#, None)]
    #[case::trailing(r#"{"exp":1}{"exp":2}"#, None)]
    #[case::broken(r#"{"exp":1"#, None)]
    #[case::array(r#"{"x":[1,{"exp":9}],"exp":3}"#, Some(3_000))]
    fn exp_is_read_as_json_reads_it(#[case] payload: &str, #[case] expected: Option<i64>) {
        assert_eq!(exp_ms(&jwt(payload.as_bytes())), expected);
    }

    #[test]
    fn f_44_a_header_may_be_indented() {
        let header = BASE64_URL_SAFE_NO_PAD.encode("{\n  \"alg\": \"none\"\n}");
        assert_eq!(exp_ms(format!("{header}.eyJleHAiOjF9.x").as_bytes()), Some(1_000));
    }

    #[test]
    fn only_a_jws_has_claims() {
        assert_eq!(exp_ms(b"opaque"), None);
        assert_eq!(exp_ms(b"v4.public.eyJleHAiOjF9"), None);
        assert_eq!(exp_ms(b"eyJhbGciOiJIUzI1NiJ9.eyJ!!!.c2ln"), None);
    }

    #[test]
    fn a_payload_beyond_reason_is_not_searched() {
        let padded = format!(r#"{{"exp":1,"pad":"{}"}}"#, "x".repeat(64 * 1024));
        assert_eq!(exp_ms(&jwt(padded.as_bytes())), None);
    }

    proptest! {
        #[test]
        fn hostile_payloads_are_answered(payload in prop::collection::vec(any::<u8>(), 0..200)) {
            let json = [b"{\"exp\":1,".as_slice(), &payload].concat();
            prop_assert!(exp_ms(&jwt(&json)).is_none_or(|ms| ms.abs() <= 9_000_000_000_000_000));
            prop_assert_eq!(exp_ms(&payload), None);
        }

        #[test]
        fn any_whole_second_is_found_among_other_claims(exp in 0_i64..4_000_000_000, sub in ".*") {
            let json = serde_json::json!({ "sub": sub, "exp": exp, "nested": { "exp": 1 } });
            prop_assert_eq!(exp_ms(&jwt(json.to_string().as_bytes())), Some(exp * 1000));
        }
    }
}
