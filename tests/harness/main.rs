//! The harness itself: what the other tests take for granted about their servers.

mod dependencies;
mod installation;
mod packages;
mod pictures;
mod queries;
mod requirements;
mod results;
mod rooms;

use portcullis_tests::{
    Cluster, Database, DatabaseKind, Redis, RedisOptions, servers, tell, wait_until,
};
use redis::Commands;

/// Set for the child that is to be killed.
const HANG: &str = "PORTCULLIS_TEST_HANG";

fn bare() -> RedisOptions {
    Redis::options().without_module()
}

#[test]
fn a_killed_redis_with_aof_keeps_what_it_acknowledged() {
    let mut redis = bare().arguments(&["--appendonly", "yes"]).start();
    redis.connection().set::<_, _, ()>("kept", 1).unwrap();
    redis.kill();
    redis.start_again();
    assert_eq!(redis.connection().get::<_, i32>("kept").unwrap(), 1);
}

#[test]
fn a_stopped_redis_forgets_unless_told_to_save() {
    let mut redis = bare().start();
    redis.connection().set::<_, _, ()>("saved", 1).unwrap();
    redis.stop_and_save();
    redis.start_again();
    redis.connection().set::<_, _, ()>("lost", 1).unwrap();
    redis.stop();
    redis.start_again();
    let kept: (Option<i32>, Option<i32>) = redis.connection().mget(&["saved", "lost"]).unwrap();
    assert_eq!(kept, (Some(1), None));
}

#[test]
fn every_server_present_starts_and_says_its_version() {
    for server in servers() {
        let redis = bare().server(server).start();
        let told: String = redis::cmd("INFO").arg("server").query(&mut redis.connection()).unwrap();
        let version = server.name.rsplit(' ').next().unwrap();
        assert!(told.contains(version), "{} says {told}", server.name);
    }
}

#[test]
fn a_redis_that_refuses_to_start_shows_its_log() {
    let refused = bare().arguments(&["--no-such-setting", "1"]).try_start();
    assert!(refused.err().unwrap().contains("no-such-setting"));
}

#[test]
fn a_replica_has_what_its_primary_had() {
    let (primary, replica) = (bare().tcp().start(), bare().tcp().start());
    primary.connection().set::<_, _, ()>("copied", 1).unwrap();
    replica.replica_of(&primary);
    assert_eq!(replica.connection().get::<_, i32>("copied").unwrap(), 1);
}

#[test]
fn a_cluster_answers_for_every_slot() {
    let cluster = Cluster::start(&bare());
    for key in ["a", "b", "c", "d", "e", "f"] {
        cluster.node_of(key).connection().set::<_, _, ()>(key, 1).unwrap();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "CI tells that it is CI in no other way")]
fn in_ci_no_database_server_is_missing() {
    let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let present = DatabaseKind::present();
    tell(&format!("database servers present: {present:?}"));
    assert!(!is_ci || present.len() == 2, "only {present:?}; run `make install`");
}

#[test]
fn databases_of_the_shared_server_are_apart() {
    let shared = Database::shared();
    let (one, other) = (shared.fresh_database("same"), shared.fresh_database("same"));
    assert_ne!(one, other);
}

#[test]
fn a_killed_database_server_keeps_what_it_committed() {
    for kind in DatabaseKind::present() {
        let mut server = Database::start_kind(kind);
        let version = server.execute("select version()");
        assert_eq!(version.contains("MariaDB"), kind == DatabaseKind::MariaDb, "{version}");
        server.execute("create database d; create table d.t (n int); insert into d.t values (7)");
        server.kill();
        server.start_again();
        assert_eq!(server.execute("select n from d.t").trim(), "7", "{kind:?}");
    }
}

/// Runs this very binary as a child that starts servers and is then killed.
#[test]
fn servers_die_with_a_killed_process_and_leave_nothing() {
    let me = std::env::current_exe().unwrap();
    let mut child = std::process::Command::new(me)
        .args(["--exact", "a_server_runs_while_its_process_does", "--nocapture"])
        .env(HANG, "1")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let line = told_line(child.stdout.take().unwrap());
    let (pid, data) = line.split_once(' ').unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("its redis-server is gone", || !is_running(pid));
    wait_until("its directory is gone", || !std::path::Path::new(data).exists());
}

/// Alone it shows that a server outlives the thread that started it; as a child it hangs.
#[test]
#[expect(clippy::disallowed_methods, reason = "the parent tells its child so")]
fn a_server_runs_while_its_process_does() {
    let redis = std::thread::spawn(|| bare().start()).join().unwrap();
    assert!(redis.try_connection().is_ok());
    if std::env::var_os(HANG).is_some() {
        println!("\nstarted {} {}", redis.pid(), redis.data().display());
        std::thread::park();
    }
}

fn told_line(output: impl std::io::Read) -> String {
    let lines = std::io::BufRead::lines(std::io::BufReader::new(output));
    let told = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("started ").map(String::from));
    told.expect("the child tells what it started")
}

fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}
