//! Mark and watermark as they lie in a snapshot: what the first version wrote, and damage.

use std::path::PathBuf;

use portcullis_tests::{Redis, RedisOptions, servers, workspace};

use super::{confirm, mark};
use crate::on_each_server;
use crate::talk;

/// A snapshot with a mark and a watermark of everybody, as the first version that knew them wrote it on
/// Redis 7.0.
fn fixture() -> PathBuf {
    workspace().join("tests/fixtures/marked-v1.rdb")
}

#[test]
#[ignore = "writes the fixture, where it is missing"]
fn write_the_fixture() {
    if fixture().exists() {
        return;
    }
    let mut redis = Redis::options().server(&servers()[0]).start();
    let mut talk = talk::to(&redis);
    confirm(&mut talk, "MARK % BEFORE 1700000000000", &["complete up to 7"]);
    redis.stop_and_save();
    std::fs::copy(redis.data().join("dump.rdb"), fixture()).expect("the fixture is written");
}

/// A server that is to start with this file.
fn with_file(options: RedisOptions, bytes: &[u8]) -> Result<Redis, String> {
    let mut redis = options.start();
    redis.stop();
    std::fs::write(redis.data().join("dump.rdb"), bytes).expect("the file is written");
    redis.try_start_again().map(|()| redis)
}

#[test]
fn a_snapshot_of_the_first_version_is_read() {
    let bytes = std::fs::read(fixture()).expect("the fixture is there");
    on_each_server(|server| {
        let redis = with_file(Redis::options().server(server), &bytes).expect("it starts");
        let mut talk = talk::to(&redis);
        assert_eq!(mark(&mut talk), "complete up to 7");
        assert_eq!(talk.info("portcullis", "portcullis_before"), "1700000000000");
    });
}

#[test]
fn a_damaged_one_stops_the_start_with_a_line_that_says_so() {
    let mut bytes = std::fs::read(fixture()).expect("the fixture is there");
    // Without a checksum, which would be the first to complain.
    let end = bytes.len() - 8;
    bytes[end..].fill(0);
    let text = b"complete up to 7";
    let mark = bytes.windows(text.len()).position(|it| it == text).expect("the mark");
    on_each_server(|server| {
        assert!(with_file(Redis::options().server(server), &bytes).is_ok(), "undamaged, it starts");
        // Of a later version; longer than it is; unfit for a line.
        for (place, byte, told) in [
            (mark - 8, 2, "newer version"),
            (mark - 1, 17, "truncated"),
            (mark, b'\n', "out of range"),
        ] {
            let mut damaged = bytes.clone();
            damaged[place] = byte;
            let log = with_file(Redis::options().server(server), &damaged);
            let log = log.err().unwrap_or_else(|| panic!("it started with {byte} at {place}"));
            assert!(log.contains("the mark and the watermark of everybody"), "{log}");
            assert!(log.contains(told), "{told}: {log}");
        }
    });
}
