//! Replicas answer only where somebody vouches for them, and no longer.

use std::time::Instant;

use portcullis_client::{State, Verdict, Watch, Why};
use portcullis_tests::{Redis, Server, servers, wait_until};
use redis::Connection;

use super::{ends, live, options, say};
use crate::about;
use crate::waiting::{check, know};

fn pair(server: &Server) -> (Redis, Redis) {
    let start = || Redis::options().server(server).tcp().start();
    let (primary, replica) = (start(), start());
    replica.replica_of(&primary);
    (primary, replica)
}

fn confirm(connection: &mut Connection) {
    let info: String = redis::cmd("INFO").arg("server").query(connection).unwrap();
    let run_id = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap();
    say(connection, &format!("AUTH.CONFIRM {}", run_id.trim()));
}

#[test]
fn a_replica_is_asked_only_while_it_is_vouched_for() {
    for server in servers() {
        eprintln!("on {}", server.name);
        let (mut primary, replica) = pair(server);
        let mut writer = primary.connection();
        let watch = Watch::connect(&replica.url(), options()).unwrap();
        wait_until("it is refused", || watch.state() == State::Doubtful(Why::Replica));
        let question = about("1", "token", "s");
        assert!(check(&watch, &question).is_err());
        say(&mut replica.connection(), "CONFIG SET portcullis.require-confirm yes");
        wait_until("it is not confirmed", || watch.state() == State::Doubtful(Why::NotReady));
        confirm(&mut writer);
        live(&watch, &mut writer, &question);
        // Confirmed by the replica, then by the primary.
        say(&mut writer, "AUTH.SESSION REVOKE user:1 s");
        say(&mut writer, "WAIT 1 60000");
        ends(&watch, b"token", Instant::now(), "a replicated revocation");
        live(&watch, &mut writer, &question);
        primary.kill();
        let down = |replica: &Redis| {
            let mut connection = replica.connection();
            let info: String =
                redis::cmd("INFO").arg("replication").query(&mut connection).unwrap();
            info.contains("master_link_status:down")
        };
        wait_until("the link is lost", || down(&replica));
        ends(&watch, b"token", Instant::now(), "a lost link");
        assert_eq!(check(&watch, &question).ok(), None);
    }
}

#[test]
fn a_promoted_replica_vouches_for_nothing() {
    for server in servers() {
        eprintln!("on {}", server.name);
        let (primary, replica) = pair(server);
        say(&mut replica.connection(), "CONFIG SET portcullis.require-confirm yes");
        let mut writer = primary.connection();
        confirm(&mut writer);
        let watch = Watch::connect(&replica.url(), options()).unwrap();
        let question = about("1", "token", "s");
        live(&watch, &mut writer, &question);
        let mut other = replica.connection();
        say(&mut other, "REPLICAOF NO ONE");
        ends(&watch, b"token", Instant::now(), "a promotion");
        wait_until("it says why", || watch.state() == State::Doubtful(Why::NotReady));
        confirm(&mut other);
        know(&watch, &question, Verdict::Ok);
    }
}

#[test]
fn a_primary_that_is_made_a_replica_is_asked_no_more() {
    for server in servers() {
        eprintln!("on {}", server.name);
        let start = || Redis::options().server(server).tcp().start();
        let (one, other) = (start(), start());
        let watch = Watch::connect(&one.url(), options()).unwrap();
        let question = about("1", "token", "s");
        live(&watch, &mut one.connection(), &question);
        say(&mut one.connection(), &format!("REPLICAOF 127.0.0.1 {}", other.port()));
        ends(&watch, b"token", Instant::now(), "a demotion");
        wait_until("it says why", || watch.state() == State::Doubtful(Why::Replica));
    }
}
