//! Who is asked about: accounts with sessions in MySQL, their tokens, and the same sessions as the
//! usual layout keeps them in Redis.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use portcullis_api::base::clock::{Clock, Timestamp};
use portcullis_api::base::role::Role;
use portcullis_api::base::session_id::SessionId;
use portcullis_api::settings::Settings;
use portcullis_api::tokens::access::{Claims, Keys};
use portcullis_core::Digest;
use portcullis_tests::{Database, Redis};

use crate::pipe::{Pipe, command};
use crate::subjects::{EXPIRES_MS, TTL_S, device};

/// Signs the tokens of all contenders.
pub(crate) const JWT_SECRET: &str = "a secret for this bench and of no use elsewhere";
/// The password of everybody.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// Live sessions of everybody who has any.
pub(crate) const SESSIONS_EACH: u64 = 5;

/// A session and its tokens.
pub(crate) struct Person {
    pub(crate) user_id: u64,
    pub(crate) session: String,
    /// The access token.
    pub(crate) token: String,
    pub(crate) refresh_token: String,
}

/// Accounts `1..=users` with five sessions each, and some behind them who never logged in.
pub(crate) fn populate(mariadb: &Database, database: &str, users: u64, hash: &str) {
    let everybody = users + STRANGERS;
    mariadb.migrated_database(database);
    mariadb.execute(&format!(
        "use `{database}`;
         insert into users (email, password_hash, first_name, last_name, email_verified_at,
                            created_at, updated_at)
         select concat('u', seq, '@example.com'), '{hash}', 'Ada', 'Lovelace', utc_timestamp(3),
                utc_timestamp(3), utc_timestamp(3)
           from seq_1_to_{everybody};
         insert into user_sessions (id, user_id, device_info, ip_address, user_agent,
                last_activity, created_at, authenticated_at, expires_at, idle_timeout_s)
         select concat('session_', left(sha2(concat(u.seq, '-', s.seq), 256), 42), 'A') as id,
                u.seq, '{DEVICE}', '192.0.2.1', 'Mozilla/5.0', utc_timestamp(3), utc_timestamp(3),
                utc_timestamp(3), utc_timestamp(3) + interval 30 day, 604800
           from seq_1_to_{users} u join seq_1_to_{SESSIONS_EACH} s
          order by id;
         insert into refresh_tokens (user_id, session_id, token_hash, device_info, ip_address,
                user_agent, created_at, expires_at)
         select user_id, id, unhex(sha2(concat('prt_', substr(id, 9)), 256)), device_info,
                ip_address, user_agent, created_at, expires_at
           from user_sessions where user_id <= {FAMILIES};
         analyze table users, user_sessions, refresh_tokens;"
    ));
}

/// Accounts without a session, for logins.
const STRANGERS: u64 = 1_000;
/// Users whose sessions have a refresh token.
pub(crate) const FAMILIES: u64 = 100;
const DEVICE: &str = r#"{"fingerprint":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","browser":"Firefox","os":"Windows","device":"Desktop"}"#;

/// The addresses of those who never logged in, in a database of so many who did.
pub(crate) fn strangers(users: u64) -> impl Iterator<Item = String> {
    (users + 1..=users + STRANGERS).map(|user_id| format!("u{user_id}@example.com"))
}

/// `count` sessions, spread over `users` accounts.
pub(crate) fn spread(count: u64, users: u64) -> Result<Vec<Person>> {
    spread_signed(count, users, None)
}

/// The same, with tokens that are signed by the key in a directory.
pub(crate) fn spread_signed(count: u64, users: u64, keys: Option<&Path>) -> Result<Vec<Person>> {
    let mut settings = Settings::for_tests("", "");
    settings.tokens.jwt_secret = Some(JWT_SECRET.into());
    settings.tokens.jwt_keys_dir = keys.map(Path::to_owned);
    let (keys, now) = (Keys::new(&settings.tokens)?, Clock::system().now());
    (0..count).map(|n| person(1 + n * users / count, 1 + n % SESSIONS_EACH, &keys, now)).collect()
}

fn person(user_id: u64, number: u64, keys: &Keys, now: Timestamp) -> Result<Person> {
    let hex = Digest::of(format!("{user_id}-{number}").as_bytes()).to_hex();
    let name = format!("{}A", str::from_utf8(&hex[..42])?);
    let session = format!("session_{name}");
    let claims = Claims {
        user_id,
        session_id: SessionId::parse(&session).context("the service takes such ids")?,
        jti: name[..22].to_owned(),
        issued_at_s: now.seconds(),
        expires_at_s: now.plus(Duration::from_hours(1)).seconds(),
        auth_time_s: now.seconds(),
        role: Role::User,
        amr: vec!["pwd".to_owned()],
    };
    let token = keys.sign(&claims).expose().to_owned();
    Ok(Person { user_id, session, token, refresh_token: format!("prt_{name}") })
}

/// The sessions as a hash each.
pub(crate) fn log_in_by_hashes(redis: &Redis, people: &[Person]) -> Result<()> {
    let device = device();
    Pipe::to(redis)?.fill(people.len(), 2, |n, to| {
        let key = format!("session:{}", people[n].session);
        let user_id = people[n].user_id.to_string();
        let facts = ["user_id", &user_id, "seen", "1730000000000", "expires", EXPIRES_MS];
        command(to, &[&["HSET", &key], facts.as_slice(), &["device", &device]].concat());
        command(to, &["EXPIRE", &key, TTL_S]);
    })
}
