//! What is taken and what is refused. That libraries of others read our tokens, and we theirs, is
//! seen in `tests/api/oauth_clients.rs`. Which keys there are is the story of `tests/keys.rs`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm as Alg, EncodingKey, Header as JwtHeader};
use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::base::random::Random;
use crate::base::role::Role;
use crate::base::session_id::SessionId;
use crate::settings::Settings;

mod keys;

const SECRET: &str = "a secret for tests and of no use elsewhere";
const NOW: Timestamp = Timestamp(1_800_000_000_000);
const ED25519_PEM: &str = include_str!("testdata/ed25519.pem");
const P256_PEM: &str = include_str!("testdata/p256.pem");

fn settings() -> Tokens {
    Settings::for_tests("mysql://unused", "redis://unused").tokens
}

fn with_key(key: Key) -> Keys {
    Keys { ring: RwLock::new(Arc::new(vec![key])), ..Keys::new(&settings()).unwrap() }
}

fn hs256() -> Keys {
    Keys::new(&settings()).unwrap()
}

fn ed25519() -> Keys {
    with_key(Key::from_pem("ed", ED25519_PEM).unwrap())
}

fn es256() -> Keys {
    with_key(Key::from_pem("ec", P256_PEM).unwrap())
}

fn claims() -> Claims {
    Claims {
        user_id: 42,
        session_id: SessionId::random(&Random::seeded(1)),
        jti: "a-name".to_owned(),
        issued_at_s: NOW.seconds(),
        expires_at_s: NOW.seconds() + 900,
        auth_time_s: NOW.seconds(),
        role: Role::User,
        amr: vec!["pwd".to_owned()],
    }
}

/// The claims of a good token as another library would write them.
fn wire() -> Value {
    let token = hs256().sign(&claims());
    let payload = token.expose().split('.').nth(1).unwrap().to_owned();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn header() -> JwtHeader {
    JwtHeader { typ: Some("at+jwt".to_owned()), ..JwtHeader::new(Alg::HS256) }
}

fn minted(header: &JwtHeader, claims: &Value) -> String {
    jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

fn verdict_on(claims: &Value) -> Result<Claims, Refusal> {
    hs256().verify(&minted(&header(), claims), NOW)
}

#[rstest]
#[case::hs256(hs256())]
#[case::ed25519(ed25519())]
#[case::es256(es256())]
fn what_was_signed_is_read(#[case] keys: Keys) {
    assert_eq!(keys.verify(keys.sign(&claims()).expose(), NOW), Ok(claims()));
}

#[rstest]
#[case::hs256(hs256())]
#[case::ed25519(ed25519())]
#[case::es256(es256())]
fn r_27_no_changed_letter_of_a_token_is_taken(#[case] keys: Keys) {
    let token = keys.sign(&claims()).expose().to_owned();
    for (at, _) in token.char_indices() {
        let other = if &token[at..=at] == "A" { "B" } else { "A" };
        let changed = [&token[..at], other, &token[at + 1..]].concat();
        assert!(keys.verify(&changed, NOW).is_err(), "letter {at}");
    }
    for respelled in
        [format!("{token}="), format!("{token} "), format!(" {token}"), format!("{token}.x")]
    {
        assert!(keys.verify(&respelled, NOW).is_err(), "{respelled:?}");
    }
}

#[test]
fn another_librarys_token_with_the_same_meaning_is_taken() {
    assert_eq!(verdict_on(&wire()), Ok(claims()));
    let mut named = header();
    named.kid = Some(Key::from_secret(SECRET).kid().to_owned());
    assert!(hs256().verify(&minted(&named, &wire()), NOW).is_ok());
}

#[test]
fn another_library_reads_our_tokens() {
    let mut rules = jsonwebtoken::Validation::new(Alg::EdDSA);
    rules.set_audience(&["portcullis"]);
    rules.set_issuer(&["portcullis"]);
    for keys in [ed25519(), es256()] {
        let jwk: jsonwebtoken::jwk::Jwk =
            serde_json::from_value(serde_json::to_value(&keys.jwks()[0]).unwrap()).unwrap();
        rules.algorithms = vec![jwk.common.key_algorithm.unwrap().to_string().parse().unwrap()];
        let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
        let read =
            jsonwebtoken::decode::<Value>(keys.sign(&claims()).expose(), &key, &rules).unwrap();
        assert_eq!(read.claims["sub"], "42");
        assert_eq!(read.header.typ.as_deref(), Some("at+jwt"));
    }
}

#[rstest]
#[case("JWT")]
#[case("rt+jwt")]
#[case("AT+JWT")]
#[case("")]
fn another_type_of_token_is_refused(#[case] typ: &str) {
    let header = JwtHeader { typ: Some(typ.to_owned()), ..JwtHeader::new(Alg::HS256) };
    assert_eq!(hs256().verify(&minted(&header, &wire()), NOW), Err(Refusal::UnknownKey));
}

/// neither `none`, nor a public key as a secret, nor a key that the token brings.
#[test]
fn r_22_r_23_a_header_never_chooses_algorithm_or_key() {
    let keys = es256();
    let payload = URL_SAFE_NO_PAD.encode(wire().to_string());
    let public = serde_json::to_value(&keys.jwks()[0]).unwrap();
    for header in [
        json!({ "alg": "none", "typ": "at+jwt" }),
        json!({ "alg": "NONE", "typ": "at+jwt" }),
        json!({ "alg": "", "typ": "at+jwt" }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": "ec" }),
        json!({ "alg": "HS256", "typ": "at+jwt", "jwk": public }),
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": "../../x" }),
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": "ec", "crit": ["exp"] }),
    ] {
        let signed = [URL_SAFE_NO_PAD.encode(header.to_string()), payload.clone()].join(".");
        let x = public["x"].as_str().unwrap();
        let secret = EncodingKey::from_secret(x.as_bytes());
        let confused = jsonwebtoken::crypto::sign(signed.as_bytes(), &secret, Alg::HS256);
        let confused = URL_SAFE_NO_PAD.decode(confused.unwrap()).unwrap();
        for signature in [Vec::new(), vec![0; 64], confused] {
            let token = [&signed, ".", &URL_SAFE_NO_PAD.encode(signature)].concat();
            assert_eq!(keys.verify(&token, NOW), Err(Refusal::UnknownKey), "{header}");
        }
    }
}

/// What another library would overlook: the one that reads here does not look at `crit` or `typ`, and
/// takes a list of issuers for an issuer.
#[test]
fn f_50_what_the_library_does_not_look_at_is_refused_all_the_same() {
    let keys = hs256();
    let payload = wire();
    for (member, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!("b64")),
        ("typ", json!("JWT")),
        ("kid", json!("another")),
        ("alg", json!("HS512")),
    ] {
        let mut header = json!({ "alg": "HS256", "typ": "at+jwt" });
        assert_eq!(keys.verify(&signed(&header, &payload), NOW), Ok(claims()), "{member}");
        header[member] = value;
        let token = signed(&header, &payload);
        assert_eq!(keys.verify(&token, NOW), Err(Refusal::UnknownKey), "{header}");
    }
    for (claim, value) in [
        ("iss", json!(["portcullis"])),
        ("iss", json!(null)),
        ("aud", json!({ "portcullis": true })),
        ("aud", json!(["portcullis", 1])),
        ("exp", json!(1_900_000_000.5)),
        ("nbf", json!("soon")),
    ] {
        let mut payload = payload.clone();
        payload[claim] = value;
        let token = signed(&json!({ "alg": "HS256", "typ": "at+jwt" }), &payload);
        assert_eq!(keys.verify(&token, NOW), Err(Refusal::Malformed), "{payload}");
    }
}

/// Whatever the header says, signed with our secret.
fn signed(header: &Value, payload: &Value) -> String {
    let message = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let secret = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &secret, Alg::HS256).unwrap();
    [message, signature].join(".")
}

#[test]
fn f_50_the_time_is_the_callers_and_not_the_systems() {
    let keys = hs256();
    for now in [Timestamp(1_000_000_000), NOW, Timestamp(4_000_000_000_000)] {
        let claims = Claims {
            issued_at_s: now.seconds(),
            expires_at_s: now.seconds() + 900,
            auth_time_s: now.seconds(),
            ..claims()
        };
        assert_eq!(keys.verify(keys.sign(&claims).expose(), now), Ok(claims));
    }
}

#[test]
fn r_22_an_empty_or_zero_signature_is_refused() {
    for keys in [hs256(), ed25519(), es256()] {
        let token = keys.sign(&claims());
        let (signed, _) = token.expose().rsplit_once('.').unwrap();
        for signature in
            [String::new(), URL_SAFE_NO_PAD.encode([0; 32]), URL_SAFE_NO_PAD.encode([0; 64])]
        {
            let refusal = keys.verify(&format!("{signed}.{signature}"), NOW);
            assert_eq!(refusal, Err(Refusal::BadSignature));
        }
    }
}

#[test]
fn a_token_dies_at_its_expiry_and_the_leeway_to_the_millisecond() {
    let keys = hs256();
    let token = keys.sign(&claims());
    let dead = Timestamp::from_seconds(claims().expires_at_s).plus(Duration::from_secs(5));
    assert!(keys.verify(token.expose(), Timestamp(dead.0 - 1)).is_ok());
    assert_eq!(keys.verify(token.expose(), dead), Err(Refusal::Expired));
}

#[test]
fn a_token_from_the_future_is_refused_beyond_the_leeway() {
    for claim in ["nbf", "iat"] {
        let mut claims = wire();
        claims[claim] = json!(NOW.seconds() + 5);
        assert!(verdict_on(&claims).is_ok(), "{claim}");
        claims[claim] = json!(NOW.seconds() + 6);
        assert_eq!(verdict_on(&claims), Err(Refusal::NotYet), "{claim}");
    }
}

#[test]
fn issuer_and_audience_must_be_ours() {
    let with = |claim: &str, value: Value| {
        let mut claims = wire();
        claims[claim] = value;
        verdict_on(&claims).map(drop)
    };
    assert_eq!(with("iss", json!("another")), Err(Refusal::WrongIssuer));
    assert_eq!(with("aud", json!("another")), Err(Refusal::WrongAudience));
    assert_eq!(with("aud", json!(["another", "third"])), Err(Refusal::WrongAudience));
    assert_eq!(with("aud", json!([])), Err(Refusal::WrongAudience));
    assert_eq!(with("aud", json!(["another", "portcullis"])), Ok(()));
}

#[test]
fn a_missing_or_misshapen_claim_is_refused() {
    for claim in ["iss", "aud", "sub", "sid", "jti", "iat", "exp", "auth_time", "role"] {
        let mut claims = wire();
        claims.as_object_mut().unwrap().remove(claim);
        assert_eq!(verdict_on(&claims), Err(Refusal::Malformed), "{claim}");
        claims[claim] = json!(-1);
        assert_eq!(verdict_on(&claims), Err(Refusal::Malformed), "{claim}");
    }
    for (claim, value) in
        [("sub", json!("42; drop")), ("sid", json!("session_1")), ("role", json!("root"))]
    {
        let mut claims = wire();
        claims[claim] = value;
        assert_eq!(verdict_on(&claims), Err(Refusal::Malformed), "{claim}");
    }
}

#[test]
fn what_is_no_token_is_malformed() {
    let long = "e".repeat(LONGEST + 1);
    for text in ["", ".", "..", "...", "a.b.c", "eyJ", &long, "é.é.é", "prt_x"] {
        assert_eq!(hs256().verify(text, NOW), Err(Refusal::Malformed), "{text:.20?}");
    }
}
