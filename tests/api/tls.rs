//! `rediss://`: Redis behind TLS.

use std::io::Read as _;
use std::net::TcpListener;

use portcullis_tests::{
    Database, Directory, PASSWORD, Redis, Sentinels, Service, certificate, free_port, wait_until,
};
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

/// Both the sentinels and the primary: nothing goes over the wire in the clear.
#[tokio::test(flavor = "multi_thread")]
async fn sentinels_and_their_primary_are_trusted_by_the_authority_that_is_given() {
    let (directory, port) = (Directory::new(), free_port());
    let [certificate, key] = certificate(&directory).map(|path| path.display().to_string());
    let tls = port.to_string();
    let own = ["--tls-cert-file", &*certificate, "--tls-key-file", &*key];
    let own =
        [&own[..], &["--tls-ca-cert-file", &*certificate, "--tls-auth-clients", "no"]].concat();
    let redis = Redis::options().arguments(&["--tls-port", &tls]).arguments(&own).start();
    let lines: Vec<String> =
        own.chunks(2).map(|pair| pair[0][2..].to_owned() + " " + pair[1]).collect();
    let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    lines.extend(["tls-replication yes", "user asker on >word ~* &* +@all"]);
    let sentinels = Sentinels::behind_tls(&redis, port, &lines);
    let database = Database::shared().fresh_database("tls");
    let auth = Service::on(redis, &database, |settings| {
        let url = sentinels.url().replacen("redis", "rediss", 1);
        settings.stores.redis_url = Some(url.into());
        settings.stores.redis_ca_file = Some(certificate.into());
        settings.stores.sentinel_username = "asker".to_owned();
        settings.stores.sentinel_password = Some("word".into());
    })
    .await;
    tokio::task::block_in_place(|| {
        wait_until("Redis is believed", || auth.app.ledgers.is_believed());
    });
    let login = auth.logged_in("alice").await;
    assert_eq!(auth.verdict(&login), "OK");
}
