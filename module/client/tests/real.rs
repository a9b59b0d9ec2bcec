//! On every real server that is present.

mod clusters;
mod failover;
mod moves;
mod order;
mod replicas;
mod rights;
mod silent;
mod stops;
mod storm;
mod tls;

use std::thread;
use std::time::{Duration, Instant};

use portcullis_client::{Options, Question, Verdict, Watch};
use portcullis_tests::{Redis, RedisOptions, Server, servers};
use redis::Connection;

use crate::waiting::know;

/// Short, so that a test has many of them; a busy machine may only make it lapse.
const LEASE: Duration = Duration::from_millis(60);

fn options() -> Options {
    Options {
        lease: LEASE,
        beat: LEASE / 4,
        deadline: Duration::from_secs(10),
        ..Options::default()
    }
}

/// Runs a test on a fresh server of each kind, which also listens on a port.
fn everywhere(choose: impl Fn(RedisOptions) -> RedisOptions, test: impl Fn(&Redis)) {
    for server in servers() {
        eprintln!("on {}", server.name);
        test(&choose(Redis::options().server(server).tcp()).start());
    }
}

/// Runs a test with all kinds of servers at once, for what waits most of the time.
fn everywhere_at_once(test: impl Fn(&Server) + Sync) {
    thread::scope(|scope| {
        for server in servers() {
            let named = thread::Builder::new().name(format!("on {}", server.name));
            named.spawn_scoped(scope, || test(server)).unwrap();
        }
    });
}

/// Says a line; the server must not mind.
#[track_caller]
fn say(connection: &mut Connection, line: &str) {
    let mut words = line.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    for word in words {
        command.arg(word);
    }
    command.exec(connection).unwrap_or_else(|fault| panic!("{line}: {fault}"));
}

/// A new session of a user, whose token the watch knows as good.
fn live(watch: &Watch, redis: &mut Connection, question: &Question<'_>) {
    let (subject, session) = (question.subject, question.session.unwrap());
    say(redis, &format!("AUTH.SESSION CREATE user:{subject} {session} EX 3600"));
    know(watch, question, Verdict::Ok);
}

/// Looks for so long; how much later than `since` the last call began that was told `OK`.
fn last_ok(watch: &Watch, token: &[u8], since: Instant, for_so_long: Duration) -> Duration {
    let mut last = Duration::ZERO;
    loop {
        let begun = Instant::now();
        if watch.cached(token) == Some(Verdict::Ok) {
            last = begun.saturating_duration_since(since);
        }
        if begun.saturating_duration_since(since) > for_so_long {
            return last;
        }
    }
}

/// No `OK` was told to a call that began later than the lease after `since`.
#[track_caller]
fn ends(watch: &Watch, token: &[u8], since: Instant, what: &str) {
    let last = last_ok(watch, token, since, LEASE * 3);
    assert!(last <= LEASE, "{what}: OK after {last:?}");
}
