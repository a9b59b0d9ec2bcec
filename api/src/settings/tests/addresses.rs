//! Where servers are.

use secrecy::ExposeSecret as _;

use super::with;

#[test]
fn what_would_be_of_no_effect_at_a_redis_is_refused() {
    let sentinels = "--redis-url=redis+sentinel://one/ledgers";
    for (flags, name) in [
        (&["--redis-ca-file=/ca.pem"][..], "REDIS_CA_FILE"),
        (&["--redis-ca-file=/ca.pem", sentinels], "REDIS_CA_FILE"),
        (&["--sentinel-username=asker", "--sentinel-password=secret"], "SENTINEL_USERNAME"),
        (&["--sentinel-password=secret"], "SENTINEL_PASSWORD"),
        (&["--sentinel-username=asker", sentinels], "SENTINEL_USERNAME"),
    ] {
        let error = with(flags).err().unwrap_or_else(|| panic!("{flags:?} was taken"));
        assert!(error.starts_with(name) && !error.contains("secret"), "{flags:?}: {error}");
    }
    let tls = "--redis-url=rediss+sentinel://one/ledgers";
    let flags = ["--redis-ca-file=/ca.pem", "--sentinel-password=secret", tls];
    assert_eq!(with(&flags).err(), None);
}

#[test]
fn f_35_an_address_that_names_no_database_is_refused() {
    for url in ["mysql://root@db", "mysql://root@db/", "mysql://root@db?socket=/run/db.sock"] {
        let error = with(&["--database-url", url]).err().unwrap();
        assert!(error.starts_with("DATABASE_URL: names no database"), "{url}: {error}");
    }
}

#[test]
fn the_pieces_of_an_address_are_escaped() {
    let flags = [
        "--db-password",
        "p@ss/w:rd",
        "--db-host",
        "::1",
        "--redis-password",
        "#1",
        "--redis-db",
        "3",
    ];
    let stores = with(&flags).unwrap().stores;
    assert_eq!(
        stores.database_url().expose_secret(),
        "mysql://root:p%40ss%2Fw%3Ard@[::1]:3306/portcullis"
    );
    assert_eq!(stores.redis_url().expose_secret(), "redis://:%231@localhost:6379/3");
}

#[test]
fn an_address_wins_over_its_pieces_unless_it_is_empty() {
    let stores = with(&["--redis-url", "unix:///r", "--redis-port", "1", "--database-url", ""])
        .unwrap()
        .stores;
    assert_eq!(stores.redis_url().expose_secret(), "unix:///r");
    assert_eq!(stores.database_url().expose_secret(), "mysql://root@localhost:3306/portcullis");
}
