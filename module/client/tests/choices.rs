//! What may be chosen, and that whoever chose badly is told what to do.

use std::time::Duration;

use portcullis_client::{BadOptions, Options, Watch};

fn refused(url: &str, options: Options) -> String {
    match Watch::connect(url, options) {
        Ok(_) => panic!("{url} is taken"),
        Err(cause) => cause.to_string(),
    }
}

#[test]
fn the_usual_options_are_as_documented() {
    let usual = Options::default();
    assert_eq!(
        (usual.lease, usual.deadline),
        (Duration::from_millis(250), Duration::from_millis(250))
    );
    assert_eq!(usual.beat, usual.lease / 4);
    assert_eq!((usual.most_tokens, usual.longest_token, &*usual.prefix), (100_000, 4096, "user:"));
}

#[test]
fn options_out_of_bounds_are_refused_by_name() {
    let usual = Options::default;
    let ms = Duration::from_millis;
    let bad = [
        ("lease", Options { lease: ms(9), beat: ms(1), ..usual() }),
        ("lease", Options { lease: ms(60_001), ..usual() }),
        ("beat", Options { beat: Duration::ZERO, ..usual() }),
        ("beat", Options { beat: ms(250), ..usual() }),
        ("deadline", Options { deadline: Duration::ZERO, ..usual() }),
        ("deadline", Options { deadline: ms(60_001), ..usual() }),
        ("most_tokens", Options { most_tokens: 0, ..usual() }),
        ("most_tokens", Options { most_tokens: usize::MAX, ..usual() }),
        ("longest_token", Options { longest_token: 0, ..usual() }),
        ("longest_token", Options { longest_token: (1 << 20) + 1, ..usual() }),
        ("prefix", Options { prefix: "x".repeat(1025), ..usual() }),
    ];
    for (option, options) in bad {
        let message = refused("redis://127.0.0.1:1", options);
        assert!(message.starts_with(&format!("`{option}` is ")), "{message}");
        assert!(message.contains("; choose "), "{message}");
    }
    let lapses = Options { lease: ms(100), ..usual() };
    assert!(Watch::connect("redis://127.0.0.1:1", lapses).is_ok());
}

#[test]
fn addresses_are_taken_in_every_usual_form() {
    for url in [
        "redis://127.0.0.1",
        "redis://[::1]:6380/15",
        "redis://cache.internal.example:6379/",
        "redis://:secret@localhost",
        "redis://user:p%40ss@localhost/2?protocol=resp3",
        "valkey://localhost",
        "unix:///run/redis.sock",
        "unix:///run/redis.sock?db=2&user=u&pass=p%20q",
        "redis+unix:///run/redis.sock",
        "rediss://localhost",
        "redis+cluster://one,two:7000,[::1]:7001",
        "rediss+cluster://user:p%40ss@one",
        "redis+sentinel://:secret@one,two:26380,three/primary/2",
        "valkey+sentinel://one/primary?sentinel_user=u&sentinel_pass=p%20q",
    ] {
        let outcome = Watch::connect(url, Options::default());
        assert!(outcome.is_ok(), "{url}: {:?}", outcome.err());
    }
}

#[test]
fn what_is_no_address_is_refused_without_repeating_it() {
    for url in [
        "",
        "SECRET",
        "http://user:SECRET@host",
        "redis://user:SECRET@",
        "redis://SECRET@host",
        "redis://h:SECRET@host/x",
        "redis://h:SECRET@host?ca=/x",
        "redis://h:SECRET@host?timeout=1",
        "redis://h:SECRET@host#insecure",
        "rediss://h:SECRET@host?ca=relative.pem",
        "rediss://h:SECRET@host?cert=/x.pem",
        "unix://run/redis.sock?pass=SECRET",
        "redis+cluster://h:SECRET@",
        "redis+cluster://h:SECRET@a,,b",
        "redis+cluster://h:SECRET@a/1",
        "redis+cluster://h:SECRET@a?sentinel_pass=SECRET",
        "redis+cluster://h:SECRET@a?ca=/x",
        "redis+cluster://h:SECRET/@a",
        "redis+cluster://SECRET@a",
        "redis+sentinel://h:SECRET@a",
        "redis+sentinel://h:SECRET@a/name/x",
        "redis+sentinel://h:SECRET@a/name?timeout=SECRET",
        "redis+sentinel://h:SECRET@a/name?sentinel_user=SECRET",
        "rediss+sentinel://h:SECRET@a/name?ca=SECRET",
    ] {
        let message = refused(url, Options::default());
        assert!(!message.contains("SECRET"), "{message}");
        assert!(message.contains("redis://"), "{url}: {message}");
    }
    for url in ["redis-cluster://u:SECRET@host", "redis-sentinel://SECRET"] {
        let message = refused(url, Options::default());
        assert!(message.contains("redis+sentinel://") && !message.contains("SECRET"), "{message}");
    }
    let several = Watch::connect_node("redis+cluster://a,b", "beat", Options::default());
    assert!(matches!(several, Err(BadOptions::ManyServers(_))));
}

#[test]
fn a_certificate_that_cannot_be_read_is_named() {
    let options = Options::default;
    let message = refused("rediss://host?ca=/nowhere/ca.pem", options());
    assert!(message.starts_with("/nowhere/ca.pem: "), "{message}");
    let cause = Watch::connect("rediss://host?ca=/dev/null", options()).err();
    assert!(matches!(cause, Some(BadOptions::Certificate { .. })), "{cause:?}");
}
