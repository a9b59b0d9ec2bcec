//! The order that everything rests on: no question is answered before the push of an earlier write.

use std::time::Duration;

use portcullis_client::{Options, State, Verdict, Watch};
use portcullis_tests::{Redis, wait_until};
use std::time::Instant;

use super::{everywhere, live, say};
use crate::about;

/// Once the lease is one that was asked for after a write was confirmed, the write is seen.
fn in_order(redis: &Redis, rounds: u32) {
    let lease = Duration::from_secs(5);
    let options = Options { lease, beat: Duration::from_millis(1), ..Options::default() };
    let mut writer = redis.connection();
    let watch = Watch::connect(&redis.url(), options).unwrap();
    for round in 0..rounds {
        let (subject, token) = (round.to_string(), format!("token-{round}"));
        live(&watch, &mut writer, &about(&subject, &token, "s"));
        say(&mut writer, &format!("AUTH.SESSION REVOKE user:{subject} s"));
        let confirmed = Instant::now();
        wait_until("a beat that was sent later is answered", || match watch.state() {
            State::Watching { until } => until > confirmed + lease,
            _ => false,
        });
        assert_ne!(watch.cached(token.as_bytes()), Some(Verdict::Ok), "round {round}");
    }
}

const THREADS: [&str; 2] = ["--io-threads", "3"];

#[test]
fn no_beat_is_answered_before_the_push_of_an_earlier_write() {
    everywhere(|options| options, |redis| in_order(redis, 50));
    everywhere(|options| options.arguments(&THREADS), |redis| in_order(redis, 50));
}

#[test]
#[ignore = "minutes: a hundred thousand beats on each server, with and without threads"]
fn no_beat_is_answered_before_the_push_of_an_earlier_write_100_000_times() {
    everywhere(|options| options, |redis| in_order(redis, 100_000));
    everywhere(|options| options.arguments(&THREADS), |redis| in_order(redis, 100_000));
}
