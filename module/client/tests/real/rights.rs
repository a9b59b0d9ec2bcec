//! Who may ask, and what happens when that changes.

use std::time::Instant;

use portcullis_client::{State, Verdict, Watch, Why};
use portcullis_tests::{Cluster, Redis, Sentinels, servers, wait_until};

use super::{ends, everywhere, live, options, say};
use crate::about;
use crate::waiting::{check, know};

/// All that a watch needs.
const LEAST: &str = "ACL SETUSER watcher reset on >p%s +auth.check +client|tracking %R~user:*";

/// The same as part of an address.
const WATCHER: &str = "watcher:p%25s@";

fn url(redis: &Redis, database: &str) -> String {
    format!("redis://{WATCHER}127.0.0.1:{}{database}", redis.port())
}

#[test]
fn the_least_user_suffices_and_a_right_that_is_taken_away_is_seen() {
    everywhere(
        |options| options,
        |redis| {
            let mut writer = redis.connection();
            say(&mut writer, LEAST);
            let watch = Watch::connect(&url(redis, ""), options()).unwrap();
            for right in ["auth.check", "client|tracking"] {
                let question = about("1", "token", "s");
                live(&watch, &mut writer, &question);
                say(&mut writer, &format!("ACL SETUSER watcher -{right}"));
                if right == "client|tracking" {
                    // Of use only when a connection begins.
                    say(&mut writer, "CLIENT KILL USER watcher");
                }
                ends(&watch, b"token", Instant::now(), right);
                let why = State::Doubtful(Why::NoPermission);
                wait_until("it says why", || watch.state() == why);
                assert!(check(&watch, &question).is_err());
                say(&mut writer, LEAST);
                know(&watch, &question, Verdict::Ok);
            }
            say(&mut writer, "ACL DELUSER watcher");
            ends(&watch, b"token", Instant::now(), "the user is gone");
            let why = State::Doubtful(Why::Credentials);
            wait_until("it says why", || watch.state() == why);
        },
    );
}

#[test]
fn in_a_cluster_the_least_user_suffices_and_none_of_its_rights_can_be_spared() {
    for server in servers() {
        eprintln!("on {}", server.name);
        let cluster = Cluster::start(&Redis::options().server(server));
        let url = cluster.url().replacen("://", &format!("://{WATCHER}"), 1);
        let all_say =
            |line: &str| cluster.nodes.iter().for_each(|node| say(&mut node.connection(), line));
        let question = about("42", "token", "s");
        say(&mut cluster.node_of("user:42").connection(), "AUTH.SESSION CREATE user:42 s EX 3600");
        for right in ["cluster|nodes", "auth.check", "client|tracking"] {
            all_say(LEAST);
            all_say("ACL SETUSER watcher +cluster|nodes");
            all_say(&format!("ACL SETUSER watcher -{right}"));
            let watch = Watch::connect(&url, options()).unwrap();
            let why = State::Doubtful(Why::NoPermission);
            wait_until("it says why", || watch.state() == why);
            assert!(check(&watch, &question).is_err(), "{right}");
            all_say(&format!("ACL SETUSER watcher +{right}"));
            know(&watch, &question, Verdict::Ok);
            wait_until("it watches all", || matches!(watch.state(), State::Watching { .. }));
        }
    }
}

#[test]
fn of_sentinels_a_user_that_may_ask_who_is_the_primary_suffices() {
    for server in servers() {
        eprintln!("on {}", server.name);
        let redis = Redis::options().server(server).tcp().start();
        say(&mut redis.connection(), LEAST);
        let sentinels = Sentinels::watch(&redis, 1, 0);
        let mut sentinel = sentinels.connection(0);
        say(&mut sentinel, "ACL SETUSER asker reset on >word");
        let url = sentinels.url().replacen("://", &format!("://{WATCHER}"), 1);
        let url = format!("{url}?sentinel_user=asker&sentinel_pass=word");
        let watch = Watch::connect(&url, options()).unwrap();
        let why = State::Doubtful(Why::NoPermission);
        wait_until("it says why", || watch.state() == why);
        say(&mut sentinel, "ACL SETUSER asker +sentinel|get-master-addr-by-name");
        live(&watch, &mut redis.connection(), &about("42", "token", "s"));
    }
}

#[test]
fn ledgers_of_another_database_are_watched_there() {
    everywhere(
        |options| options,
        |redis| {
            let mut writer = redis.connection();
            say(&mut writer, LEAST);
            say(&mut writer, "ACL SETUSER watcher +select");
            say(&mut writer, "SELECT 3");
            let question = about("1", "token", "s");
            let there = Watch::connect(&url(redis, "/3"), options()).unwrap();
            live(&there, &mut writer, &question);
            let here = Watch::connect(&url(redis, ""), options()).unwrap();
            know(&here, &question, Verdict::NoSession);
            say(&mut writer, "AUTH.SESSION REVOKE user:1 s");
            ends(&there, b"token", Instant::now(), "a revocation in another database");
        },
    );
}

#[test]
fn a_connection_that_is_killed_misses_nothing() {
    everywhere(
        |options| options,
        |redis| {
            let mut writer = redis.connection();
            let watch = Watch::connect(&redis.url(), options()).unwrap();
            for round in 0..20 {
                let token = format!("token-{round}");
                let question = about("1", &token, "s");
                live(&watch, &mut writer, &question);
                say(&mut writer, "CLIENT KILL TYPE normal SKIPME yes");
                say(&mut writer, "AUTH.SESSION REVOKE user:1 s");
                ends(&watch, token.as_bytes(), Instant::now(), "a killed connection");
                know(&watch, &question, Verdict::NoSession);
            }
        },
    );
}

#[test]
fn a_socket_of_this_machine_is_as_good_as_a_port() {
    let redis = Redis::start();
    let mut writer = redis.connection();
    let watch = Watch::connect(&redis.url(), options()).unwrap();
    let question = about("1", "token", "s");
    live(&watch, &mut writer, &question);
    say(&mut writer, "AUTH.SESSION REVOKE user:1 s");
    ends(&watch, b"token", Instant::now(), "a revocation");
}

#[test]
fn a_server_without_the_module_is_said_to_lack_it() {
    let redis = Redis::options().tcp().without_module().start();
    let watch = Watch::connect(&redis.url(), options()).unwrap();
    wait_until("it says why", || watch.state() == State::Doubtful(Why::NoModule));
}

#[test]
fn a_server_that_is_started_again_is_believed_again() {
    let mut redis = Redis::options().tcp().start();
    let watch = Watch::connect(&redis.url(), options()).unwrap();
    let question = about("1", "token", "s");
    for _ in 0..3 {
        live(&watch, &mut redis.connection(), &question);
        redis.kill();
        ends(&watch, b"token", Instant::now(), "a dead server");
        redis.start_again();
        know(&watch, &question, Verdict::NoSession);
    }
}
