//! JSON Web Tokens: whose are taken, and where keys come from.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use portcullis_client::{BadKey, JwtRefusal, JwtVerifier, Known, ServiceVerifier, Verifier};
use portcullis_tests::wait_until;
use serde_json::{Map, Value, json};

use crate::waiting::block_on;

const SECRET: &str = "a secret that has more than thirty-two bytes";

#[expect(clippy::disallowed_methods, reason = "verifiers go by the clock on the wall")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn claims() -> Value {
    json!({
        "iss": "issuer", "aud": "audience", "sub": "42", "sid": "s", "jti": "j", "role": "user",
        "iat": now(), "exp": now() + 600, "auth_time": now(),
    })
}

fn header() -> Header {
    Header { typ: Some("at+jwt".into()), ..Header::new(Algorithm::HS256) }
}

fn signed(header: &Header, claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(header, claims, &key).unwrap()
}

fn verifier() -> JwtVerifier {
    JwtVerifier::from_secret(SECRET).unwrap().issuer("issuer").audience("audience")
}

type Verified = Result<Known<Map<String, Value>>, JwtRefusal>;

/// What comes of claims that differ in one.
fn with(name: &str, value: Value) -> Verified {
    let mut claims = claims();
    claims[name] = value;
    verifier().verify(&signed(&header(), &claims))
}

#[test]
fn what_a_good_token_says_is_known() {
    let iat = now();
    let known = verifier().verify(&signed(&header(), &claims())).unwrap();
    assert_eq!((&*known.subject, known.session.as_deref()), ("42", Some("s")));
    let issued = known.issued_ms.unwrap();
    assert!(issued % 1000 == 0 && issued >= i64::try_from(iat).unwrap() * 1000);
    assert_eq!(known.claims["role"], "user");
    let half = with("iat", json!(1.5)).unwrap();
    assert_eq!(half.issued_ms, Some(1500));
    let with_leeway = verifier().leeway(Duration::from_secs(9));
    let other = with_leeway.verify(&signed(&header(), &claims())).unwrap();
    assert!(other.expires >= UNIX_EPOCH + Duration::from_secs(iat + 609));
}

#[test]
fn every_other_token_is_refused_for_what_it_is() {
    let refused = |name: &str, value: Value| with(name, value).err();
    assert_eq!(refused("iss", json!("other")), Some(JwtRefusal::WrongIssuer));
    assert_eq!(refused("aud", json!(["other"])), Some(JwtRefusal::WrongAudience));
    assert!(with("aud", json!(["other", "audience"])).is_ok());
    assert_eq!(refused("exp", json!(now() - 1)), Some(JwtRefusal::Expired));
    assert_eq!(refused("nbf", json!(now() + 60)), Some(JwtRefusal::NotYet));
    assert_eq!(refused("iat", json!(now() + 60)), Some(JwtRefusal::NotYet));
    for (name, value) in
        [("sub", json!(42)), ("exp", json!("soon")), ("exp", json!(-1)), ("exp", json!(1e300))]
    {
        assert_eq!(refused(name, value), Some(JwtRefusal::Malformed), "{name}");
    }
    for missing in ["exp", "sub"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(missing);
        let token = signed(&header(), &claims);
        assert_eq!(verifier().verify(&token).err(), Some(JwtRefusal::Malformed), "{missing}");
    }
    let token = signed(&header(), &claims());
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{rest}.{other}{}", &signature[1..]);
    assert_eq!(verifier().verify(&forged).err(), Some(JwtRefusal::BadSignature));
    for rubbish in ["", "a", "a.b.c", rest] {
        assert_eq!(verifier().verify(rubbish).err(), Some(JwtRefusal::Malformed), "{rubbish}");
    }
    let unsigned = "eyJhbGciOiJub25lIn0.e30.";
    assert!(verifier().verify(unsigned).is_err());
}

#[test]
fn a_header_that_wants_more_is_nobodys() {
    let typed = verifier().token_type("at+jwt");
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        let header = Header { typ: Some(typ.into()), ..header() };
        assert!(typed.verify(&signed(&header, &claims())).is_ok(), "{typ}");
    }
    let other = Header::new(Algorithm::HS256);
    assert_eq!(typed.verify(&signed(&other, &claims())).err(), Some(JwtRefusal::UnknownKey));
    let critical = Header { crit: Some(vec!["b64".into()]), ..header() };
    assert!(verifier().verify(&signed(&critical, &claims())).is_err());
}

#[test]
fn the_services_own_tokens_need_a_users_number_and_a_session() {
    let keys = JwtVerifier::from_secret(SECRET).unwrap();
    let service = ServiceVerifier::new(keys, "issuer", "audience");
    let known = service.verify(&signed(&header(), &claims())).unwrap();
    assert_eq!((&*known.subject, known.session.as_deref()), ("42", Some("s")));
    assert_eq!((known.issued_ms, &*known.claims.role), (None, "user"));
    for (name, value) in [("sub", json!("alice")), ("sid", Value::Null), ("sid", json!(""))] {
        let mut claims = claims();
        claims[name] = value;
        let refused = service.verify(&signed(&header(), &claims)).err();
        assert_eq!(refused, Some(JwtRefusal::Malformed), "{name}");
    }
    let other = Header::new(Algorithm::HS256);
    assert!(service.verify(&signed(&other, &claims())).is_err());
}

#[test]
fn a_key_is_good_for_its_own_algorithms_only() {
    assert!(matches!(JwtVerifier::from_secret("short"), Err(BadKey::ShortSecret(5))));
    assert!(matches!(JwtVerifier::from_pem("rubbish"), Err(BadKey::NotAKey)));
    for address in ["ftp://host/keys", "http://keys.example/", "keys"] {
        assert!(matches!(JwtVerifier::from_jwks(address), Err(BadKey::Address(_))), "{address}");
    }
    let public = JwtVerifier::from_pem(PUBLIC).unwrap();
    let mine = EncodingKey::from_ed_pem(PRIVATE.as_bytes()).unwrap();
    let token = jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims(), &mine).unwrap();
    assert!(public.verify(&token).is_ok());
    // The public key's text as a secret, which is what a forger has.
    let forged = EncodingKey::from_secret(PUBLIC.as_bytes());
    let forged = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims(), &forged).unwrap();
    assert_eq!(public.verify(&forged).err(), Some(JwtRefusal::UnknownKey));
}

/// Made for this test by `openssl genpkey -algorithm ed25519`.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEICmuNdtGhFOFkJWeD+wB/zdMK9G2ukaDil8z6YDEHzfx
-----END PRIVATE KEY-----
";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAyaDaj9Gnb7eQkJCes3RhIyps6ZtVTQk6ZRdl2lGTDpQ=
-----END PUBLIC KEY-----
";
/// The same key's `x`.
const X: &str = "yaDaj9Gnb7eQkJCes3RhIyps6ZtVTQk6ZRdl2lGTDpQ";

/// A key set that a test may change, and how often it was fetched.
struct KeySet {
    url: String,
    body: Arc<Mutex<Option<String>>>,
    fetched: Arc<AtomicUsize>,
}

impl KeySet {
    fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let (body, fetched) = (Arc::new(Mutex::new(None)), Arc::new(AtomicUsize::new(0)));
        let (shared, counted) = (Arc::clone(&body), Arc::clone(&fetched));
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                let body: Option<String> = shared.lock().unwrap().clone();
                counted.fetch_add(1, Ordering::SeqCst);
                let (status, body) =
                    body.map_or(("503 No", String::new()), |body| ("200 OK", body));
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close");
                let _ = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes());
            }
        });
        Self { url, body, fetched }
    }

    fn set(&self, keys: &Value) {
        *self.body.lock().unwrap() = Some(json!({ "keys": keys }).to_string());
    }

    fn fetched(&self) -> usize {
        self.fetched.load(Ordering::SeqCst)
    }
}

fn by(kid: &str) -> String {
    let header = Header { kid: Some(kid.into()), ..Header::new(Algorithm::EdDSA) };
    let mine = EncodingKey::from_ed_pem(PRIVATE.as_bytes()).unwrap();
    jsonwebtoken::encode(&header, &claims(), &mine).unwrap()
}

#[test]
fn a_key_set_is_fetched_and_fetched_again_for_a_key_that_nobody_knows() {
    let set = KeySet::serve();
    let jwk =
        |kid: &str| json!({ "kty": "OKP", "crv": "Ed25519", "x": X, "kid": kid, "use": "sig" });
    let verifier = JwtVerifier::from_jwks(&set.url).unwrap();
    wait_until("it was tried", || set.fetched() > 0);
    let refused = verifier.verify(&by("one")).unwrap_err();
    assert_eq!(refused, JwtRefusal::NoKeys);
    assert!(verifier.is_temporary(&refused));
    set.set(&json!([{ "kty": "oct", "k": "c2VjcmV0", "kid": "one" }, jwk("one")]));
    // It is tried again by itself, and a remedy waits for that.
    wait_until("there is a set", || {
        verifier.remedy(&JwtRefusal::NoKeys).map(block_on);
        verifier.verify(&by("one")).is_ok()
    });
    let (keys, fetched) = (verifier.keys(), set.fetched());
    assert_eq!(verifier.verify(&by("two")).err(), Some(JwtRefusal::UnknownKey));
    set.set(&json!([jwk("two")]));
    // However many ask for it, it is fetched once, and not before its time.
    for _ in 0..50 {
        verifier.remedy(&JwtRefusal::UnknownKey).map(block_on);
    }
    assert!(set.fetched() <= fetched + 1, "fetched {} times", set.fetched() - fetched);
    wait_until("the new key is known", || {
        verifier.remedy(&JwtRefusal::UnknownKey).map(block_on);
        verifier.verify(&by("two")).is_ok()
    });
    assert_ne!(verifier.keys(), keys);
    assert_eq!(verifier.verify(&by("one")).err(), Some(JwtRefusal::UnknownKey));
    // What cannot be used takes nothing away.
    set.set(&json!([{ "kty": "oct", "k": "c2VjcmV0", "kid": "two" }]));
    assert!(verifier.verify(&by("two")).is_ok());
}
