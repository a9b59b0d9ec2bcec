//! Settings as they come from files and shells.

use super::{SECRET, Told, portcullis};

fn check(settings: &[(&str, &str)]) -> Told {
    let settings = [&[("JWT_SECRET", SECRET)], settings].concat();
    portcullis(&["check", "--offline"], &settings, b"")
}

#[test]
fn f_40_an_empty_variable_is_unset_everywhere() {
    let names: Vec<&str> = include_str!("../../../.env.sample")
        .lines()
        .filter_map(|line| line.strip_prefix("# ")?.split_once('=').map(|(name, _)| name))
        .filter(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        .collect();
    assert!(names.len() > 60, "{names:?}");
    for name in &names {
        if *name != "JWT_SECRET" {
            check(&[(name, "")]).must_work();
        }
    }
    let all: Vec<(&str, &str)> =
        names.iter().filter(|name| **name != "JWT_SECRET").map(|name| (*name, "")).collect();
    check(&all).must_work();
    portcullis(&["check", "--offline"], &[("JWT_SECRET", "")], b"")
        .must_be_refused_with("JWT_SECRET: must be set");
}

#[test]
fn f_40_an_empty_flag_is_refused() {
    for flag in
        ["--port=", "--jwt-expires-in=", "--jwt-secret=", "--frontend-url=", "--trusted-ip="]
    {
        let told = portcullis(&["check", "--offline", flag], &[("JWT_SECRET", SECRET)], b"");
        told.must_be_refused_with("must not be empty; leave the flag out instead");
    }
    let create = ["user", "create", "--email=", "--first-name=A", "--last-name=B"];
    portcullis(&create, &[("JWT_SECRET", SECRET)], b"").must_be_refused_with("--email: must not");
}

#[test]
fn f_40_what_a_file_left_in_a_value_is_refused_and_no_secret_shown() {
    let quoted = format!("\"{SECRET}\"");
    let ended = format!("{SECRET}\r");
    for (name, value, why) in [
        ("JWT_SECRET", &*ended, "JWT_SECRET: ends with a carriage return"),
        ("JWT_SECRET", &*quoted, "JWT_SECRET: stands in quotes"),
        ("REFRESH_TOKEN_KEY", &*ended, "REFRESH_TOKEN_KEY: ends with a carriage return"),
        ("DB_PASSWORD", "'an operator's'", "DB_PASSWORD: stands in quotes"),
        ("PORT", "3000\r", "PORT: ends with a carriage return"),
        ("PORT", "\"3000\"", "PORT: stands in quotes"),
        ("JWT_EXPIRES_IN", "'15m'", "JWT_EXPIRES_IN: stands in quotes"),
        ("APP_NAME", "Portcullis\r", "APP_NAME: ends with a carriage return"),
        ("LOG_LEVEL", "info\n", "LOG_LEVEL: contains a line break"),
    ] {
        let told = check(&[(name, value)]).must_be_refused_with(why);
        assert!(!told.err.contains("operator's"), "{}", told.err);
    }
}

#[test]
fn f_40_an_address_that_cannot_be_meant_is_refused_with_the_reason() {
    for (name, value, why) in [
        ("DATABASE_URL", "mysql://root:top/secret@db/name", "must be percent-encoded"),
        ("DATABASE_URL", "mysql://root:top#secret@db/name", "must be percent-encoded"),
        ("DATABASE_URL", "mysql://root:topsecret@db", "names no database"),
        ("REDIS_URL", "redis://:top/secret@redis", "must be percent-encoded"),
        ("FRONTEND_URL", "https://app.example.com/?a=secret", "must have no ? and no #"),
        ("FRONTEND_URL", "https://app.example.com/#secret", "must have no ? and no #"),
        ("OPS_ADDR", "127.0.0.1:3000", "must have another port than PORT"),
    ] {
        let told = check(&[(name, value)]).must_be_refused_with(why);
        assert!(!told.err.contains("secret"), "{}", told.err);
    }
}

#[test]
fn check_config_is_check_offline() {
    let settings = [("JWT_SECRET", SECRET)];
    let told = portcullis(&["check-config"], &settings, b"").must_work();
    let offline = portcullis(&["check", "--offline"], &settings, b"").must_work();
    assert_eq!(told.out, offline.out);
    assert!(told.out.ends_with("The settings are valid.\n"), "{}", told.out);
}
