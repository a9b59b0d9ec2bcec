//! Over TLS, as `rediss://` says.

use portcullis_client::{State, Verdict, Watch, Why};
use portcullis_tests::{
    Directory, Redis, Sentinels, certificate, free_port, tls_lines, wait_until,
};

use super::{live, options, say};
use crate::about;
use crate::waiting::{check, know};

/// A server that speaks nothing but TLS on a port, what it trusts and is trusted by, and its address.
fn behind_tls(asks_who: &str) -> (Redis, [String; 2], String, Directory) {
    let (directory, port) = (Directory::new(), free_port());
    let files = certificate(&directory).map(|path| path.display().to_string());
    let [certificate, key] = &files;
    let redis = Redis::options()
        .arguments(&["--tls-port", &port.to_string(), "--tls-auth-clients", asks_who])
        .arguments(&["--tls-cert-file", certificate, "--tls-key-file", key])
        .arguments(&["--tls-ca-cert-file", certificate])
        .start();
    (redis, files, format!("rediss://127.0.0.1:{port}"), directory)
}

#[test]
fn behind_tls_verdicts_are_kept_and_changes_pushed() {
    let (redis, [ca, _], address, _directory) = behind_tls("no");
    let watch = Watch::connect(&format!("{address}?ca={ca}"), options()).unwrap();
    let question = about("42", "token", "s");
    let mut redis = redis.connection();
    live(&watch, &mut redis, &question);
    say(&mut redis, "AUTH.SESSION REVOKE user:42 s");
    know(&watch, &question, Verdict::NoSession);
}

#[test]
fn nobody_is_believed_whose_certificate_nobody_vouches_for() {
    let (redis, _, address, _directory) = behind_tls("no");
    say(&mut redis.connection(), "AUTH.SESSION CREATE user:42 s EX 3600");
    // The system's list does not have it.
    let watch = Watch::connect(&address, options()).unwrap();
    assert!(check(&watch, &about("42", "token", "s")).is_err());
    assert_eq!((watch.state(), watch.stats().asked), (State::Away, 0));
}

#[test]
fn a_server_that_wants_to_know_who_asks_is_told() {
    let (redis, [ca, key], address, _directory) = behind_tls("yes");
    let question = about("42", "token", "s");
    let own = format!("{address}?ca={ca}&cert={ca}&key={key}");
    let known = Watch::connect(&own, options()).unwrap();
    live(&known, &mut redis.connection(), &question);
    let nameless = Watch::connect(&format!("{address}?ca={ca}"), options()).unwrap();
    wait_until("it was turned away", || nameless.stats().connections > 0);
    assert!(check(&nameless, &question).is_err());
}

#[test]
fn sentinels_and_the_primary_that_they_name_are_watched_over_tls() {
    let (redis, [ca, key], address, _directory) = behind_tls("no");
    let (_, port) = address.rsplit_once(':').unwrap();
    let mut lines = tls_lines(&ca, &key);
    lines.push("tls-replication yes".to_owned());
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let sentinels = Sentinels::behind_tls(&redis, port.parse().unwrap(), &lines);
    let url = sentinels.url().replacen("redis+", "rediss+", 1);
    let watch = Watch::connect(&format!("{url}?ca={ca}"), options()).unwrap();
    let question = about("42", "token", "s");
    let mut redis = redis.connection();
    live(&watch, &mut redis, &question);
    say(&mut redis, "AUTH.SESSION REVOKE user:42 s");
    know(&watch, &question, Verdict::NoSession);
    // Nobody vouches for the sentinel here, so that it names nobody.
    let nameless = Watch::connect(&url, options()).unwrap();
    let why = State::Doubtful(Why::NoMajority);
    wait_until("it is not believed", || nameless.state() == why);
    assert!(check(&nameless, &question).is_err());
    assert_eq!(nameless.stats().connections, 0);
}
