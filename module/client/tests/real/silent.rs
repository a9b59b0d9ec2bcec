//! Whatever makes a token dead, told or not, is seen within the lease.

use std::time::{Duration, Instant};

use portcullis_client::{Verdict, Watch};
use redis::Connection;

use super::{LEASE, ends, everywhere, live, options, say};
use crate::about;
use crate::waiting::{check, know};

/// What is said; `%` is the token.
const EVENTS: [(&str, &[&str]); 13] = [
    ("REVOKE", &["AUTH.SESSION REVOKE user:1 s"]),
    ("REVOKEALL", &["AUTH.SESSION REVOKEALL user:1"]),
    ("BLACKLIST", &["AUTH.BLACKLIST user:1 % EX 60"]),
    ("DEL", &["DEL user:1"]),
    ("UNLINK", &["UNLINK user:1"]),
    ("RENAME", &["RENAME user:1 other"]),
    ("RENAME onto it", &["AUTH.SESSION CREATE other x EX 60", "RENAME other user:1"]),
    ("MULTI", &["MULTI", "AUTH.SESSION REVOKE user:1 s", "EXEC"]),
    ("FLUSHALL", &["FLUSHALL"]),
    ("FLUSHALL ASYNC", &["FLUSHALL ASYNC"]),
    ("FLUSHDB", &["FLUSHDB"]),
    ("SWAPDB", &["SWAPDB 0 1"]),
    ("the need of a confirmation", &["CONFIG SET portcullis.require-confirm yes"]),
];

fn each_event(rounds: usize) {
    everywhere(
        |options| options,
        |redis| {
            let mut writer = redis.connection();
            let watch = Watch::connect(&redis.url(), options()).unwrap();
            for (name, lines) in EVENTS {
                for round in 0..rounds {
                    one_event(&watch, &mut writer, (name, lines), round);
                }
            }
        },
    );
}

fn one_event(watch: &Watch, writer: &mut Connection, (name, lines): (&str, &[&str]), round: usize) {
    let token = format!("token-{name}-{round}").replace(' ', "-");
    let question = about("1", &token, "s");
    start_over(writer);
    live(watch, writer, &question);
    for line in lines {
        say(writer, &line.replace('%', &token));
    }
    ends(watch, token.as_bytes(), Instant::now(), name);
    assert_ne!(check(watch, &question), Ok(Verdict::Ok), "{name}");
}

fn start_over(writer: &mut Connection) {
    say(writer, "CONFIG SET portcullis.require-confirm no");
    say(writer, "FLUSHALL");
}

#[test]
fn every_event_is_seen_within_the_lease() {
    each_event(3);
}

#[test]
#[ignore = "two hours: a thousand rounds of each event on each server"]
fn every_event_is_seen_within_the_lease_a_thousand_times() {
    each_event(1000);
}

/// Ends that nobody writes: what is said to begin with, and after how long it is over.
const ENDS: [(&str, &[&str], Duration); 3] = [
    (
        "a session's end",
        &["AUTH.SESSION CREATE user:1 other EX 60", "AUTH.SESSION CREATE user:1 s PX 150"],
        Duration::from_millis(150),
    ),
    ("an idle limit", &["AUTH.SESSION CREATE user:1 s EX 60 IDLE 1"], Duration::from_secs(1)),
    (
        "the key's own end",
        &["AUTH.SESSION CREATE user:1 s EX 60", "PEXPIRE user:1 150"],
        Duration::from_millis(150),
    ),
];

fn each_end(rounds: usize) {
    everywhere(
        |options| options,
        |redis| {
            let mut writer = redis.connection();
            let watch = Watch::connect(&redis.url(), options()).unwrap();
            for end in ENDS {
                let all = 0..rounds;
                // On a busy machine it may be over before it is known.
                let known = all.filter(|round| one_end(&watch, &mut writer, end, *round)).count();
                assert!(known > 0, "{}: never known before it was over", end.0);
            }
        },
    );
}

/// Whether it was known before it was over.
fn one_end(
    watch: &Watch,
    writer: &mut Connection,
    (name, lines, after): (&str, &[&str], Duration),
    round: usize,
) -> bool {
    let token = format!("token-{round}");
    let question = about("1", &token, "s");
    say(writer, "FLUSHALL");
    for line in lines {
        say(writer, line);
    }
    let over = Instant::now() + after;
    let was_known = check(watch, &question) == Ok(Verdict::Ok);
    ends(watch, token.as_bytes(), over, name);
    assert_ne!(check(watch, &question), Ok(Verdict::Ok), "{name}");
    was_known
}

#[test]
fn what_ends_by_itself_ends_here_within_the_lease() {
    each_end(5);
}

#[test]
#[ignore = "an hour and a half: a thousand rounds of each end on each server"]
fn what_ends_by_itself_ends_here_within_the_lease_a_thousand_times() {
    each_end(1000);
}

#[test]
fn a_touch_does_not_cost_what_is_known() {
    everywhere(
        |options| options,
        |redis| {
            let mut writer = redis.connection();
            // Long enough not to lapse.
            let lease = Duration::from_secs(30);
            let patient = portcullis_client::Options { lease, ..options() };
            let watch = Watch::connect(&redis.url(), patient).unwrap();
            let question = about("1", "token", "s");
            say(&mut writer, "AUTH.SESSION CREATE user:1 s EX 3600 IDLE 1800");
            know(&watch, &question, Verdict::Ok);
            let changes = watch.stats().changes;
            std::thread::sleep(Duration::from_millis(5));
            say(&mut writer, "AUTH.SESSION TOUCH user:1 s");
            // Whatever it would have pushed comes before this does.
            say(&mut writer, "AUTH.SESSION CREATE user:2 s EX 60");
            know(&watch, &about("2", "other", "s"), Verdict::Ok);
            say(&mut writer, "AUTH.SESSION REVOKE user:2 s");
            portcullis_tests::wait_until("the other's change is heard", || {
                watch.stats().changes > changes
            });
            assert_eq!(watch.stats().changes, changes + 1);
            assert_eq!(watch.cached(b"token"), Some(Verdict::Ok));
        },
    );
    assert!(LEASE < Duration::from_secs(1));
}
