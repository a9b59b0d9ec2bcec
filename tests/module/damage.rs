//! `RESTORE` of damaged payloads whose checksum fits: an error or a well-formed ledger, never a
//! dead server, never much memory.

use portcullis_tests::Redis;
use redis::Value;

use crate::payload::{opened, sealed};
use crate::talk::{self, Talk, digest};
use crate::{everywhere, on_each_server};

/// A small ledger with something of everything, dumped.
#[track_caller]
fn dumped(talk: &mut Talk) -> Vec<u8> {
    let now = talk.now_ms();
    talk.say(&format!("AUTH.SESSION REVOKEALL user:1 AT {}", now - 9_000));
    talk.say("AUTH.SESSION CREATE user:1 s1 EX 900 IDLE 60 DEVICE phone");
    talk.say("AUTH.SESSION CREATE user:1 s2 EX 900");
    for n in 0..3 {
        talk.say(&format!("AUTH.BLACKLIST user:1 DIGEST {} EX 900", digest(n)));
    }
    dump(talk, "user:1")
}

#[track_caller]
fn dump(talk: &mut Talk, key: &str) -> Vec<u8> {
    let Value::BulkString(dump) = talk.answer(&format!("DUMP {key}")) else { panic!("no {key}") };
    dump
}

/// Restores a payload. What is accepted must behave like a ledger; true if it was.
#[track_caller]
fn restored(talk: &mut Talk, payload: &[u8]) -> bool {
    let told = talk.tell("RESTORE damaged 0 % REPLACE", &[payload]);
    if told != "OK" {
        assert!(told.starts_with("ERR Bad data format"), "{told}");
        return false;
    }
    // Ledgers only: a damaged type byte may make a value of Redis's own.
    if talk.say("TYPE damaged") == "authledgr" {
        let verdict = talk.say("AUTH.CHECK damaged t SESSION s1 IAT 1");
        assert!(["OK", "NO_SESSION", "IDLE", "LOGGED_OUT", "REVOKED"].contains(&verdict.as_str()));
        let again = dump(talk, "damaged");
        assert_eq!(talk.tell("RESTORE again 0 % REPLACE", &[&again]), "OK");
        let digests =
            ["damaged", "again"].map(|key| talk.say(&format!("DEBUG DIGEST-VALUE {key}")));
        assert_eq!(digests[0], digests[1]);
        talk.say("AUTH.SESSION LIST damaged");
        talk.say("MEMORY USAGE damaged");
        talk.say("AUTH.SESSION REVOKEALL damaged");
    }
    true
}

#[test]
fn every_truncation_is_an_error() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let payload = dumped(&mut talk);
        let (value, version) = opened(&payload);
        assert!(restored(&mut talk, &sealed(value, version)), "undamaged, it is accepted");
        for length in 0..value.len() {
            let payload = sealed(&value[..length], version);
            assert!(!restored(&mut talk, &payload), "{length} of {} bytes", value.len());
        }
    });
}

#[test]
fn every_flipped_byte_is_an_error_or_a_well_formed_ledger() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let payload = dumped(&mut talk);
        let before = memory(&mut talk);
        let (value, version) = opened(&payload);
        // The type byte and the module's id choose what reads the rest: not ours to answer for.
        let ours = 10;
        for place in ours..value.len() {
            for flip in [0x01, 0x80, 0xff, 0x7f] {
                let mut damaged = value.to_vec();
                damaged[place] ^= flip;
                restored(&mut talk, &sealed(&damaged, version));
            }
        }
        talk.say("DEL damaged again");
        let after = memory(&mut talk);
        assert!(after < before + 4_000_000, "{before} bytes have become {after}");
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION s1"), "OK");
    });
}

fn memory(talk: &mut Talk) -> u64 {
    talk.info("memory", "used_memory").parse().expect("bytes")
}

#[test]
fn a_payload_of_a_newer_version_is_refused_with_a_line_in_the_log() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let payload = dumped(&mut talk);
        let (value, version) = opened(&payload);
        // The encoding version is in the low ten bits of the module's id.
        let mut newer = value.to_vec();
        newer[9] += 1;
        assert!(!restored(&mut talk, &sealed(&newer, version)));
        assert!(redis.log().contains("newer version of the module"), "{}", redis.log());
    });
}

#[test]
fn random_rubbish_in_a_ledgers_clothes_is_an_error() {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    on_each_server(|server| {
        let redis = Redis::options().server(server).start();
        let mut talk = talk::to(&redis);
        let payload = dumped(&mut talk);
        let (value, version) = opened(&payload);
        let head = value[..10].to_vec();
        let talk = std::cell::RefCell::new(talk);
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(Config::with_cases(1_000), rng);
        let block = prop::collection::vec(any::<u8>(), 0..300);
        let blocks = prop::collection::vec(block, 0..3);
        runner
            .run(&blocks, |blocks| {
                let mut value = head.clone();
                for block in blocks {
                    value.extend(string(&block));
                }
                value.push(0);
                restored(&mut talk.borrow_mut(), &sealed(&value, version));
                Ok(())
            })
            .expect("the server answers");
    });
}

#[test]
fn a_payload_that_promises_more_than_it_has_reserves_nothing() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let payload = dumped(&mut talk);
        let (value, version) = opened(&payload);
        let before = talk.info("memory", "used_memory_peak").parse::<u64>().expect("bytes");
        let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        for block in [
            [&[0_u8, 0][..], &huge, &[0]].concat(),
            [&[0_u8, 0, 0][..], &huge].concat(),
            [&[0_u8, 0, 1, 0][..], &huge].concat(),
            [&[0_u8, 0, 1, 0, 1, b's'][..], &huge].concat(),
        ] {
            let damaged = [&value[..10], &string(&block), &[0]].concat();
            assert!(!restored(&mut talk, &sealed(&damaged, version)), "{block:?}");
        }
        // A string whose length is a lie, for Redis itself to find out.
        let lie = [&value[..10], &[5, 0x81], &[0, 0, 0, 1, 0, 0, 0, 0], b"few"].concat();
        assert!(!restored(&mut talk, &sealed(&lie, version)));
        let after = talk.info("memory", "used_memory_peak").parse::<u64>().expect("bytes");
        assert!(after < before + 4_000_000, "{before} bytes have become {after}");
    });
}

/// No client can make such a ledger, but a payload can. If reading one moved all the sessions for
/// each of them, the server would stand still for minutes, longer than any answer may take here.
#[test]
fn a_payload_of_very_many_sessions_is_read_in_one_pass() {
    const SESSIONS: u32 = 300_000;
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let payload = dumped(&mut talk);
        let (value, version) = opened(&payload);
        // No flag, no watermark, 300,000 sessions (a varint), no digests.
        let mut block = vec![0, 0, 0xe0, 0xa7, 0x12, 0];
        for n in 0..SESSIONS {
            block.push(4);
            block.extend(n.to_be_bytes());
            // No device, begun and seen at 1 ms, ends in the year 9999, no idle limit.
            block.extend([0, 1, 1, 0xff, 0xb7, 0xff, 0x90, 0xfd, 0xce, 0x39, 0]);
        }
        let length = u32::try_from(block.len()).expect("short").to_be_bytes();
        let many = [&value[..10], &[5, 0x80], &length, &block, &[0]].concat();
        assert_eq!(talk.tell("RESTORE many 0 %", &[&sealed(&many, version)]), "OK");
        assert_eq!(talk.tell("AUTH.CHECK many t SESSION %", &[b"\0\x04\x93\xdf"]), "OK");
        assert_eq!(talk.tell("AUTH.CHECK many t SESSION %", &[b"\0\x04\x93\xe0"]), "NO_SESSION");
    });
}

/// One string as modules save it in an RDB: an opcode, a length of one or two bytes, the bytes.
fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("short").to_be_bytes();
    [&[5, length[0] | 0x40, length[1]], bytes].concat()
}
