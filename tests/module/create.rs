//! `AUTH.SESSION CREATE`: what begins, what is prolonged, who is evicted, what is refused.

use crate::talk::{self, Talk};
use crate::{everywhere, everywhere_with};

const SYNTAX: &str = "ERR syntax error";
const INTEGER: &str = "ERR value is not an integer or out of range";
const EXPIRE: &str = "ERR invalid expire time in 'auth.session|create' command";
const MAX: &str = "ERR MAX must be 1 to portcullis.max-sessions";
const ID: &str = "ERR session id must have 1 to portcullis.max-id-bytes bytes";
const DEVICE: &str = "ERR DEVICE must have at most portcullis.max-device-bytes bytes";

/// The ids of the live sessions, most recently seen first.
fn ids(talk: &mut Talk, key: &str) -> String {
    let told = talk.say(&format!("AUTH.SESSION LIST {key}"));
    let mut words = told.split([' ', '[', ']']);
    let mut ids = Vec::new();
    while let Some(word) = words.next() {
        if word == "id" {
            ids.extend(words.next());
        }
    }
    ids.join(" ")
}

#[test]
fn a_session_has_what_it_was_given() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let now = talk.now_ms();
        let (created, seen, expires) = (now - 9_000, now - 5_000, now + 900_000);
        let line = format!(
            "AUTH.SESSION CREATE user:1 s1 DEVICE % SEEN {seen} IDLE 60 PXAT {expires} CREATED {created}"
        );
        assert_eq!(talk.tell(&line, &[b"a phone"]), "[]");
        assert_eq!(
            talk.say("AUTH.SESSION GET user:1 s1"),
            format!(
                "[id s1 created_ms {created} seen_ms {seen} expires_ms {expires} idle_s 60 device a phone]"
            )
        );
        assert_eq!(talk.say("PEXPIRETIME user:1"), expires.to_string());
        assert_eq!(talk.say("TYPE user:1"), "authledgr");
    });
}

#[test]
fn the_four_forms_of_time_and_keywords_in_any_case_are_read() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let at_s = talk.now_ms() / 1000 + 500;
        for line in [
            "auth.session create user:1 s1 ex 500".to_owned(),
            "Auth.Session Create user:1 s1 pX 500000".to_owned(),
            format!(
                "AUTH.SESSION CREATE user:1 s1 ExAt {at_s} idle 5 max 3 device d created 5 seen 6"
            ),
            format!("AUTH.SESSION CREATE user:1 s1 SEEN 6 CREATED 5 MAX 3 PxAt {at_s}000"),
        ] {
            assert_eq!(talk.say(&line), "[]", "{line}");
        }
        assert_eq!(talk.say("PEXPIRETIME user:1"), format!("{at_s}000"));
    });
}

#[test]
fn of_more_than_max_the_least_recently_seen_are_evicted_and_told() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let now = talk.now_ms();
        // Seen, created, id decide, in this order.
        for (id, seen, created) in [("e", 5, 5), ("d", 3, 9), ("c", 3, 8), ("b", 2, 7), ("a", 2, 7)]
        {
            let (seen, created) = (now - 1_000 + seen, now - 2_000 + created);
            let line =
                format!("AUTH.SESSION CREATE user:1 {id} EX 900 SEEN {seen} CREATED {created}");
            assert_eq!(talk.say(&line), "[]");
        }
        assert_eq!(ids(&mut talk, "user:1"), "e d c b a");
        assert_eq!(talk.say("AUTH.SESSION CREATE user:1 new EX 900 MAX 3"), "[a b c]");
        assert_eq!(ids(&mut talk, "user:1"), "new e d");
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION a"), "NO_SESSION");
        // A new session is never its own victim, however long ago it was seen.
        assert_eq!(talk.say("AUTH.SESSION CREATE user:1 old EX 900 MAX 3 SEEN 1"), "[d]");
        assert_eq!(talk.say("AUTH.SESSION CREATE user:1 one EX 900 MAX 1"), "[old e new]");
    });
}

#[test]
fn the_same_id_again_updates_it_and_evicts_nobody() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let now = talk.now_ms();
        let (created, seen) = (now - 9_000, now - 5_000);
        talk.say(&format!(
            "AUTH.SESSION CREATE user:1 s1 EX 900 IDLE 60 DEVICE d CREATED {created} SEEN {seen}"
        ));
        talk.say("AUTH.SESSION CREATE user:1 s2 EX 900");
        let sooner = now + 100_000;
        let again = format!("AUTH.SESSION CREATE user:1 s1 PXAT {sooner} MAX 1 SEEN {}", seen - 1);
        assert_eq!(talk.say(&again), "[]");
        assert_eq!(
            talk.say("AUTH.SESSION GET user:1 s1"),
            format!(
                "[id s1 created_ms {created} seen_ms {seen} expires_ms {sooner} idle_s 60 device d]"
            )
        );
        let changed =
            format!("AUTH.SESSION CREATE user:1 s1 PXAT {sooner} IDLE 0 CREATED 7 SEEN {seen}");
        talk.tell(&format!("{changed} DEVICE %"), &[b""]);
        assert_eq!(
            talk.say("AUTH.SESSION GET user:1 s1"),
            format!("[id s1 created_ms 7 seen_ms {seen} expires_ms {sooner} idle_s 0 device ]")
        );
        assert_eq!(ids(&mut talk, "user:1"), "s2 s1");
    });
}

#[test]
fn an_idle_session_is_not_counted_and_its_id_begins_anew() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let seen = talk.now_ms() - 10_000;
        let line = "AUTH.SESSION CREATE user:1 idle EX 900 IDLE 1 DEVICE old CREATED 1";
        talk.say(&format!("{line} SEEN {seen}"));
        assert_eq!(talk.say("AUTH.SESSION CREATE user:1 s1 EX 900 MAX 1"), "[]");
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION idle"), "IDLE");
        assert_eq!(talk.say("AUTH.SESSION CREATE user:1 idle EX 900 MAX 1"), "[s1]");
        let told = talk.say("AUTH.SESSION GET user:1 idle");
        assert!(told.ends_with("idle_s 0 device ]") && !told.contains("created_ms 1 "), "{told}");
    });
}

#[test]
fn what_is_said_of_the_future_is_taken_as_now() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let later = talk.now_ms() + 500_000;
        talk.say(&format!("AUTH.SESSION CREATE user:1 s1 EX 900 CREATED {later} SEEN {later}"));
        let told: Vec<u64> = talk
            .say("AUTH.SESSION GET user:1 s1")
            .split(' ')
            .filter_map(|word| word.parse().ok())
            .take(2)
            .collect();
        assert!(told.iter().all(|at| *at < later), "{told:?}");
    });
}

#[test]
fn wrong_options_and_numbers_are_refused_and_change_nothing() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        for (options, refusal) in [
            ("EX", SYNTAX),
            ("MAX 3", SYNTAX),
            ("IDLE 3 MAX 3", SYNTAX),
            ("EX 9 PX 9", SYNTAX),
            ("EX 9 EX 9", SYNTAX),
            ("EX 9 IDLE 1 IDLE 1", SYNTAX),
            ("EX 9 MAX 1 MAX 1", SYNTAX),
            ("EX 9 DEVICE a DEVICE a", SYNTAX),
            ("EX 9 CREATED 1 CREATED 1", SYNTAX),
            ("EX 9 SEEN 1 SEEN 1", SYNTAX),
            ("EX 9 IDLE", SYNTAX),
            ("EX 9 DEVICE", SYNTAX),
            ("EX 9 NONSENSE", SYNTAX),
            ("EX 9 NONSENSE 1", SYNTAX),
            ("EX 0", EXPIRE),
            ("PX -1", EXPIRE),
            ("EXAT 0", EXPIRE),
            ("PXAT 1", EXPIRE),
            ("EXAT 1", EXPIRE),
            ("EX 9223372036854775807", EXPIRE),
            ("PXAT 9223372036854775807", EXPIRE),
            ("EX 34560060", EXPIRE),
            ("EX 9 IDLE 34560001", EXPIRE),
            ("EX x", INTEGER),
            ("EX 9 IDLE x", INTEGER),
            ("EX 9 IDLE -1", INTEGER),
            ("EX 9 IDLE 9223372036854775808", INTEGER),
            ("EX 9 MAX x", INTEGER),
            ("EX 9 CREATED -1", INTEGER),
            ("EX 9 SEEN x", INTEGER),
            ("EX 9 MAX 0", MAX),
            ("EX 9 MAX -1", MAX),
            ("EX 9 MAX 1001", MAX),
            ("EX 9 MAX 9223372036854775807", MAX),
        ] {
            let told = talk.say(&format!("AUTH.SESSION CREATE user:1 s1 {options}"));
            let arity = "ERR wrong number of arguments for 'auth.session|create' command";
            let expected = if options == "EX" { arity } else { refusal };
            assert_eq!(told, expected, "{options}");
        }
        assert_eq!(talk.say("EXISTS user:1"), "0");
    });
}

#[test]
fn ids_and_devices_are_any_bytes_within_their_limits() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let create = |talk: &mut Talk, id: &[u8], device: &[u8]| {
            talk.tell("AUTH.SESSION CREATE user:1 % EX 900 DEVICE %", &[id, device])
        };
        assert_eq!(create(&mut talk, b"", b""), ID);
        assert_eq!(create(&mut talk, &[0; 129], b""), ID);
        assert_eq!(create(&mut talk, b"s1", &[0; 4097]), DEVICE);
        assert_eq!(talk.say("EXISTS user:1"), "0");
        for id in [[0; 128].as_slice(), b"\0", b"a\0b", b"\xff\r\n", b"EX"] {
            assert_eq!(create(&mut talk, id, &[0xff; 4096]), "[]");
            assert_eq!(talk.tell("AUTH.CHECK user:1 t SESSION %", &[id]), "OK");
        }
        assert_eq!(talk.tell("AUTH.SESSION REVOKE user:1 %", &[b"a"]), "0");
        let evicted = talk.answer("AUTH.SESSION CREATE user:1 z EX 900 MAX 1");
        assert!(matches!(&evicted, redis::Value::Array(ids) if ids.len() == 5), "{evicted:?}");
    });
}

#[test]
fn limits_are_settings() {
    everywhere_with(
        |options| {
            options.module_arguments(&["max-sessions", "2", "max-id-bytes", "3", "max-ttl", "60"])
        },
        |redis| {
            let mut talk = talk::to(redis);
            assert_eq!(talk.say("AUTH.SESSION CREATE user:1 a EX 60"), "[]");
            assert_eq!(talk.say("AUTH.SESSION CREATE user:1 b EX 60"), "[]");
            assert_eq!(talk.say("AUTH.SESSION CREATE user:1 c EX 60"), "ERR too many sessions");
            assert_eq!(talk.say("AUTH.SESSION CREATE user:1 b EX 60"), "[]");
            assert_eq!(talk.say("AUTH.SESSION CREATE user:1 c EX 60 MAX 3"), MAX);
            assert_eq!(talk.say("AUTH.SESSION CREATE user:1 c EX 60 MAX 2"), "[a]");
            assert_eq!(talk.say("AUTH.SESSION CREATE user:1 long EX 60"), ID);
            assert_eq!(talk.say("AUTH.SESSION CREATE user:1 b EX 61"), EXPIRE);
            assert_eq!(talk.say("AUTH.BLACKLIST user:1 t EX 60"), "1");
            assert!(talk.say("AUTH.BLACKLIST user:1 t EX 61").starts_with("ERR invalid expire"));
            assert_eq!(talk.say("CONFIG SET portcullis.max-sessions 3"), "OK");
            assert_eq!(talk.say("AUTH.SESSION CREATE user:1 d EX 60"), "[]");
        },
    );
}

#[test]
fn a_full_ledger_makes_room_for_those_who_say_max() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let mut pipe = redis::pipe();
        for n in 0..1000 {
            let (id, seen) = (format!("s{n:04}"), (n + 2).to_string());
            pipe.cmd("AUTH.SESSION").arg(&["CREATE", "user:1", &id, "EX", "900", "SEEN", &seen]);
        }
        let () = pipe.query(&mut talk.0).expect("a thousand fit");
        assert_eq!(talk.say("AUTH.SESSION CREATE user:1 more EX 900"), "ERR too many sessions");
        let evicted = talk.say("AUTH.SESSION CREATE user:1 more EX 900 MAX 1000 SEEN 1");
        assert_eq!(evicted, "[s0000]");
        let evicted = talk.say("AUTH.SESSION CREATE user:1 last EX 900 MAX 2");
        assert_eq!(evicted.split(' ').count(), 999);
        assert_eq!(ids(&mut talk, "user:1"), "last s0999");
    });
}
