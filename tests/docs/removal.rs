//! Removing the module as `operations.md` says: the script that deletes every ledger, as an operator would
//! run it, and what is left when a server starts without the module.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use portcullis_tests::{Directory, Redis, find_program, servers, wait_until};
use redis::Connection;

use crate::pages::page;

/// More than one `SCAN` answers.
const SUBJECTS: usize = 2500;

#[test]
fn the_removal_script_deletes_every_ledger_and_a_server_without_the_module_has_the_rest() {
    let script = page("operations.md").fence("sh");
    for server in servers() {
        let redis = Redis::options().server(server).start();
        let mut connection = redis.connection();
        // Redis 7.0 leaves by an AOF.
        let file =
            if server.is_valkey() || server.version() >= (7, 2) { "dump.rdb" } else { "aof" };
        if file == "aof" {
            tell(&mut connection, "CONFIG SET aof-use-rdb-preamble no");
            tell(&mut connection, "CONFIG SET appendonly yes");
        }
        let run_id = run_id(&mut connection);
        tell(&mut connection, &format!("AUTH.CONFIRM {run_id} MARK mark BEFORE 1795305000500"));
        for database in [1, 0] {
            select(&mut connection, database);
            let mut ledgers = redis::pipe();
            for subject in 0..SUBJECTS {
                ledgers
                    .cmd("AUTH.SESSION")
                    .arg("REVOKEALL")
                    .arg(format!("user:{subject}"))
                    .ignore();
            }
            ledgers.cmd("SET").arg("other").arg(1).ignore().exec(&mut connection).unwrap();
        }

        let path = redis_cli_of(&redis);
        let search = format!("{}:/usr/bin:/bin", path.path().display());
        let told = Command::new("sh").arg("-c").arg(&script).env("PATH", search).output().unwrap();
        assert!(told.status.success(), "{}: {told:?}", server.name);
        for database in [0, 1] {
            select(&mut connection, database);
            let (left, other): (usize, bool) = redis::pipe()
                .cmd("DBSIZE")
                .cmd("EXISTS")
                .arg("other")
                .query(&mut connection)
                .unwrap();
            assert_eq!((left, other), (1, true), "database {database} of {}", server.name);
        }
        tell(&mut connection, &format!("AUTH.CONFIRM {run_id} FORGET"));
        let mut bare = Redis::options().server(server).without_module();
        if file == "aof" {
            bare = bare.arguments(&["--appendonly", "yes"]);
            rewrite(&mut connection);
        } else {
            tell(&mut connection, "SAVE");
        }
        let mut bare = bare.start();
        bare.stop();
        let files = if file == "aof" { "appendonlydir" } else { file };
        let (from, to) = (redis.data().join(files), bare.data());
        let copied = Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap();
        assert!(copied.success());
        bare.start_again();
        let mut connection = bare.connection();
        for database in [0, 1] {
            select(&mut connection, database);
            let other: bool = redis::cmd("EXISTS").arg("other").query(&mut connection).unwrap();
            assert!(other, "database {database} of {}", server.name);
        }
    }
}

fn rewrite(connection: &mut Connection) {
    let is_idle = |connection: &mut Connection| {
        let info: String = redis::cmd("INFO").arg("persistence").query(connection).unwrap();
        info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0")
    };
    wait_until("no rewrite is on", || is_idle(connection));
    tell(connection, "BGREWRITEAOF");
    wait_until("the AOF is rewritten", || is_idle(connection));
}

fn tell(connection: &mut Connection, line: &str) {
    let mut words = line.split(' ');
    let mut command = redis::cmd(words.next().expect("a command has a name"));
    let told = command.arg(words.collect::<Vec<_>>()).exec(connection);
    told.unwrap_or_else(|fault| panic!("{line}: {fault}"));
}

fn run_id(connection: &mut Connection) -> String {
    let info: String = redis::cmd("INFO").arg("server").query(connection).unwrap();
    let found = info.lines().find_map(|line| line.trim_end().strip_prefix("run_id:"));
    found.expect("a server says so").to_owned()
}

fn select(connection: &mut Connection, database: i64) {
    redis::cmd("SELECT").arg(database).exec(connection).expect("SELECT is accepted");
}

/// A directory with a redis-cli that asks this server.
fn redis_cli_of(redis: &Redis) -> Directory {
    let directory = Directory::new();
    let real = find_program("redis-cli").expect("redis-cli is installed: run `make install`");
    let line =
        format!("#!/bin/sh\nexec {} -s {} \"$@\"\n", real.display(), redis.socket().display());
    let file = directory.path().join("redis-cli");
    fs::write(&file, line).expect("the directory is writable");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    directory
}
