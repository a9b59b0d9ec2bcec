//! What an operator may and may not set. What is said of settings elsewhere is held to them in
//! `tests/lists.rs`.

use std::time::Duration;

use clap::builder::Resettable;
use clap::{Args as _, Command, FromArgMatches as _};
use secrecy::ExposeSecret as _;

use super::Settings;

mod addresses;
mod lists;

const SECRET: &str = "an operator's secret of more than 32 bytes";

fn command() -> Command {
    Settings::augment_args(Command::new("test")).mut_args(|arg| arg.env(Resettable::Reset))
}

fn parse(flags: &[&str]) -> Result<Settings, String> {
    let matches = command()
        .try_get_matches_from([&["test"], flags].concat())
        .map_err(|error| error.to_string())?;
    let settings = Settings::from_arg_matches(&matches).map_err(|error| error.to_string())?;
    settings.check().map_err(|error| error.to_string())
}

/// Parses a right configuration with a few flags changed.
fn with(flags: &[&str]) -> Result<Settings, String> {
    parse(&[flags, &["--jwt-secret", SECRET]].concat())
}

#[test]
fn the_defaults_and_a_secret_are_enough() {
    let settings = with(&[]).unwrap();
    assert_eq!(settings.session_lifetime(), Duration::from_hours(24 * 30));
    assert_eq!(settings.tokens.jwt_expires_in, Duration::from_mins(15));
    assert_eq!(
        settings.stores.database_url().expose_secret(),
        "mysql://root@localhost:3306/portcullis"
    );
    assert_eq!(settings.stores.redis_url().expose_secret(), "redis://localhost:6379/0");
    Settings::for_tests("mysql://x/y", "redis://x").check().unwrap();
}

#[test]
fn without_a_secret_nothing_starts() {
    assert!(parse(&[]).err().unwrap().starts_with("JWT_SECRET:"));
    assert!(parse(&["--jwt-secret", ""]).err().unwrap().starts_with("JWT_SECRET:"));
    assert!(parse(&["--jwt-keys-dir", "keys"]).err().unwrap().starts_with("REFRESH_TOKEN_KEY:"));
    assert!(parse(&["--jwt-keys-dir", "keys", "--refresh-token-key", SECRET]).is_ok());
}

#[test]
fn r_28_bug_40_a_secret_that_anybody_could_know_is_refused_and_not_repeated() {
    let samples = [
        "your-super-secret-key-min-32-chars",
        "CHANGEME-changeme-changeme-changeme-1",
        "0123456789abcdef0123456789abcde",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ];
    for sample in samples {
        for flag in
            ["--jwt-secret", "--jwt-secrets-old", "--refresh-token-key", "--refresh-token-keys-old"]
        {
            let flags: &[&str] =
                if flag == "--jwt-secret" { &[] } else { &["--jwt-secret", SECRET] };
            let error = parse(&[flags, &[flag, sample]].concat()).err().unwrap();
            let name = flag[2..].replace('-', "_").to_uppercase();
            assert!(error.starts_with(&name) && !error.contains(sample), "{error}");
        }
    }
}

#[test]
fn a_value_that_cannot_be_meant_is_refused_by_name() {
    let cases = [
        ("--jwt-leeway", "61s"),
        ("--jwt-expires-in", "900"),
        ("--jwt-expires-in", "0s"),
        ("--session-expires-in", "401d"),
        ("--session-idle-timeout", "500ms"),
        ("--max-sessions-per-user", "0"),
        ("--password-min-length", "7"),
        ("--password-memory-kib", "1024"),
        ("--session-ip-validation", "maybe"),
        ("--device-binding", "strict"),
        ("--rate-limit-login", "0/15m"),
        ("--rate-limit-login", "100"),
        ("--trusted-proxies", "10.0.0.0/33"),
        ("--cors-origins", "*"),
        ("--cors-origins", "https://app.example.com/"),
        ("--hsts", ""),
        ("--hsts", "on"),
        ("--hsts", "includeSubDomains"),
        ("--hsts", "max-age=1; max-age=2"),
        ("--hsts", "max-age=1y"),
        ("--hsts", "max-age=1, includeSubDomains"),
        ("--clear-site-data", "cookies storage"),
        ("--clear-site-data", "\"cookies\""),
        ("--clear-site-data", "everything"),
        ("--database-url", "postgres://localhost"),
        ("--redis-url", "http://localhost"),
        ("--ledger-key-prefix", ""),
        ("--smtp-url", "mail.example.com"),
        ("--introspection-clients", "gateway"),
        ("--port", "65536"),
        ("--legacy-login", "perhaps"),
    ];
    for (flag, value) in cases {
        let error =
            with(&[flag, value]).err().unwrap_or_else(|| panic!("{flag} {value} was taken"));
        assert!(error.contains(&flag[2..].replace('-', "_").to_uppercase()), "{error}");
    }
}

#[test]
fn f_42_old_refresh_keys_are_those_listed_and_what_they_were_derived_from_by_default() {
    let [jwt, key, old_jwt, old_key] = ["jwt", "key", "old jwt", "old key"]
        .map(|name| format!("{name}, as an operator would make one?").replace(',', ";"));
    let all = |flags: &[(&str, &String)]| -> Vec<String> {
        let flags: Vec<String> =
            flags.iter().map(|(flag, value)| format!("--{flag}={value}")).collect();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let secrets = parse(&flags).unwrap().tokens.refresh_secrets();
        let all = [secrets.current].into_iter().chain(secrets.old);
        all.map(|secret| secret.expose_secret().to_owned()).collect()
    };
    let with_jwt = ("jwt-secret", &jwt);
    assert_eq!(all(&[with_jwt]), [jwt.as_str()]);
    assert_eq!(all(&[with_jwt, ("jwt-secrets-old", &old_jwt)]), [&*jwt, &old_jwt]);
    let with_key = ("refresh-token-key", &key);
    assert_eq!(all(&[with_jwt, with_key]), [&*key, &jwt]);
    let both = format!("{old_key}, {key},");
    let olds = [("refresh-token-keys-old", &both), ("jwt-secrets-old", &old_jwt)];
    assert_eq!(
        all(&[&[with_jwt, with_key], &olds[..]].concat()),
        [&*key, &jwt, &old_key, &old_jwt]
    );
}

#[test]
fn f_40_what_an_address_cannot_mean_is_refused_with_the_reason() {
    let cases = [
        ("--database-url=mysql://root:top/secret@db/name", "must be percent-encoded"),
        ("--database-url=mysql://root:1/topsecret@db/name", "must be percent-encoded"),
        ("--database-url=mysql://root:top#secret@db/name", "must be percent-encoded"),
        ("--database-url=mysql://root:top?secret@db/name", "must be percent-encoded"),
        ("--database-url=mysql://root:top@1#secret@db/name", "must be percent-encoded"),
        ("--database-url=mysql://root:topsecret@db:x/name", "its port is no number"),
        ("--database-url=mysql://root:topsecret@db/name?ssl-mode=maybe", "ssl_mode"),
        ("--redis-url=redis://:top/secret@redis:6379/0", "must be percent-encoded"),
        ("--redis-url=redis://:1/topsecret@redis:6379/0", "must be percent-encoded"),
        ("--redis-url=redis://:topsecret@redis:6379/none", "must be like redis://"),
        ("--smtp-url=smtps://me:top/secret@mail.example.com", "must be percent-encoded"),
        ("--smtp-url=smtps://me:top#secret@mail.example.com", "must be percent-encoded"),
        ("--db-host=db:3307", "the port has a setting of its own"),
        ("--redis-host=redis://redis", "must be a host name"),
        ("--frontend-url=https://app.example.com/?topsecret", "must have no ? and no #"),
        ("--frontend-url=https://app.example.com/#/topsecret", "must have no ? and no #"),
        ("--frontend-url=https://me:topsecret@app.example.com", "no user and no password"),
        ("--frontend-url=https://", "must be like https://app.example.com"),
        ("--frontend-url=https://app.example.com/a b", "without white space"),
    ];
    for (flag, why) in cases {
        let error = with(&[flag]).err().unwrap_or_else(|| panic!("{flag} was taken"));
        let name = flag[2..].split('=').next().unwrap().replace('-', "_").to_uppercase();
        assert!(error.starts_with(&name) && error.contains(why), "{flag}: {error}");
        assert!(!error.contains("secret"), "{flag}: {error}");
    }
    for flag in [
        "--database-url=mysql://root:p%2Fa%23s@s@db/name?socket=/run/a@b",
        "--database-url=mariadb://db:3306/name",
        "--redis-url=rediss://:pass@redis:6379/1#insecure",
        "--redis-url=unix:///run/user@1/redis.sock",
        "--redis-url=redis+sentinel://:pass@one,two:26380,three/ledgers",
        "--smtp-url=smtp://localhost:1025",
        "--frontend-url=https://app.example.com/base/",
        "--db-host=2001:db8::1",
        "--redis-host=[::1]",
    ] {
        assert_eq!(with(&[flag]).err(), None, "{flag}");
    }
}

#[test]
fn f_40_the_two_listeners_are_two() {
    for (host, operations) in
        [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "0.0.0.0"), ("::1", "[::1]"), ("::", "10.0.0.1")]
    {
        let operations = format!("{operations}:3000");
        let error = with(&["--host", host, "--ops-addr", &operations]).err().unwrap();
        assert!(error.starts_with("OPS_ADDR: must have another port"), "{error}");
    }
    assert_eq!(with(&["--host", "10.0.0.1", "--ops-addr", "10.0.0.2:3000"]).err(), None);
    assert_eq!(with(&["--port", "0", "--ops-addr", "127.0.0.1:0"]).err(), None);
}

#[test]
fn c_15_rotation_cannot_be_turned_off_and_the_refusal_says_why() {
    with(&["--refresh-token-rotation", "true"]).unwrap();
    let error = with(&["--refresh-token-rotation", "false"]).err().unwrap();
    assert!(error.starts_with("REFRESH_TOKEN_ROTATION: ") && error.len() > 40, "{error}");
}

#[test]
fn what_may_not_be_meant_is_remarked_on() {
    let quiet = with(&[
        "--trusted-proxies=::1",
        "--smtp-url=smtps://mail.example.com",
        "--frontend-url=https://app.example.com",
    ]);
    assert_eq!(quiet.unwrap().remarks(), Vec::<&str>::new());
    for (flag, name) in [
        ("--trusted-proxies=", "TRUSTED_PROXIES"),
        ("--smtp-url=", "SMTP_URL"),
        ("--frontend-url=", "FRONTEND_URL"),
        ("--email-verification-required=false", "EMAIL_VERIFICATION_REQUIRED"),
        ("--password-min-length=8", "PASSWORD_MIN_LENGTH"),
        ("--rate-limit-login=off", "RATE_LIMIT_LOGIN"),
        ("--jwt-secrets-old=an earlier secret of more than 32 bytes", "JWT_SECRETS_OLD"),
        ("--refresh-token-keys-old=an earlier key of more than 32 bytes", "REFRESH_TOKEN_KEYS_OLD"),
        ("--refresh-token-earlier-form=true", "REFRESH_TOKEN_EARLIER_FORM"),
        ("--jwt-expires-in=2h", "JWT_EXPIRES_IN"),
        ("--session-expires-in=29d", "SESSION_EXPIRES_IN"),
        ("--session-idle-timeout=30d", "SESSION_IDLE_TIMEOUT"),
    ] {
        let remarks = with(&[flag]).unwrap().remarks();
        assert!(remarks.iter().any(|remark| remark.starts_with(name)), "{flag}: {remarks:?}");
    }
}

#[test]
fn lists_are_written_with_commas_and_may_be_empty() {
    let server =
        with(&["--trusted-proxies", "10.0.0.0/8, ::1,", "--cors-origins", ""]).unwrap().server;
    assert_eq!(server.trusted_proxies.0.len(), 2);
    assert!(server.cors_origins.0.is_empty());
    let clients = "gateway:a secret of the gateway, audit:another one with a: in it";
    let clients = with(&["--introspection-clients", clients])
        .unwrap()
        .tokens
        .introspection_clients()
        .unwrap();
    assert_eq!(clients[1].id, "audit");
    assert_eq!(clients[1].secret.expose_secret(), "another one with a: in it");
}

#[test]
fn the_shorter_lifetime_ends_session_and_refresh_tokens() {
    let settings = with(&["--refresh-token-expires-in", "7d"]).unwrap();
    assert_eq!(settings.session_lifetime(), Duration::from_hours(7 * 24));
}

#[test]
fn a_level_of_the_log_is_one_that_exists() {
    for good in ["info", "WARN", "info,portcullis_api=debug", "warn, hyper=off"] {
        assert!(with(&["--log-level", good]).is_ok(), "{good}");
    }
    for bad in ["loud", "", "info,", "info,portcullis_api", "portcullis_api=much"] {
        let error = with(&["--log-level", bad]).err().unwrap();
        assert!(error.contains("must be one of off, error"), "{bad}: {error}");
    }
}
