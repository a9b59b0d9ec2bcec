//! Snapshots written by released versions, which every later version must read.
//!
//! `tests/fixtures/ledgers-v1.rdb` and its like, one for each version of the encoding, were written on
//! Redis 7.0, the oldest server there is, by `cargo test -p portcullis-tests --test module write_the_fixture -- --ignored`, which writes it
//! only where it is missing: a log of the commands below, loaded and saved. A log may speak of the
//! year 9999, so nothing in it ever expires.

use std::path::{Path, PathBuf};

use portcullis_tests::{Redis, Server, servers, workspace};

use crate::talk::{self, digest};
use crate::{TellOnFailure, aof, on_each_server};

const LAST: u64 = 253_402_300_799_999;

/// The encoding versions that were ever released.
const VERSIONS: [u32; 2] = [1, 2];

fn file(version: u32) -> PathBuf {
    workspace().join(format!("tests/fixtures/ledgers-v{version}.rdb"))
}

/// One ledger of each shape, as a log tells them.
fn commands() -> Vec<Vec<Vec<u8>>> {
    let words = |line: &str| line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    let mut commands: Vec<Vec<Vec<u8>>> = vec![
        words("AUTH.SESSION REVOKEALL full AT 1700000000000"),
        words(&format!(
            "AUTH.SESSION CREATE full s1 PXAT {LAST} IDLE 4294967295 CREATED 1700000000001 SEEN {LAST} DEVICE phone"
        )),
        words(&format!("AUTH.SESSION CREATE full s2 PXAT {LAST} CREATED 1 SEEN 2")),
        words(&format!("AUTH.SESSION CREATE full idle PXAT {LAST} CREATED 1 SEEN 2 IDLE 1")),
        words(&format!("AUTH.BLACKLIST full DIGEST {} PXAT {LAST}", digest(1))),
        words("AUTH.SESSION REVOKEALL out AT 1700000000000"),
        words("PERSIST out"),
    ];
    let mut binary =
        words(&format!("AUTH.SESSION CREATE full ID PXAT {LAST} CREATED 1 SEEN 3 DEVICE DEV"));
    binary[3] = b"\0\xff\r\n".to_vec();
    *binary.last_mut().expect("a device") = vec![0xfe; 300];
    commands.push(binary);
    commands.extend(
        (0..2000).map(|n| {
            words(&format!("AUTH.BLACKLIST revoked DIGEST {} PXAT {}", digest(n), LAST - n))
        }),
    );
    commands
}

/// A server that has read the commands.
fn told(server: &Server) -> Redis {
    let mut redis = aof::server(server).start();
    redis.stop();
    let commands = commands();
    let commands: Vec<Vec<&[u8]>> =
        commands.iter().map(|words| words.iter().map(Vec::as_slice).collect()).collect();
    let commands: Vec<&[&[u8]]> = commands.iter().map(Vec::as_slice).collect();
    aof::append(&redis, &commands);
    redis.start_again();
    redis
}

#[test]
#[ignore = "writes the fixture of a new encoding version, where it is missing"]
fn write_the_fixture() {
    let file = file(VERSIONS[VERSIONS.len() - 1]);
    if file.exists() {
        return;
    }
    let mut redis = told(&servers()[0]);
    redis.stop_and_save();
    std::fs::copy(redis.data().join("dump.rdb"), file).expect("the fixture is written");
}

#[test]
fn a_snapshot_of_each_encoding_version_is_read_whole() {
    on_each_server(|server| {
        for version in VERSIONS {
            let _told = TellOnFailure("with version", version);
            is_read_whole(server, &file(version));
        }
    });
}

fn is_read_whole(server: &Server, file: &Path) {
    let mut redis = Redis::options().server(server).start();
    redis.stop();
    std::fs::copy(file, redis.data().join("dump.rdb")).expect("the fixture is there");
    redis.start_again();
    let mut talk = talk::to(&redis);
    for (question, verdict) in [
        ("full t SESSION s1 IATMS 1700000000001".to_owned(), "OK"),
        ("full t SESSION s2 IATMS 1700000000000".into(), "LOGGED_OUT"),
        ("full t SESSION idle".into(), "IDLE"),
        (format!("full DIGEST {} SESSION s1", digest(1)), "REVOKED"),
        ("out t IATMS 1700000000000".into(), "LOGGED_OUT"),
        (format!("revoked DIGEST {}", digest(0)), "REVOKED"),
        (format!("revoked DIGEST {}", digest(1999)), "REVOKED"),
        (format!("revoked DIGEST {}", digest(2000)), "OK"),
    ] {
        assert_eq!(talk.say(&format!("AUTH.CHECK {question}")), verdict, "{question}");
    }
    let s1 = format!(
        "[id s1 created_ms 1700000000001 seen_ms {LAST} expires_ms {LAST} idle_s 4294967295 device phone]"
    );
    assert_eq!(talk.say("AUTH.SESSION GET full s1"), s1);
    let fresh = told(server);
    let mut fresh = talk::to(&fresh);
    for key in ["full", "out", "revoked"] {
        let line = format!("DEBUG DIGEST-VALUE {key}");
        assert_eq!(talk.say(&line), fresh.say(&line), "{key}");
    }
}
