//! Writers and checkers at once, for a while: nobody is told `OK` later than the lease.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_client::{Verdict, Watch};
use portcullis_tests::Redis;

use super::{LEASE, everywhere, options, say};
use crate::about;
use crate::waiting::check;

const USERS: usize = 16;
const WRITERS: usize = 2;

/// The present session of a user: its number, and when its end was confirmed, in nanoseconds since
/// the storm began; 0 while it lives.
#[derive(Default)]
struct User {
    session: AtomicU64,
    ended: AtomicU64,
}

fn storm(redis: &Redis, span: Duration) {
    let watch = Watch::connect(&redis.url(), options()).unwrap();
    let users: Vec<User> = (0..USERS).map(|_| User::default()).collect();
    let (begun, is_over) = (Instant::now(), AtomicBool::new(false));
    let (oks, late) = (AtomicU64::new(0), AtomicU64::new(0));
    let (watch, users, is_over, oks, late) = (&watch, &users[..], &is_over, &oks, &late);
    thread::scope(|scope| {
        for first in 0..WRITERS {
            scope.spawn(move || writes(redis, first, users, begun, is_over));
        }
        for first in 0..2 {
            scope.spawn(move || looks(watch, first, users, begun, (is_over, oks, late)));
        }
        thread::sleep(span);
        is_over.store(true, Ordering::Relaxed);
    });
    let (oks, late) = (oks.load(Ordering::Relaxed), late.load(Ordering::Relaxed));
    eprintln!("{oks} OK, {late} late, {:?}", watch.stats());
    assert!(oks > 0, "nobody was ever told OK");
    assert_eq!(late, 0, "told OK later than the lease");
}

fn writes(redis: &Redis, first: usize, users: &[User], begun: Instant, is_over: &AtomicBool) {
    let mut writer = redis.connection();
    let mut turn = 0;
    while !is_over.load(Ordering::Relaxed) {
        let number = first + WRITERS * (turn * 5 % (USERS / WRITERS));
        write(&mut writer, number, &users[number], begun);
        thread::sleep(Duration::from_micros(300));
        turn += 1;
    }
}

fn looks(
    watch: &Watch,
    first: usize,
    users: &[User],
    begun: Instant,
    (is_over, oks, late): (&AtomicBool, &AtomicU64, &AtomicU64),
) {
    let mut turn = 0;
    while !is_over.load(Ordering::Relaxed) {
        let number = (first + turn * 7) % USERS;
        look(watch, number, &users[number], begun, (oks, late));
        turn += 1;
    }
}

fn write(writer: &mut redis::Connection, number: usize, user: &User, begun: Instant) {
    let session = user.session.load(Ordering::SeqCst);
    if session != 0 && user.ended.load(Ordering::SeqCst) == 0 {
        say(writer, &format!("AUTH.SESSION REVOKE user:{number} s{session}"));
        user.ended.store(nanos(begun.elapsed()), Ordering::SeqCst);
    } else {
        say(writer, &format!("AUTH.SESSION CREATE user:{number} s{} EX 3600", session + 1));
        user.session.store(session + 1, Ordering::SeqCst);
        user.ended.store(0, Ordering::SeqCst);
    }
}

fn look(
    watch: &Watch,
    number: usize,
    user: &User,
    begun: Instant,
    (oks, late): (&AtomicU64, &AtomicU64),
) {
    let session = user.session.load(Ordering::SeqCst);
    let ended = user.ended.load(Ordering::SeqCst);
    if session == 0 || session != user.session.load(Ordering::SeqCst) {
        return;
    }
    let (subject, name) = (number.to_string(), format!("s{session}"));
    let token = format!("token-of-{number}-in-{session}");
    // Before the call, so that a pause of this thread counts in nobody's favour.
    let asked = nanos(begun.elapsed());
    if check(watch, &about(&subject, &token, &name)) == Ok(Verdict::Ok) {
        oks.fetch_add(1, Ordering::Relaxed);
        if ended != 0 && asked > ended + nanos(LEASE) {
            late.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap()
}

#[test]
fn in_a_storm_nobody_is_told_ok_later_than_the_lease() {
    everywhere(|options| options, |redis| storm(redis, Duration::from_secs(3)));
}

#[test]
#[ignore = "minutes: five on each server"]
fn in_a_long_storm_nobody_is_told_ok_later_than_the_lease() {
    everywhere(|options| options, |redis| storm(redis, Duration::from_mins(5)));
}
