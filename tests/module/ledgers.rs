//! Ledgers with something of everything in them, and all that can be seen of them from outside.

use std::fmt::Write as _;

use crate::talk::{Talk, digest};

/// The keys that [`fill`] writes.
pub(crate) const KEYS: [&str; 4] = ["user:full", "user:sessions", "user:out", "revoked"];

/// Writes ledgers of every shape: with sessions, digests, a watermark, and all of it.
#[track_caller]
pub(crate) fn fill(talk: &mut Talk) {
    let now = talk.now_ms();
    let expires = now + 900_000;
    for key in ["user:full", "user:sessions"] {
        for id in [b"s1".as_slice(), b"\0\xff", &[b'i'; 128]] {
            let line = format!(
                "AUTH.SESSION CREATE {key} % PXAT {expires} IDLE 600 CREATED {} SEEN {} DEVICE %",
                now - 9_000,
                now - 100
            );
            assert_eq!(talk.tell(&line, &[id, b"a \0 phone"]), "[]");
        }
        assert_eq!(talk.say(&format!("AUTH.SESSION CREATE {key} plain EX 800")), "[]");
    }
    for key in ["user:full", "user:out"] {
        let line = format!("AUTH.SESSION REVOKEALL {key} AT {}", now - 10_000);
        assert_eq!(talk.say(&line), "0");
    }
    assert_eq!(talk.say("AUTH.BLACKLIST user:full token EX 700"), "1");
    // More than one block of the encoding.
    revoke_many(talk, "revoked", 2000);
}

/// Revokes the digests 0 to `count`.
#[track_caller]
pub(crate) fn revoke_many(talk: &mut Talk, key: &str, count: u64) {
    let mut numbers = (0..count).peekable();
    while numbers.peek().is_some() {
        let mut pipe = redis::pipe();
        for n in numbers.by_ref().take(50_000) {
            pipe.cmd("AUTH.BLACKLIST").arg(&[key, "DIGEST", &digest(n), "EX", "90000"]).ignore();
        }
        let () = pipe.query(&mut talk.0).expect("every digest is accepted");
    }
}

/// Everything that can be seen of the ledgers of [`fill`]. Equal on servers that agree.
#[track_caller]
pub(crate) fn state(talk: &mut Talk) -> String {
    let mut state = String::new();
    for key in KEYS {
        for line in ["DEBUG DIGEST-VALUE", "PEXPIRETIME", "AUTH.SESSION LIST"] {
            let told = talk.say(&format!("{line} {key}"));
            writeln!(state, "{line} {key}: {told}").expect("a string takes it");
        }
    }
    for line in [
        "AUTH.CHECK user:full token SESSION s1".to_owned(),
        "AUTH.CHECK user:full other SESSION s1".to_owned(),
        "AUTH.CHECK user:out t IAT 1".to_owned(),
        format!("AUTH.CHECK revoked DIGEST {}", digest(0)),
        format!("AUTH.CHECK revoked DIGEST {}", digest(1999)),
        format!("AUTH.CHECK revoked DIGEST {}", digest(2000)),
    ] {
        writeln!(state, "{line}: {}", talk.say(&line)).expect("a string takes it");
    }
    assert!(state.contains("0: REVOKED\n"), "nothing is there: {state}");
    state
}
