//! What a log or a primary says is done as it says, whenever it is read and whatever the limits.

use portcullis_tests::{Redis, Server};

use crate::talk::{self, Talk, digest};
use crate::{aof, on_each_server};

/// A server that has read these commands from its append-only file, far narrower limits set.
fn having_read(server: &Server, commands: &[String]) -> Redis {
    let narrow =
        ["max-sessions", "2", "max-ttl", "60", "max-id-bytes", "4", "max-device-bytes", "1"];
    let mut redis = aof::server(server).module_arguments(&narrow).start();
    redis.stop();
    let commands: Vec<Vec<&[u8]>> =
        commands.iter().map(|line| line.split(' ').map(str::as_bytes).collect()).collect();
    let commands: Vec<&[&[u8]]> = commands.iter().map(Vec::as_slice).collect();
    aof::append(&redis, &commands);
    redis.start_again();
    redis
}

fn clock(server: &Server) -> u64 {
    Talk::now_ms(&mut talk::to(&Redis::options().server(server).without_module().start()))
}

#[test]
fn a_creation_whose_time_has_passed_still_ends_the_session_it_replaces() {
    on_each_server(|server| {
        let now = clock(server);
        let redis = having_read(
            server,
            &[
                format!("AUTH.SESSION CREATE user:1 s PXAT {}", now + 900_000),
                format!("AUTH.SESSION CREATE user:1 other PXAT {}", now + 900_000),
                format!("AUTH.SESSION CREATE user:1 s PXAT {}", now - 5_000),
            ],
        );
        let mut talk = talk::to(&redis);
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION s"), "NO_SESSION");
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION other"), "OK");
    });
}

#[test]
fn a_touch_counts_even_if_the_session_looks_idle_by_then() {
    on_each_server(|server| {
        let now = clock(server);
        let create = |id| {
            let (until, seen) = (now + 900_000, now - 7_200_000);
            format!("AUTH.SESSION CREATE user:1 {id} PXAT {until} IDLE 3600 SEEN {seen} CREATED 1")
        };
        let touch = format!("AUTH.SESSION TOUCH user:1 s AT {}", now - 1_000);
        let redis = having_read(server, &[create("s"), create("idle"), touch]);
        let mut talk = talk::to(&redis);
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION s"), "OK");
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION idle"), "IDLE");
    });
}

#[test]
fn a_logout_that_is_replayed_after_a_login_spares_it() {
    on_each_server(|server| {
        let now = clock(server);
        let at = now - 50_000;
        let create = |id, created| {
            format!("AUTH.SESSION CREATE user:1 {id} PXAT {} CREATED {created}", now + 900_000)
        };
        let redis = having_read(
            server,
            &[
                create("old", at),
                create("new", at + 1),
                format!("AUTH.SESSION REVOKEALL user:1 AT {at}"),
            ],
        );
        let mut talk = talk::to(&redis);
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION old"), "NO_SESSION");
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION new"), "OK");
        assert_eq!(talk.say(&format!("AUTH.CHECK user:1 t IATMS {at}")), "LOGGED_OUT");
    });
}

#[test]
fn no_limit_holds_for_what_is_replayed() {
    on_each_server(|server| {
        let now = clock(server);
        let until = now + 9_000_000_000;
        let device = "d".repeat(10_000);
        let mut commands: Vec<String> = (0..50)
            .map(|n| {
                format!("AUTH.SESSION CREATE user:1 session-{n:02} PXAT {until} DEVICE {device}")
            })
            .collect();
        commands.extend([
            format!(
                "AUTH.SESSION CREATE user:1 session-max PXAT {until} MAX 1000000 IDLE 99999999"
            ),
            format!("AUTH.BLACKLIST user:2 DIGEST {} PXAT {until}", digest(1)),
            format!("AUTH.BLACKLIST user:2 DIGEST {} PXAT 9223372036854775807", digest(2)),
            format!("AUTH.SESSION REVOKEALL user:3 AT {}", now + 500_000),
        ]);
        let redis = having_read(server, &commands);
        let mut talk = talk::to(&redis);
        for id in ["session-00", "session-49", "session-max"] {
            assert_eq!(talk.say(&format!("AUTH.CHECK user:1 t SESSION {id}")), "OK");
        }
        for n in [1, 2] {
            let told = talk.say(&format!("AUTH.CHECK user:2 DIGEST {}", digest(n)));
            assert_eq!(told, "REVOKED");
        }
        assert_eq!(talk.say(&format!("AUTH.CHECK user:3 t IATMS {now}")), "LOGGED_OUT");
        assert_eq!(talk.say("PEXPIRETIME user:1"), until.to_string());
    });
}

#[test]
fn an_eviction_is_replayed_as_the_effect_it_had() {
    on_each_server(|server| {
        let mut redis = aof::server(server).start();
        let mut talk = talk::to(&redis);
        let now = talk.now_ms();
        for (id, seen) in [("a", 3_000), ("b", 2_000), ("c", 1_000)] {
            talk.say(&format!("AUTH.SESSION CREATE user:1 {id} EX 900 SEEN {}", now - seen));
        }
        assert_eq!(talk.say("AUTH.SESSION CREATE user:1 d EX 900 MAX 2"), "[a b]");
        let before = talk.say("AUTH.SESSION LIST user:1");
        redis.kill();
        redis.start_again();
        assert_eq!(talk::to(&redis).say("AUTH.SESSION LIST user:1"), before);
    });
}

#[test]
fn a_ledger_read_from_a_log_is_swept_and_expires_like_any_other() {
    on_each_server(|server| {
        let now = clock(server);
        let redis = having_read(
            server,
            &[
                format!("AUTH.SESSION CREATE user:1 s PXAT {}", now - 5_000),
                format!("AUTH.SESSION CREATE user:2 dead PXAT {}", now - 5_000),
                format!("AUTH.SESSION CREATE user:2 live PXAT {}", now + 50_000),
            ],
        );
        let mut talk = talk::to(&redis);
        assert_eq!(talk.say("EXISTS user:1"), "0");
        assert_eq!(talk.say("PEXPIRETIME user:2"), (now + 50_000).to_string());
        assert_eq!(talk.say("AUTH.SESSION REVOKE user:2 live"), "1");
        assert_eq!(talk.say("EXISTS user:2"), "0");
    });
}
