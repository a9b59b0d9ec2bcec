//! The examples do what they say.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use portcullis_client::{Gate, JwtVerifier, Options, ServiceVerifier, Watch};
use portcullis_tests::Redis;
use serde_json::{Value, json};

#[expect(dead_code, reason = "its `main` is for whoever runs it")]
#[path = "../examples/axum.rs"]
mod axum_service;
#[expect(dead_code, reason = "its `main` is for whoever runs it")]
#[path = "../examples/hyper.rs"]
mod hyper_service;

const SECRET: &str = "a secret that has more than thirty-two bytes";
/// The end of the year 9999.
const NEVER: u64 = 253_402_300_799;

fn token(claims: &Value) -> String {
    let header = Header { typ: Some("at+jwt".into()), ..Header::new(Algorithm::HS256) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

fn answer(port: u16, path: &str, token: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Serves on a port of its own for as long as the tests run.
fn serve<F: Future<Output = ()>>(
    service: impl FnOnce(tokio::net::TcpListener) -> F + Send + 'static,
) -> u16 {
    let (port, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            port.send(listener.local_addr().unwrap().port()).unwrap();
            service(listener).await;
        });
    });
    told.recv().unwrap()
}

fn revoked_while_it_serves(redis: &Redis, port: u16, path: &str, token: &str, expected: &str) {
    let mut connection = redis.connection();
    let mut say = |line: &str| {
        let mut words = line.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        command.exec(&mut connection).unwrap();
    };
    say("AUTH.SESSION CREATE user:42 s EX 60");
    let first = answer(port, path, token);
    assert!(first.starts_with("HTTP/1.1 200") && first.ends_with(expected), "{first}");
    say("AUTH.SESSION REVOKE user:42 s");
    portcullis_tests::wait_until("the logout is heard", || {
        answer(port, path, token).starts_with("HTTP/1.1 401")
    });
    assert!(answer(port, path, "rubbish").starts_with("HTTP/1.1 401"));
}

#[test]
fn the_axum_service_lets_in_live_tokens_only() {
    let redis = Redis::start();
    let keys = JwtVerifier::from_secret(SECRET).unwrap();
    let verifier = ServiceVerifier::new(keys, "portcullis", "portcullis");
    let gate = Gate::new(Watch::connect(&redis.url(), Options::default()).unwrap(), verifier);
    let port = serve(async move |listener| {
        axum::serve(listener, axum_service::service(gate)).await.unwrap();
    });
    let token = token(&json!({
        "iss": "portcullis", "aud": "portcullis", "sub": "42", "sid": "s", "jti": "j",
        "role": "admin", "iat": 1, "auth_time": 1, "exp": NEVER,
    }));
    revoked_while_it_serves(&redis, port, "/me", &token, "user 42, admin\n");
}

#[test]
fn the_hyper_service_lets_in_live_tokens_only() {
    let redis = Redis::start();
    let verifier = JwtVerifier::from_secret(SECRET).unwrap().claims();
    let gate = Gate::new(Watch::connect(&redis.url(), Options::default()).unwrap(), verifier);
    let port = serve(async move |listener| hyper_service::serve(listener, gate).await.unwrap());
    let token = token(&json!({ "sub": "42", "sid": "s", "exp": NEVER, "scope": "read" }));
    revoked_while_it_serves(&redis, port, "/", &token, "42 may read\n");
}
