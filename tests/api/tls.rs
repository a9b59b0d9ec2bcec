//! `rediss://`: Redis behind TLS.

use std::io::Read as _;
use std::net::TcpListener;

use portcullis_tests::{
    Cluster, Database, Directory, PASSWORD, Redis, Sentinels, Service, certificate, free_port,
    tls_arguments, tls_lines, wait_until,
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
    let own = tls_arguments(&certificate, &key);
    let redis = Redis::options().arguments(&["--tls-port", &tls]).arguments(&own).start();
    let lines = tls_lines(&certificate, &key);
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

/// The first node, and those that it tells of, which have no other door.
#[tokio::test(flavor = "multi_thread")]
async fn the_nodes_of_a_cluster_are_trusted_by_the_authority_that_is_given_and_by_no_other() {
    let directory = Directory::new();
    let [certificate, key] = certificate(&directory).map(|path| path.display().to_string());
    let cluster = Cluster::behind_tls(&Redis::options(), &tls_arguments(&certificate, &key));
    let url = cluster.url().replacen("redis", "rediss", 1);
    let database = Database::shared().fresh_database("tls");
    let auth = Service::on(Redis::start(), &database, |settings| {
        settings.stores.redis_url = Some(url.clone().into());
        settings.stores.redis_ca_file = Some(certificate.into());
    })
    .await;
    let stranger = auth.another(2, |settings| settings.stores.redis_ca_file = None).await;
    tokio::task::block_in_place(|| {
        wait_until("every primary is believed", || auth.app.ledgers.is_believed());
    });
    // More than one node has some of these.
    for name in ["alice", "bob", "carol", "dave"] {
        let login = auth.logged_in(name).await;
        let user = format!("user:{}", login.user_id);
        let mut check = redis::cmd("AUTH.CHECK");
        check.arg(&user).arg(&login.access).arg("SESSION").arg(&login.session);
        let verdict: String = check.query(&mut cluster.node_of(&user).connection()).unwrap();
        assert_eq!(verdict, "OK", "{name}");
        // MySQL is asked by whoever trusts no server.
        stranger.get_as(&login.access, "/verify").await.must_be(200);
    }
    assert!(!stranger.app.ledgers.is_believed());
}
