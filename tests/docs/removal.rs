//! The script of `operations.md` that deletes every ledger, as an operator would run it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use portcullis_tests::{Directory, Redis, find_program, servers};
use redis::Connection;

use crate::pages::page;

/// More than one `SCAN` answers.
const SUBJECTS: usize = 2500;

#[test]
fn the_removal_script_deletes_every_ledger_and_nothing_else() {
    let script = page("operations.md").fence("sh");
    for server in servers() {
        let redis = Redis::options().server(server).start();
        let mut connection = redis.connection();
        for database in [1, 0] {
            select(&mut connection, database);
            let mut fill = redis::pipe();
            for subject in 0..SUBJECTS {
                fill.cmd("AUTH.SESSION").arg("REVOKEALL").arg(format!("user:{subject}")).ignore();
            }
            fill.cmd("SET").arg("other").arg(1).ignore().exec(&mut connection).unwrap();
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
    }
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
