//! What is asked about: tokens, sessions and digests of realistic size, and servers filled with them.

use anyhow::Result;
use portcullis_core::Digest;
use portcullis_tests::Redis;

use crate::pipe::{Pipe, command};

/// A hundred days: nothing expires during a measurement.
pub(crate) const TTL_S: &str = "8640000";
/// The year 2100 in milliseconds, where a layout stores an instant as text.
pub(crate) const EXPIRES_MS: &str = "4102444800000";
/// A session id as the service makes them: 51 bytes.
const ID_BYTES: usize = 51;

/// A JWT of 295 bytes. With `__rand_int__` in it, redis-benchmark sends another one each time.
pub(crate) fn token(vary: bool) -> String {
    let header = "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9";
    let varying = if vary { "__rand_int__" } else { "000000000042" };
    format!("{header}.eyJ{varying}{}.{}", "a".repeat(195), "b".repeat(43))
}

/// The id of session `n`.
pub(crate) fn session_id(n: usize) -> String {
    format!("{n:0>ID_BYTES$}")
}

/// What a service notes of a device: 150 bytes of JSON.
pub(crate) fn device() -> String {
    let json = concat!(
        r#"{"fingerprint":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b","browser":"Firefox 142","#,
        r#""os":"Windows 11","device":"Desktop","ip":"203.0.113.195","city":""#
    );
    format!(r#"{json}{}"}}"#, "x".repeat(148 - json.len()))
}

/// Some digest, another one for each number, in hex.
pub(crate) fn digest(n: usize) -> String {
    Digest::of(&n.to_le_bytes()).to_hex().iter().copied().map(char::from).collect()
}

/// Revokes `count` digests in one ledger.
pub(crate) fn revoke(redis: &Redis, key: &str, count: usize) -> Result<()> {
    Pipe::to(redis)?.fill(count, 1, |n, to| {
        command(to, &["AUTH.BLACKLIST", key, "DIGEST", &digest(n), "EX", TTL_S]);
    })
}

/// The usual layout of revocations: a string for each.
pub(crate) fn revoke_by_strings(redis: &Redis, count: usize) -> Result<()> {
    Pipe::to(redis)?.fill(count, 1, |n, to| {
        command(to, &["SET", &format!("bl:{}", digest(n)), "1", "EX", TTL_S]);
    })
}

/// One session for each of `count` users.
pub(crate) fn log_in(redis: &Redis, count: usize) -> Result<()> {
    let device = device();
    Pipe::to(redis)?.fill(count, 1, |n, to| {
        let (user, id) = (format!("user:{n}"), session_id(n));
        let begin = ["AUTH.SESSION", "CREATE", &user, &id, "EX", TTL_S];
        command(to, &[begin.as_slice(), &["DEVICE", &device]].concat());
    })
}

/// The same by the usual layout: a hash for each session, and a set for each user that lists them.
pub(crate) fn log_in_by_hashes(redis: &Redis, count: usize) -> Result<()> {
    let device = device();
    Pipe::to(redis)?.fill(count, 3, |n, to| {
        let (user, id) = (n.to_string(), session_id(n));
        let key = format!("session:{id}");
        let facts = ["user_id", &user, "created", "1730000000000", "seen", "1730000000000"];
        let rest = ["expires", EXPIRES_MS, "device", &device];
        command(to, &[&["HSET", &key], facts.as_slice(), &rest].concat());
        command(to, &["EXPIRE", &key, TTL_S]);
        command(to, &["SADD", &format!("user_sessions:{n}"), &id]);
    })
}

/// One hash for each user with what a ledger of one session holds, and as long-lived.
pub(crate) fn log_in_by_plain_hashes(redis: &Redis, count: usize) -> Result<()> {
    let device = device();
    Pipe::to(redis)?.fill(count, 2, |n, to| {
        let (key, id) = (format!("user:{n}"), session_id(n));
        let facts = ["id", &id, "created", "1730000000000", "seen", "1730000000000"];
        let rest = ["expires", EXPIRES_MS, "idle", "0", "device", &device];
        command(to, &[&["HSET", &key], facts.as_slice(), &rest].concat());
        command(to, &["EXPIRE", &key, TTL_S]);
    })
}
