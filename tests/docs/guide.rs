//! The guide for people who come from the old system, done step by step, forth and back.

use portcullis_tests::PASSWORD;
use serde_json::{Value, json};

use crate::host::Host;
use crate::pages::{Page, service_page};

const SCHEMA: &str = include_str!("../fixtures/old-system-a.sql");

/// Two people, one of whom is logged in, and whose refresh token and session are 64 letters each.
fn old_system(host: &Host) {
    let hash = bcrypt::hash(PASSWORD, 4).expect("bcrypt takes it");
    host.mariadb.execute("create database legacy");
    host.mariadb.execute(&format!("use legacy; {SCHEMA}"));
    let device = r#"{"fingerprint":"1"}"#;
    let later = "utc_timestamp() + interval 10 day";
    host.mariadb.execute(&format!(
        "use legacy;
         insert into users (id, email, password, first_name, last_name, role, email_verified_at)
         values (41, 'root@example.com', '{hash}', 'Root', 'Tester', 'admin', utc_timestamp()),
                (42, 'alice@example.com', '{hash}', 'Alice', 'Tester', 'user', utc_timestamp());
         insert into user_sessions (id, user_id, device_info, last_activity, created_at, expires_at)
         values ('{0}', 42, '{device}', utc_timestamp(), utc_timestamp(), {later});
         insert into refresh_tokens (user_id, token_hash, session_id, device_info, expires_at,
                                     created_at, updated_at)
         values (42, sha2('{1}', 256), '{0}', '{device}', {later}, utc_timestamp(),
                 utc_timestamp())",
        session(),
        refresh_token(),
    ));
}

fn session() -> String {
    "5".repeat(64)
}

fn refresh_token() -> String {
    "7".repeat(128)
}

#[test]
fn the_guide_leads_from_the_old_system_here_and_back() {
    let mut host = Host::new();
    old_system(&host);
    let guide = service_page("migration.md");

    let told = run(&mut host, &guide, "1. Prepare");
    assert!(told.contains("2  users imported") && told.contains("1  sessions imported"), "{told}");
    assert!(told.contains("dry run") && told.contains("applied"), "{told}");
    assert_eq!(count(&host, "users"), "0");

    let told = run(&mut host, &guide, "2. Parallel operation");
    assert!(told.contains("2  users there already"), "{told}");
    assert_eq!((count(&host, "users"), count(&host, "user_sessions")), ("2".into(), "0".into()));

    let mut switched = false;
    for block in guide.commands_under("3. The switch") {
        host.run(&block);
        if block.text.contains("> switched-at") {
            people_notice_nothing(&host);
            switched = true;
        }
    }
    assert!(switched, "the guide says when the switch was");

    run(&mut host, &guide, "4. Clean up");
    assert_eq!(host.mariadb.execute("select count(*) from legacy.users").trim(), "2");

    let told = run(&mut host, &guide, "`portcullis migrate down`");
    assert!(told.contains("2  rows of users would be deleted"), "{told}");
    assert!(told.contains("nothing was done"), "{told}");
    assert_eq!(count(&host, "users"), "2");
}

/// Who is logged in refreshes with the token of old; who is not logs in with the password of old.
fn people_notice_nothing(host: &Host) {
    let body = json!({ "refresh_token": refresh_token(), "session_id": session() });
    let (status, pair) = host.ask("POST", "/refresh", "", &body);
    assert_eq!(status, 200, "{pair}");
    let access = pair["data"]["access"]["token"].as_str().expect("it is a token");
    assert_eq!(host.ask("GET", "/verify", access, &Value::Null).0, 200);
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    assert_eq!(host.ask("POST", "/login", "", &body).0, 200);
    let (_, sessions) = host.ask("GET", "/sessions", access, &Value::Null);
    assert_eq!(sessions["data"]["current_session"]["id"], session());
}

fn run(host: &mut Host, page: &Page, heading: &str) -> String {
    page.commands_under(heading).iter().map(|block| host.run(block)).collect()
}

fn count(host: &Host, table: &str) -> String {
    host.mariadb.execute(&format!("select count(*) from portcullis.{table}")).trim().to_owned()
}
