//! The `exp` of a token: read from any bytes, and as a plain JSON parser reads it.
#![no_main]

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use portcullis_core::{Digest, exp_ms};
use serde_json::{Map, Value};

fuzz_target!(|payload: &[u8]| {
    let _ = exp_ms(payload);
    let encoded = BASE64_URL_SAFE_NO_PAD.encode(payload);
    let [token, respelled] =
        ["c2ln", "xxxx"].map(|signature| format!("eyJhbGciOiJIUzI1NiJ9.{encoded}.{signature}"));
    let is_jwt = encoded.starts_with("eyJ");
    if is_jwt {
        assert_eq!(Digest::of(token.as_bytes()), Digest::of(respelled.as_bytes()));
    }
    if let Ok(claims) = serde_json::from_slice::<Map<String, Value>>(payload) {
        let plainly = claims.get("exp").and_then(Value::as_f64);
        let plainly = plainly.map(|seconds| (seconds * 1e3).floor().clamp(-9e15, 9e15) as i64);
        let is_read = is_jwt && encoded.len() <= 64 * 1024;
        assert_eq!(exp_ms(token.as_bytes()), plainly.filter(|_| is_read));
    }
});
