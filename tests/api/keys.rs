//! `EdDSA` and ES256 over HTTP: the key set, rotation without a logout, and forgeries that the
//! public key would help with.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use portcullis_api::settings::Settings;
use portcullis_tests::{Directory, Login, Service, binary_path, send, wait_until};
use reqwest::Method;
use serde_json::{Value, json};

use crate::tokens::{SECRET, ask};

pub(crate) const KINDS: [&str; 2] = ["ed25519", "p256"];

/// `portcullis keys`; what it says.
fn keys(dir: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(binary_path());
    let output = command.arg("keys").arg("--jwt-keys-dir").arg(dir).args(arguments).output();
    let output = output.expect("the command runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A service whose tokens a new key of this kind signs.
async fn with_key(dir: &Directory, kind: &str) -> Service {
    with_key_and(dir, kind, |_| ()).await
}

pub(crate) async fn with_key_and(
    dir: &Directory,
    kind: &str,
    adjust: impl FnOnce(&mut Settings),
) -> Service {
    keys(dir.path(), &["generate", "--algorithm", kind]);
    let dir = dir.path().to_owned();
    Service::with(|settings| {
        settings.tokens.jwt_keys_dir = Some(dir);
        settings.tokens.introspection_clients = Some(format!("gateway:{SECRET}").into());
        adjust(settings);
    })
    .await
}

async fn key_set(auth: &Service) -> Vec<Value> {
    let answer = send(auth.raw(Method::GET, "/.well-known/jwks.json")).await.must_be(200);
    answer.json["keys"].as_array().unwrap().clone()
}

fn header(token: &str) -> Header {
    jsonwebtoken::decode_header(token).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_needs_nothing_but_the_key_set_to_read_a_token() {
    for (kind, shown) in [
        ("ed25519", json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig" })),
        ("p256", json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig" })),
    ] {
        let dir = Directory::new();
        let auth = with_key(&dir, kind).await;
        let alice = auth.logged_in("alice").await;
        let mut set = key_set(&auth).await;
        assert_eq!(set.len(), 1);
        let jwk: Jwk = serde_json::from_value(set[0].clone()).unwrap();
        assert_eq!(header(&alice.access).kid, jwk.common.key_id);
        let key = DecodingKey::from_jwk(&jwk).unwrap();
        let mut rules = Validation::new(header(&alice.access).alg);
        rules.set_audience(&["portcullis"]);
        rules.set_issuer(&["portcullis"]);
        let read = jsonwebtoken::decode::<Value>(&alice.access, &key, &rules).unwrap();
        assert_eq!(read.claims["sub"], alice.user_id.to_string());

        let fields = set[0].as_object_mut().unwrap();
        let points = if kind == "p256" { &["kid", "x", "y"][..] } else { &["kid", "x"][..] };
        for point in points {
            assert!(fields.remove(*point).is_some_and(|value| value.is_string()), "{point}");
        }
        assert_eq!(set[0], shown, "nothing private, nothing else");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_logs_nobody_out_and_a_retired_one_reads_nothing_more() {
    let dir = Directory::new();
    let auth = with_key(&dir, "ed25519").await;
    let alice = auth.logged_in("alice").await;
    keys(dir.path(), &["generate", "--algorithm", "p256"]);
    auth.app.keys.reload().unwrap(); // the service does so by itself, see below

    assert!(auth.is_good(&alice.access).await);
    let next = auth.refresh(&alice.refresh).await.must_be(200).text_at("/data/access/token");
    let bob = auth.logged_in("bob").await;
    for token in [&next, &bob.access] {
        assert_eq!(header(token).alg, Algorithm::ES256);
        assert!(auth.is_good(token).await);
    }
    let names = key_set(&auth).await.into_iter().map(|key| key["kid"].clone()).collect::<Vec<_>>();
    assert_eq!(names, [json!(header(&next).kid), json!(header(&alice.access).kid)]);

    keys(dir.path(), &["retire", &header(&alice.access).kid.unwrap()]);
    auth.app.keys.reload().unwrap();
    assert!(!auth.is_good(&alice.access).await);
    assert!(auth.is_good(&next).await);
    assert_eq!(key_set(&auth).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_04_a_service_that_runs_notices_by_itself_that_a_key_was_made_or_retired() {
    let dir = Directory::new();
    let auth = with_key(&dir, "ed25519").await;
    let alice = auth.logged_in("alice").await;
    let told = keys(dir.path(), &["generate", "--algorithm", "p256"]);
    assert!(told.contains("within a second"), "{told}");
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        tokio::task::block_in_place(|| wait_until(what, holds));
    };
    until("the new key signs", &|| auth.app.keys.jwks().len() == 2);
    assert!(auth.is_good(&alice.access).await);
    let told = keys(dir.path(), &["retire", &header(&alice.access).kid.unwrap()]);
    assert!(told.contains("within a second"), "{told}");
    until("the old key is not read any more", &|| auth.app.keys.jwks().len() == 1);
    assert!(!auth.is_good(&alice.access).await);
    let next = auth.refresh(&alice.refresh).await.must_be(200).text_at("/data/access/token");
    assert_eq!(header(&next).alg, Algorithm::ES256);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_27_another_signature_of_the_same_token_is_as_dead_as_the_first() {
    let dir = Directory::new();
    let auth = with_key(&dir, "p256").await;
    let alice = auth.logged_in("alice").await;
    let (signed, signature) = alice.access.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let s = order_minus(&signature[32..]);
    signature[32..].copy_from_slice(&s);
    let other = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    assert!(auth.is_good(&other).await, "both are signatures of the key");

    ask(&auth, "/revoke", &alice.access).await.must_be(200);

    let spare = respelled(&alice.access);
    let padded = [format!("{other}="), format!("{}=", alice.access), format!("{other} ")];
    for token in [alice.access.clone(), other, spare].into_iter().chain(padded) {
        assert!(!auth.is_good(&token).await, "{token}");
        let asked = Login { access: token.trim_end().to_owned(), ..alice.clone() };
        assert_eq!(auth.verdict(&asked), "REVOKED", "{token}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_22_r_23_a_public_key_signs_nothing_and_a_token_brings_no_key_along() {
    for kind in KINDS {
        let dir = Directory::new();
        let auth = with_key(&dir, kind).await;
        let alice = auth.logged_in("alice").await;
        let public = key_set(&auth).await.remove(0);
        let mut forged = signed_with_what_is_public(&alice.access, &public);
        forged.extend(signed_with_a_foreign_key(&alice.access).await);
        for token in forged {
            assert!(!auth.is_good(&token).await, "{token}");
        }
        assert!(auth.is_good(&alice.access).await);
    }
}

/// Tokens whose secret is the public key in one of its forms, or nothing.
fn signed_with_what_is_public(model: &str, public: &Value) -> Vec<String> {
    let x = public["x"].as_str().unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(x).unwrap();
    let secrets = [x.as_bytes().to_vec(), bytes, public.to_string().into_bytes(), Vec::new()];
    let forged = |secret: &Vec<u8>| {
        let names = [header(model).kid, None, Some("../../../../dev/null".to_owned())];
        names.map(|kid| {
            let header = Header { kid, ..Header::new(Algorithm::HS256) };
            like(model, header, &EncodingKey::from_secret(secret))
        })
    };
    secrets.iter().flat_map(forged).collect()
}

/// Tokens that say where their key is, or bring it along.
async fn signed_with_a_foreign_key(model: &str) -> Vec<String> {
    let (key, jwk) = foreign_key().await;
    let url = Some("https://evil.example.com/jwks.json".to_owned());
    let brought = Header { jwk: Some(jwk), ..Header::new(Algorithm::ES256) };
    let named = Header { jku: url.clone(), x5u: url, ..Header::new(Algorithm::ES256) };
    let forged = |header_of: Header| {
        [header(model).kid, None].map(|kid| like(model, Header { kid, ..header_of.clone() }, &key))
    };
    [brought, named].into_iter().flat_map(forged).collect()
}

/// A token that says the same as `model`.
fn like(model: &str, header: Header, key: &EncodingKey) -> String {
    let payload = URL_SAFE_NO_PAD.decode(model.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    let header = Header { typ: Some("at+jwt".to_owned()), ..header };
    jsonwebtoken::encode(&header, &claims, key).unwrap()
}

/// A key that the service does not have, with its public half.
async fn foreign_key() -> (EncodingKey, Jwk) {
    let dir = Directory::new();
    let elsewhere = with_key(&dir, "p256").await;
    let jwk = serde_json::from_value(key_set(&elsewhere).await.remove(0)).unwrap();
    let file = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    (EncodingKey::from_ec_pem(&std::fs::read(file).unwrap()).unwrap(), jwk)
}

/// `n - s` for the order `n` of P-256 (SEC 2, section 2.4.2).
fn order_minus(s: &[u8]) -> [u8; 32] {
    let order = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let mut difference = [0; 32];
    let mut borrow = 0;
    for at in (0..32).rev() {
        let digit = i16::from(order[at]) - i16::from(s[at]) - borrow;
        borrow = i16::from(digit < 0);
        difference[at] = u8::try_from(digit.rem_euclid(256)).unwrap();
    }
    difference
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The same bytes with other spare bits in the last letter.
fn respelled(token: &str) -> String {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (start, last) = token.split_at(token.len() - 1);
    let next = LETTERS.find(last).unwrap() + 1;
    format!("{start}{}", &LETTERS[next..=next])
}
