//! The module inside real servers: every reply, every way of keeping and moving a ledger, and
//! whatever anybody may throw at it. Every test runs on every server that is present.

mod aof;
mod ledgers;
mod payload;
mod talk;

mod announced;
mod blacklist;
mod check;
mod cluster;
mod confirm;
mod create;
mod damage;
mod earlier;
mod effects;
mod everybody;
mod fence;
mod fixture;
mod full;
mod hostile;
mod kept;
mod keyspace;
mod lease;
mod marks;
mod memory;
mod model;
mod paused;
mod persistence;
mod replay;
mod replication;
mod said;
mod sessions;
mod settings;
mod slots;
mod slow;
mod surface;
mod touched;
mod vouched;

use std::fmt;

use portcullis_tests::{Redis, RedisOptions, Server, servers};

/// Runs a test on a fresh server of each kind; a failure tells which it was.
fn everywhere(test: impl Fn(&Redis)) {
    everywhere_with(|options| options, test);
}

/// As [`everywhere`], with servers started as `choose` says.
fn everywhere_with(choose: impl Fn(RedisOptions) -> RedisOptions, test: impl Fn(&Redis)) {
    on_each_server(|server| test(&choose(Redis::options().server(server)).start()));
}

/// Vouches for nothing before it has been confirmed.
fn strict(options: RedisOptions) -> RedisOptions {
    options.module_arguments(&["require-confirm", "yes"])
}

/// The same for tests that start their servers themselves, on TCP for replicas.
fn strict_on(server: &Server) -> RedisOptions {
    strict(Redis::options().server(server).tcp())
}

/// For tests that start their servers themselves.
fn on_each_server(test: impl Fn(&Server)) {
    for server in servers() {
        let _told = TellOnFailure("on", &server.name);
        test(server);
    }
}

/// Says what was being looked at when a test failed.
struct TellOnFailure<T: fmt::Display>(&'static str, T);

impl<T: fmt::Display> Drop for TellOnFailure<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed {} {}", self.0, self.1);
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "CI tells that it is CI in no other way")]
fn in_ci_no_server_is_missing() {
    let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!is_ci || servers().len() == 3, "only {:?}; run `make install`", servers());
}
