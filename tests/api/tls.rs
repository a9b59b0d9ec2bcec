//! `rediss://`: Redis behind TLS.

use std::io::Read as _;
use std::net::TcpListener;

use portcullis_tests::{Database, PASSWORD, Redis, Service};
use serde_json::json;

/// The first byte that a TLS client sends (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_with_two_s_is_spoken_to_in_tls_and_in_nothing_else() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let first_byte = std::thread::spawn(move || {
        let mut byte = [0];
        server.accept().unwrap().0.read_exact(&mut byte).unwrap();
        byte[0]
    });
    let database = Database::shared().fresh_database("tls");
    let auth = Service::on(Redis::start(), &database, |settings| {
        settings.stores.redis_url = Some(format!("rediss://127.0.0.1:{port}").into());
    })
    .await;
    auth.user("alice").await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    auth.post("/login-enhanced", body).await.must_be(200);
    assert_eq!(first_byte.join().unwrap(), HANDSHAKE);
}
