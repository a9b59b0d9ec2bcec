//! Tokens that somebody else made, or made of ours, and that open nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use portcullis_tests::Service;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;

use crate::site::{own, site};

/// What the services of the tests sign with.
const SECRET: &str = "a secret for tests and of no use elsewhere";

/// Header, payload and signature.
pub(crate) fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().expect("a token has three parts")
}

/// One part as JSON.
pub(crate) fn decoded(part: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("a part is base64url");
    serde_json::from_slice(&bytes).expect("a part is JSON")
}

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

fn signed(header: &Value, claims: &Value, secret: &str) -> String {
    let input = format!("{}.{}", encoded(header), encoded(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length will do");
    mac.update(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// The same object with one field changed; null takes it out.
fn with(object: &Value, field: &str, value: Value) -> Value {
    let mut object = object.clone();
    let fields = object.as_object_mut().expect("an object");
    if value.is_null() {
        fields.remove(field)
    } else {
        fields.insert(field.to_owned(), value)
    };
    object
}

#[tokio::test(flavor = "multi_thread")]
async fn r_22_no_header_talks_the_service_out_of_the_signature() {
    let site = site().await;
    let alice = site.logged_in("alice").await;
    let [header, payload, signature] = parts(&alice.access);
    let header = decoded(header);
    let mut forged = Vec::new();
    for algorithm in [
        "none", "NONE", "nOnE", "", "HS256 ", "hs256", "HS1", "HS384", "HS512", "RS256", "PS256",
        "ES256", "ES256K", "EdDSA", "Ed25519",
    ] {
        let renamed = encoded(&with(&header, "alg", json!(algorithm)));
        let zeros = URL_SAFE_NO_PAD.encode([0; 64]);
        let is_own = header["alg"] == algorithm;
        forged.extend([format!("{renamed}.{payload}."), format!("{renamed}.{payload}.{zeros}")]);
        forged.extend((!is_own).then(|| format!("{renamed}.{payload}.{signature}")));
    }
    let claims = decoded(payload);
    for guess in ["", "secret", "changeme", "your-super-secret-key-min-32-chars", "portcullis"] {
        forged.push(signed(&header, &claims, guess));
        forged.push(signed(&with(&header, "alg", json!("HS256")), &claims, guess));
    }
    for odd in [json!(null), json!(1), json!(["HS256"]), json!({ "a": 1 })] {
        let mut header = header.clone();
        header["alg"] = odd;
        forged.push(format!("{}.{payload}.{signature}", encoded(&header)));
    }
    let token = &alice.access;
    forged.extend([token[1..].to_owned(), token[..token.len() - 1].to_owned(), "a".repeat(8_000)]);
    forged.extend([".", "..", "...", "a.b.c", "null"].map(str::to_owned));
    let promoted = with(&claims, "role", json!("admin"));
    forged.push(format!("{}.{}.{signature}", encoded(&header), encoded(&promoted)));
    for token in forged {
        assert!(!site.is_good(&token).await, "{token}");
    }
    assert!(site.is_good(&alice.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_23_keys_come_from_the_server_and_nobody_is_asked_for_one() {
    let site = site().await;
    let alice = site.logged_in("alice").await;
    let [header, payload, _] = parts(&alice.access);
    let (header, claims) = (decoded(header), decoded(payload));
    let (listener, asked) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Arc::default());
    let url = format!("http://{}/keys.json", listener.local_addr().unwrap());
    let asked: Arc<AtomicUsize> = asked;
    let count = asked.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let secret = "an attacker's own secret of some length";
    let k = URL_SAFE_NO_PAD.encode(secret);
    let jwk = json!({ "kty": "oct", "alg": "HS256", "k": k, "kid": "attacker" });
    let headers = [
        with(&header, "jwk", jwk.clone()),
        with(&with(&header, "jwk", jwk), "kid", json!("attacker")),
        with(&header, "jku", json!(url)),
        with(&header, "x5u", json!(url)),
        with(&header, "x5c", json!([k])),
        with(&header, "kid", json!(url)),
        with(&header, "kid", json!("../../../../dev/null")),
        with(&header, "kid", json!("' union select 'x")),
        with(&header, "kid", json!("")),
        with(&header, "kid", json!(null)),
        with(&header, "crit", json!(["b64"])),
        with(&with(&header, "b64", json!(false)), "crit", json!(["b64"])),
    ];
    for header in headers {
        let header = with(&header, "alg", json!("HS256"));
        for key in [secret, "", &k] {
            let token = signed(&header, &claims, key);
            assert!(!site.is_good(&token).await, "{header}");
        }
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0, "somebody was asked for a key");
}

/// A service whose secret is known, a live token of it, and that token's header and claims.
async fn known_secret() -> Option<(Service, Value, Value)> {
    let auth = own(|_| ()).await?;
    let alice = auth.logged_in("alice").await;
    let [header, payload, _] = parts(&alice.access);
    let (header, claims) = (decoded(header), decoded(payload));
    assert!(auth.is_good(&signed(&header, &claims, SECRET)).await, "forging works");
    Some((auth, header, claims))
}

#[tokio::test(flavor = "multi_thread")]
async fn r_24_a_token_is_good_from_its_beginning_to_its_end_and_a_bounded_difference() {
    let Some((auth, header, claims)) = known_secret().await else { return };
    let now_s = auth.clock.now().0 / 1_000;
    let good = async |field: &str, at_s: u64| {
        let claims = with(&claims, field, json!(at_s));
        auth.is_good(&signed(&header, &claims, SECRET)).await
    };
    for (field, at_s, is_good) in [
        ("exp", now_s + 1, true),
        ("exp", now_s - 4, true),
        ("exp", now_s - 5, false),
        ("exp", now_s - 6, false),
        ("exp", 0, false),
        ("nbf", now_s, true),
        ("nbf", now_s + 5, true),
        ("nbf", now_s + 7, false),
        ("nbf", now_s + 3_600, false),
        ("iat", now_s + 7, false),
    ] {
        assert_eq!(good(field, at_s).await, is_good, "{field} {at_s}, now {now_s}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_25_another_kind_of_token_is_no_access_token() {
    let Some((auth, header, claims)) = known_secret().await else { return };
    for typ in ["JWT", "jwt", "rt+jwt", "at", "application/rt+jwt", "id_token", "", "at+jwt "] {
        let header = with(&header, "typ", json!(typ));
        assert!(!auth.is_good(&signed(&header, &claims, SECRET)).await, "{typ}");
    }
    let untyped = with(&header, "typ", Value::Null);
    assert!(!auth.is_good(&signed(&untyped, &claims, SECRET)).await);
    let alice = auth.logged_in("alice").await;
    assert!(!auth.is_good(&alice.refresh).await);
    auth.refresh(&alice.access).await.must_be(401);
    auth.post("/verify-email", json!({ "token": alice.access })).await.must_be(422);
    auth.post("/verify-email", json!({ "token": alice.refresh })).await.must_be(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_26_a_token_of_somebody_else_or_for_somebody_else_opens_nothing() {
    let Some((auth, header, claims)) = known_secret().await else { return };
    for (field, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", json!("portcullis ")),
        ("iss", json!(["portcullis"])),
        ("iss", Value::Null),
        ("aud", json!("another")),
        ("aud", json!(["another", "third"])),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("sub", json!("0")),
        ("sub", json!("-1")),
        ("sub", json!(1)),
        ("sub", Value::Null),
        ("sid", json!(format!("session_{}", "A".repeat(43)))),
        ("sid", Value::Null),
        ("jti", Value::Null),
        ("exp", json!("9999999999")),
        ("exp", Value::Null),
    ] {
        let forged = signed(&header, &with(&claims, field, value.clone()), SECRET);
        assert!(!auth.is_good(&forged).await, "{field} {value}");
    }
    let ours_too = with(&claims, "aud", json!(["another", claims["aud"]]));
    assert!(auth.is_good(&signed(&header, &ours_too, SECRET)).await);
}
