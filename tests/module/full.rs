//! A server at its `maxmemory`: what is dead stays dead and more can die, but nothing begins.

use portcullis_tests::Redis;

use crate::everywhere;
use crate::talk::{self, Talk, digest};

fn filled_up(redis: &Redis) -> Talk {
    let mut talk = talk::to(redis);
    for id in ["a", "b", "c"] {
        talk.say(&format!("AUTH.SESSION CREATE user:1 {id} EX 900"));
    }
    assert_eq!(talk.say("CONFIG SET maxmemory 1"), "OK");
    talk
}

#[test]
fn a_full_server_still_revokes_and_checks() {
    everywhere(|redis| {
        let mut talk = filled_up(redis);
        assert!(talk.say("SET other 1").starts_with("OOM"));
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION a"), "OK");
        assert_eq!(talk.say("AUTH.SESSION TOUCH user:1 a"), "1");
        assert_eq!(talk.say("AUTH.BLACKLIST user:1 t EX 900"), "1");
        assert_eq!(talk.say("AUTH.BLACKLIST new t EX 900"), "1");
        for n in 0..2_000 {
            let line = format!("AUTH.BLACKLIST revoked DIGEST {} EX 900", digest(n));
            assert_eq!(talk.say(&line), "1");
        }
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION a"), "REVOKED");
        assert_eq!(talk.say("AUTH.SESSION REVOKE user:1 a"), "1");
        assert_eq!(talk.say("AUTH.SESSION REVOKEALL user:1"), "2");
        assert_eq!(talk.say("AUTH.SESSION REVOKEALL never-seen"), "0");
        assert_eq!(talk.say("AUTH.CHECK never-seen t IAT 1"), "LOGGED_OUT");
    });
}

#[test]
fn a_full_server_begins_no_session() {
    everywhere(|redis| {
        let mut talk = filled_up(redis);
        for line in ["user:1 new EX 900", "user:1 a EX 900", "user:2 s EX 900 MAX 1"] {
            let told = talk.say(&format!("AUTH.SESSION CREATE {line}"));
            assert!(told.starts_with("OOM"), "{line}: {told}");
        }
        assert_eq!(talk.say("EXISTS user:2"), "0");
        assert_eq!(talk.say("CONFIG SET maxmemory 0"), "OK");
        assert_eq!(talk.say("AUTH.SESSION CREATE user:2 s EX 900 MAX 1"), "[]");
    });
}

/// Redis 7.0 takes no command into a transaction while it is full, newer servers do.
#[test]
fn a_full_server_refuses_a_transaction_whole_or_does_it_whole() {
    everywhere(|redis| {
        let mut talk = filled_up(redis);
        talk.say("MULTI");
        let told = talk.say("AUTH.BLACKLIST user:1 t EX 900");
        let done = talk.say("EXEC");
        let verdict = talk.say("AUTH.CHECK user:1 t");
        match verdict.as_str() {
            "REVOKED" => assert_eq!((told.as_str(), done.as_str()), ("QUEUED", "[1]")),
            _ => assert!(told.starts_with("OOM") && done.starts_with("EXECABORT"), "{told} {done}"),
        }
        let outside = talk.say("AUTH.BLACKLIST user:1 other EX 900");
        assert_eq!(outside, "1", "outside of a transaction it always works");
    });
}
