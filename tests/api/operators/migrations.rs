//! A database without its tables, and steps that fail.

use portcullis_tests::{Database, PASSWORD, Redis};

use super::{SECRET, portcullis};

const MEND: &str = "`portcullis migrate up`";

#[test]
fn f_35_every_command_says_that_the_database_is_not_migrated_and_what_mends_it() {
    let server = Database::shared();
    let (database, redis) = (server.fresh_database("bare"), Redis::start());
    let (url, old) = (redis.url(), server.fresh_database("old"));
    let settings = [
        ("DATABASE_URL", &*database),
        ("REDIS_URL", &*url),
        ("JWT_SECRET", SECRET),
        ("OLD_DATABASE_URL", &*old),
    ];
    let create = ["user", "create", "--email=a@example.com", "--first-name=A", "--last-name=B"];
    for command in [&create[..], &["cleanup"], &["hydrate"], &["import"]] {
        portcullis(command, &settings, PASSWORD.as_bytes()).must_be_refused_with(MEND);
    }
    let told = portcullis(&["check"], &settings, b"");
    assert!(!told.is_good && told.out.contains(MEND), "{}", told.out);
    let told = portcullis(&["migrate", "status"], &settings, b"").must_work();
    assert!(!told.out.contains("applied") && told.out.contains("pending  users"), "{}", told.out);
}

#[test]
fn f_35_every_command_says_which_database_is_missing() {
    let database = Database::shared().url("nobody_made_it");
    let settings = [("DATABASE_URL", &*database), ("JWT_SECRET", SECRET)];
    for command in [&["migrate", "up"][..], &["migrate", "status"], &["cleanup"], &["hydrate"]] {
        portcullis(command, &settings, b"").must_be_refused_with("run `create database");
    }
    portcullis(&["migrate", "up"], &[("DATABASE_URL", "mysql://root@localhost")], b"")
        .must_be_refused_with("names no database");
}

/// The state of each step, as `migrate status` tells it.
fn states(settings: &[(&str, &str)]) -> Vec<String> {
    let told = portcullis(&["migrate", "status"], settings, b"").must_work();
    let rows = told.out.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        words.next()?.parse::<u32>().ok()?;
        words.next()
    });
    rows.map(str::to_owned).collect()
}

#[test]
fn f_35_a_step_that_failed_is_told_as_failed_and_repeated_by_the_next_up() {
    let server = Database::shared();
    let database = server.fresh_database("failed");
    let (_, name) = database.split_once("localhost/").unwrap();
    let name = name.split('?').next().unwrap();
    server.execute(&format!("create table `{name}`.refresh_tokens (theirs int)"));
    let settings = [("DATABASE_URL", &*database)];

    portcullis(&["migrate", "up"], &settings, b"").must_be_refused_with("step 3 failed");
    assert_eq!(states(&settings)[..4], ["applied", "applied", "failed", "pending"]);
    let down = ["migrate", "down", "--yes"];
    portcullis(&down, &settings, b"").must_be_refused_with(MEND);

    let again = portcullis(&["migrate", "up"], &settings, b"");
    again.must_be_refused_with("a table `refresh_tokens` that Portcullis did not make");
    assert_eq!(server.execute(&format!("select count(*) from `{name}`.refresh_tokens")), "0\n");

    server.execute(&format!("drop table `{name}`.refresh_tokens"));
    portcullis(&["migrate", "up"], &settings, b"").must_work();
    assert!(states(&settings).iter().all(|state| state == "applied"));
    server.execute(&format!("select token_hash from `{name}`.refresh_tokens"));
}

/// As after a power cut between a statement and the note that it is done.
#[test]
fn f_35_a_step_whose_end_was_not_noted_is_taken_up_again_and_loses_nothing() {
    let server = Database::shared();
    let database = server.fresh_database("cut");
    let (_, name) = database.split_once("localhost/").unwrap();
    let name = name.split('?').next().unwrap();
    let settings = [("DATABASE_URL", &*database)];
    portcullis(&["migrate", "up"], &settings, b"").must_work();
    server.execute(&format!(
        "use `{name}`; insert into audit_events (at, event, detail) values ('2020-01-01', 'x', '{{}}');
         update _sqlx_migrations set success = false where version in (1, 6)"
    ));
    assert_eq!(states(&settings)[..2], ["failed", "applied"]);

    portcullis(&["migrate", "up"], &settings, b"").must_work();

    assert!(states(&settings).iter().all(|state| state == "applied"));
    assert_eq!(server.execute(&format!("select count(*) from `{name}`.audit_events")), "1\n");
}
