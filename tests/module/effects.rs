//! What a command sends to replicas and to the AOF: effects, exactly when something changed, and
//! no token.

use portcullis_tests::{Redis, wait_until};

use crate::talk::{self, Talk, jwt};
use crate::{aof, everywhere_with, on_each_server};

/// Makes one subject with sessions a and b, a watermark and the revoked token t.
pub(crate) fn set_up(talk: &mut Talk) {
    let now = talk.now_ms();
    let early = now - 50_000;
    talk.say(&format!("AUTH.SESSION REVOKEALL user:1 AT {early}"));
    for id in ["a", "b"] {
        talk.say(&format!("AUTH.SESSION CREATE user:1 {id} EX 900 CREATED {now} SEEN {now}"));
    }
    talk.say("AUTH.SESSION CREATE user:1 idle EX 900 IDLE 5 SEEN 1");
    talk.say("AUTH.BLACKLIST user:1 t EX 900");
}

/// Commands that change nothing of [`set_up`].
pub(crate) const IDLE_COMMANDS: [&str; 18] = [
    "AUTH.CHECK user:1 t SESSION a IAT 1",
    "AUTH.CHECK user:1 other SESSION a",
    "AUTH.CHECK missing t",
    "AUTH.SESSION GET user:1 a",
    "AUTH.SESSION LIST user:1",
    "AUTH.SESSION HELP",
    "AUTH.BLACKLIST user:1 t EX 100",
    "AUTH.BLACKLIST user:1 past PXAT 1",
    "AUTH.BLACKLIST missing past PXAT 1",
    "AUTH.BLACKLIST user:1 t EX 0",
    "AUTH.SESSION CREATE user:1 c EX 0",
    "AUTH.SESSION TOUCH user:1 a AT 1",
    "AUTH.SESSION TOUCH user:1 idle",
    "AUTH.SESSION TOUCH missing a",
    "AUTH.SESSION REVOKE user:1 other",
    "AUTH.SESSION REVOKE missing a",
    "AUTH.SESSION REVOKEALL user:1 AT 1",
    "AUTH.SESSION REVOKEALL missing EXCEPT a",
];

/// Commands that each change something, with the events they cause.
pub(crate) const CHANGES: [(&str, &[&str]); 9] = [
    ("AUTH.SESSION CREATE user:1 c EX 900", &["auth.session.create"]),
    ("AUTH.SESSION CREATE user:1 c EX 800", &["auth.session.create"]),
    ("AUTH.SESSION TOUCH user:1 a", &["auth.session.touch"]),
    ("AUTH.SESSION CREATE user:1 d EX 900 MAX 3", &["auth.session.create", "auth.session.evict"]),
    ("AUTH.SESSION REVOKE user:1 a b", &["auth.session.revoke"]),
    ("AUTH.SESSION REVOKEALL user:1 EXCEPT c", &["auth.session.revokeall"]),
    ("AUTH.SESSION REVOKEALL user:1", &["auth.session.revokeall"]),
    ("AUTH.BLACKLIST user:1 new EX 900", &["auth.blacklist"]),
    ("AUTH.BLACKLIST user:1 t EX 950", &["auth.blacklist"]),
];

#[test]
fn nothing_is_propagated_when_nothing_changed() {
    on_each_server(|server| {
        let redis = aof::server(server).start();
        let mut talk = talk::to(&redis);
        set_up(&mut talk);
        let before = aof::commands(&redis);
        for line in IDLE_COMMANDS {
            talk.say(line);
            assert_eq!(aof::commands(&redis), before, "{line}");
        }
    });
}

#[test]
fn what_is_propagated_is_the_effect_in_absolute_times() {
    on_each_server(|server| {
        let redis = aof::server(server).start();
        let mut talk = talk::to(&redis);
        let now = talk.now_ms();
        let (at, seen) = (now + 900_000, now - 10);
        let (early, until) = (now - 6_000, now - 5_000);
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for line in [
            format!(
                "AUTH.SESSION CREATE k a PXAT {at} CREATED 7 SEEN {seen} MAX 9 IDLE 60 DEVICE d"
            ),
            format!("AUTH.SESSION CREATE k b PXAT {at} CREATED 8 SEEN {seen} MAX 1"),
            format!("AUTH.SESSION TOUCH k b AT {now}"),
            format!("AUTH.BLACKLIST k abc PXAT {at}"),
            "AUTH.SESSION REVOKE k other b".into(),
            format!("AUTH.SESSION REVOKEALL k AT {early}"),
            format!("AUTH.SESSION CREATE k c PXAT {at} CREATED {until} SEEN {seen}"),
            format!("AUTH.SESSION REVOKEALL k EXCEPT a AT {until}"),
        ] {
            talk.say(&line);
        }
        let expected = [
            format!("AUTH.SESSION CREATE k a PXAT {at} IDLE 60 CREATED 7 SEEN {seen} DEVICE d"),
            "MULTI".into(),
            "AUTH.SESSION REVOKE k a".into(),
            format!("AUTH.SESSION CREATE k b PXAT {at} IDLE 0 CREATED 8 SEEN {seen} DEVICE "),
            "EXEC".into(),
            format!("AUTH.SESSION TOUCH k b AT {now}"),
            format!("AUTH.BLACKLIST k DIGEST {hex} PXAT {at}"),
            "AUTH.SESSION REVOKE k b".into(),
            format!("AUTH.SESSION REVOKEALL k AT {early}"),
            format!("AUTH.SESSION CREATE k c PXAT {at} IDLE 0 CREATED {until} SEEN {seen} DEVICE "),
            format!("AUTH.SESSION REVOKEALL k AT {until} EXCEPT a"),
        ];
        assert_eq!(aof::commands(&redis), expected);
    });
}

#[test]
fn f_58_what_is_swept_in_passing_is_told_as_ended_and_a_key_that_goes_as_gone() {
    on_each_server(|server| {
        let redis = aof::server(server).start();
        let mut talk = talk::to(&redis);
        let at = talk.now_ms() + 900_000;
        talk.say(&format!("AUTH.SESSION CREATE k last PXAT {at} CREATED 1 SEEN 1"));
        talk.say("AUTH.SESSION CREATE k short PX 1");
        wait_until("one has expired", || talk.say("AUTH.CHECK k t SESSION short") == "NO_SESSION");
        let before = aof::commands(&redis).len();
        talk.say("AUTH.SESSION TOUCH k last AT 2");
        talk.say("AUTH.SESSION REVOKE k last");
        let expected = [
            "MULTI",
            "AUTH.SESSION TOUCH k last AT 2",
            "AUTH.SESSION REVOKE k short",
            "EXEC",
            "MULTI",
            "AUTH.SESSION REVOKE k last",
            "UNLINK k",
            "EXEC",
        ];
        assert_eq!(aof::commands(&redis)[before..], expected);
    });
}

#[test]
fn no_token_is_ever_written_down_or_shown() {
    on_each_server(|server| {
        let redis = aof::server(server).arguments(&["--slowlog-log-slower-than", "0"]).start();
        let mut monitor = redis.connection();
        monitor.send_packed_command(b"*1\r\n$7\r\nMONITOR\r\n").expect("it is sent");
        monitor.recv_response().expect("MONITOR says OK");
        let mut talk = talk::to(&redis);
        let secret = jwt(r#"{"exp":4000000000,"secret":"hunter2"}"#);
        let signature = ".c2ln";
        for line in [
            format!("AUTH.CHECK user:1 {secret}"),
            format!("AUTH.BLACKLIST user:1 {secret} EX 100"),
            format!("AUTH.BLACKLIST user:1 {secret}"),
            format!("AUTH.CHECK user:1 {secret} NONSENSE"),
            format!("AUTH.CHECK {secret}"),
            "MULTI".into(),
            format!("AUTH.CHECK user:1 {secret}"),
            format!("AUTH.BLACKLIST user:1 {secret} EX 200"),
            "EXEC".into(),
            "ECHO marker".into(),
        ] {
            talk.say(&line);
        }
        let mut shown = String::new();
        while !shown.contains("marker") {
            let line: String = redis::from_redis_value(monitor.recv_response().expect("a line"))
                .expect("MONITOR shows text");
            shown.push_str(&line);
        }
        shown += &talk.say("SLOWLOG GET 1000");
        if server.is_valkey() {
            shown += &talk.say("COMMANDLOG GET 1000 slow");
            shown += &talk.say("COMMANDLOG GET 1000 large-request");
        }
        shown += &talk.say("CLIENT LIST");
        shown += &talk.say("INFO everything");
        shown += &redis.log();
        shown += &aof::commands(&redis).join("\n");
        talk.say("SAVE");
        let dump = std::fs::read(redis.data().join("dump.rdb")).expect("a snapshot");
        shown += &String::from_utf8_lossy(&dump);
        assert!(shown.contains("marker") && !shown.contains(signature), "{shown}");
    });
}

#[test]
fn limits_of_the_primary_are_not_those_of_its_replica() {
    everywhere_with(portcullis_tests::RedisOptions::tcp, |primary| {
        let narrow =
            ["max-sessions", "1", "max-ttl", "1", "max-id-bytes", "1", "max-device-bytes", "0"];
        let options = Redis::options().server(primary.server()).tcp();
        let replica = options.module_arguments(&narrow).start();
        replica.replica_of(primary);
        let mut talk = talk::to(primary);
        talk.say("AUTH.SESSION CREATE user:1 long-id EX 900 DEVICE phone IDLE 60");
        talk.say("AUTH.SESSION CREATE user:1 other EX 900 MAX 5");
        talk.say("AUTH.BLACKLIST user:1 t EX 900");
        assert_eq!(talk.say("WAIT 1 60000"), "1");
        let digest = talk.say("DEBUG DIGEST-VALUE user:1");
        assert_eq!(talk::to(&replica).say("DEBUG DIGEST-VALUE user:1"), digest);
    });
}
