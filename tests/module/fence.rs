//! The fence on every server: what was read before an ending does not begin again, however late it
//! arrives and whatever happened to the ledger in between.

use portcullis_tests::{Redis, wait_until};

use crate::talk::{self, Talk};
use crate::{aof, everywhere, on_each_server};

mod nodes;

const STALE: &str = "STALE ask for a new fence and read again";
const ENDED: &str =
    "ENDED the session began at or before a logout of everything; do not begin it again";
const LIFE: &str =
    "STALE the ledgers were replaced or the role has changed; bring them up to date again";

/// Begins a session with a token that was asked for earlier.
fn begin(talk: &mut Talk, id: &str, token: &str) -> String {
    talk.say(&format!("AUTH.SESSION CREATE user:1 {id} EX 900 FENCE {token}"))
}

#[test]
fn f_01_what_was_ended_after_the_token_was_asked_for_does_not_begin() {
    let endings = [
        "AUTH.SESSION REVOKE user:1 s",
        "AUTH.SESSION REVOKE user:1 other s",
        "AUTH.SESSION REVOKEALL user:1",
        "AUTH.SESSION REVOKEALL user:1 EXCEPT other",
        "AUTH.SESSION CREATE user:1 other EX 900 MAX 1",
    ];
    let afterwards = ["PING", "DEL user:1", "RENAME user:1 user:2", "DEBUG RELOAD", "FLUSHALL"];
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        for (ending, later) in endings.iter().flat_map(|it| afterwards.map(|later| (it, later))) {
            talk.say("FLUSHALL");
            let token = talk.say("AUTH.FENCE");
            assert_eq!(begin(&mut talk, "s", &token), "[]");
            assert_ne!(talk.say(ending), "0", "{ending}");
            talk.say(later);
            assert_eq!(begin(&mut talk, "s", &token), STALE, "{ending}, {later}");
            assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION s"), "NO_SESSION", "{ending}");
            let next = talk.say("AUTH.FENCE");
            if later == "PING" {
                assert_eq!(begin(&mut talk, "s", &next), STALE, "{ending}: for a while");
            }
        }
    });
}

#[test]
fn f_01_an_ending_that_comes_before_its_beginning_is_remembered() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let token = talk.say("AUTH.FENCE");
        assert_eq!(talk.say("AUTH.SESSION REVOKE user:1 s"), "0");
        assert_eq!(talk.say("EXISTS user:1"), "0");
        assert_eq!(begin(&mut talk, "s", &token), STALE);
        assert_eq!(talk.say("EXISTS user:1"), "0", "nothing has changed");
        assert_eq!(begin(&mut talk, "other", &token), "[]");
        assert_eq!(talk.info("portcullis", "portcullis_fence_endings"), "1");
        assert_eq!(talk.info("portcullis", "portcullis_fence_stale"), "1");
        // Whoever uses the module alone may use an id again.
        assert_eq!(talk.say("AUTH.SESSION CREATE user:1 s EX 900"), "[]");
    });
}

#[test]
fn f_01_sessions_begun_before_a_logout_of_everything_do_not_begin_after_it() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let (now, token) = (talk.now_ms(), talk.say("AUTH.FENCE"));
        let create =
            |id: &str, at: u64| format!("AUTH.SESSION CREATE user:1 {id} EX 900 CREATED {at}");
        for (ending, unfenced) in [
            (format!("AUTH.SESSION REVOKEALL user:1 AT {now}"), ENDED),
            (format!("AUTH.SESSION REVOKEALL user:1 EXCEPT kept AT {now}"), "[]"),
        ] {
            talk.say(&ending);
            let late = format!("{} FENCE {token}", create("s", now));
            assert_eq!(talk.say(&late), ENDED, "{ending}");
            assert_eq!(talk.say(&create("s", now)), unfenced, "{ending}");
            let next = format!("{} FENCE {token}", create("next", now + 1));
            assert_eq!(talk.say(&next), "[]", "{ending}");
            talk.say("DEL user:1");
            assert_eq!(talk.say(&late), ENDED, "{ending}: also when the ledger is gone");
        }
        let kept = format!("{} FENCE {token}", create("kept", now));
        assert_eq!(talk.say(&kept), ENDED, "the other logout had no exception");
    });
}

#[test]
fn f_01_what_is_stored_from_before_the_watermark_is_logged_out() {
    on_each_server(|server| {
        let mut redis = aof::server(server).start();
        let now = talk::to(&redis).now_ms();
        redis.kill();
        let (at, end) = (now.to_string(), (now + 900_000).to_string());
        let (at, end) = (at.as_bytes(), end.as_bytes());
        let create = |id: &'static [u8], created| {
            let mut words: Vec<&[u8]> = vec![b"AUTH.SESSION", b"CREATE", b"user:1", id, b"PXAT"];
            words.extend([end, b"CREATED", created, b"SEEN", at].as_slice());
            words
        };
        let after = (now + 1).to_string();
        let sessions = [create(b"before", at), create(b"after", after.as_bytes())];
        let logout: [&[u8]; 5] = [b"AUTH.SESSION", b"REVOKEALL", b"user:1", b"AT", at];
        aof::append(&redis, &[&logout, &sessions[0], &sessions[1]]);
        redis.start_again();
        let mut talk = talk::to(&redis);
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION before"), "LOGGED_OUT");
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION after"), "OK");
        assert_eq!(talk.say("AUTH.SESSION GET user:1 before"), "nil");
        assert_eq!(talk.say("AUTH.SESSION TOUCH user:1 before"), "0");
        assert!(!talk.say("AUTH.SESSION LIST user:1").contains("before"));
        assert_eq!(talk.say("AUTH.SESSION REVOKEALL user:1"), "1");
        assert_eq!(talk.say("AUTH.CHECK user:1 t SESSION before"), "NO_SESSION");
    });
}

#[test]
fn a_token_grows_old() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let token = talk.say("AUTH.FENCE");
        assert_eq!(begin(&mut talk, "s", &token), "[]");
        wait_until("the token is too old", || begin(&mut talk, "s", &token) == STALE);
        let next = talk.say("AUTH.FENCE");
        assert_eq!(begin(&mut talk, "s", &next), "[]", "the session may be prolonged");
    });
}

#[test]
fn no_token_outlives_the_ledgers_it_was_asked_about() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        for change in ["FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "DEBUG RELOAD"] {
            let (token, life) =
                (talk.say("AUTH.FENCE"), talk.info("portcullis", "portcullis_fence_life"));
            assert_eq!(talk.say(change), "OK");
            assert_eq!(begin(&mut talk, "s", &token), STALE, "{change}");
            assert_ne!(talk.info("portcullis", "portcullis_fence_life"), life, "{change}");
            let next = talk.say("AUTH.FENCE");
            assert_eq!(begin(&mut talk, "s", &next), "[]", "{change}");
        }
    });
}

#[test]
fn no_token_outlives_the_server_or_its_role() {
    on_each_server(|server| {
        let start = || Redis::options().server(server).tcp().start();
        let (mut primary, other) = (start(), start());
        let token = talk::to(&primary).say("AUTH.FENCE");
        assert_eq!(begin(&mut talk::to(&other), "s", &token), STALE, "it is another server");
        primary.kill();
        primary.start_again();
        let mut talk = talk::to(&primary);
        assert_eq!(begin(&mut talk, "s", &token), STALE, "it is another start");
        let token = talk.say("AUTH.FENCE");
        primary.replica_of(&other);
        assert!(begin(&mut talk, "s", &token).starts_with("READONLY"));
        let asked = talk.say("AUTH.FENCE");
        assert_eq!(talk.say("REPLICAOF NO ONE"), "OK");
        for token in [token, asked] {
            assert_eq!(begin(&mut talk, "s", &token), STALE, "it was another role");
        }
    });
}

#[test]
fn a_replica_stores_what_its_primary_has_judged_and_carries_no_fence() {
    on_each_server(|server| {
        let start = |options: portcullis_tests::RedisOptions| {
            options.tcp().module_arguments(&["require-fence", "yes"]).start()
        };
        let primary = start(aof::server(server));
        let replica = start(Redis::options().server(server));
        replica.replica_of(&primary);
        let mut talk = talk::to(&primary);
        for round in ["first", "second"] {
            let token = talk.say("AUTH.FENCE");
            assert_eq!(begin(&mut talk, round, &token), "[]");
            assert_eq!(talk.say("AUTH.SESSION REVOKE user:1 other"), "0");
        }
        assert_eq!(talk.say("WAIT 1 60000"), "1");
        let mut follower = talk::to(&replica);
        for round in ["first", "second"] {
            assert_eq!(follower.say(&format!("AUTH.CHECK user:1 t SESSION {round}")), "OK");
        }
        assert_eq!(follower.info("portcullis", "portcullis_fence_endings"), "0");
        let told = aof::commands(&primary);
        let creates = told.iter().filter(|it| it.starts_with("AUTH.SESSION CREATE")).count();
        assert_eq!(creates, 2, "{told:?}");
        assert!(!told.iter().any(|it| it.contains("FENCE")), "{told:?}");
    });
}

#[test]
fn more_endings_than_are_remembered_make_every_token_void() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        assert_eq!(talk.say("CONFIG SET portcullis.fence-endings 1000"), "OK");
        let token = talk.say("AUTH.FENCE");
        let ids: Vec<String> = (0..1_000).map(|n| format!("id{n}")).collect();
        talk.say(&format!("AUTH.SESSION REVOKE user:1 {}", ids.join(" ")));
        assert_eq!(talk.info("portcullis", "portcullis_fence_endings"), "1000");
        assert_eq!(begin(&mut talk, "s", &token), "[]");
        talk.say("AUTH.SESSION REVOKE user:1 another");
        assert_eq!(talk.info("portcullis", "portcullis_fence_overflows"), "1");
        assert_eq!(begin(&mut talk, "s", &token), STALE);
    });
}

#[test]
fn a_beginning_is_judged_in_a_certain_order() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let now = talk.now_ms();
        let token = talk.say("AUTH.FENCE");
        talk.say(&format!("AUTH.SESSION REVOKEALL user:1 AT {now}"));
        talk.say("AUTH.SESSION REVOKE user:1 gone");
        talk.say("SET text 1");
        assert_eq!(talk.say("CONFIG SET portcullis.max-id-bytes 8"), "OK");
        let old = format!("CREATED {now} FENCE {token}");
        for (line, refusal) in [
            (format!("text gone EX 900 FENCE {token} NONSENSE"), "ERR syntax error"),
            (format!("text gone EX 900 FENCE {token} FENCE {token}"), "ERR syntax error"),
            ("text gone EX 900 FENCE nonsense".into(), "ERR invalid fence"),
            (format!("text gone EX 900 FENCE {token}"), "WRONGTYPE"),
            (format!("user:1 gone EX 900 {old}"), STALE),
            (format!("user:1 too-long-an-id EX 900 {old}"), ENDED),
            (format!("user:1 too-long-an-id EX 900 FENCE {token}"), "ERR session id must have"),
        ] {
            let told = talk.say(&format!("AUTH.SESSION CREATE {line}"));
            assert!(told.starts_with(refusal), "{line}: {told}");
        }
    });
}

#[test]
fn a_server_may_want_a_fence_of_every_client() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        assert_eq!(talk.say("CONFIG SET portcullis.require-fence yes"), "OK");
        let told = talk.say("AUTH.SESSION CREATE user:1 s EX 900");
        assert!(told.starts_with("ERR this server wants a fence"), "{told}");
        let token = talk.say("AUTH.FENCE");
        assert_eq!(begin(&mut talk, "s", &token), "[]");
    });
}

#[test]
fn a_confirmation_that_names_a_life_holds_for_that_life_only() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let run_id = talk.info("server", "run_id");
        let life = talk.info("portcullis", "portcullis_fence_life");
        let confirm = format!("AUTH.CONFIRM {run_id} LIFE {life}");
        assert_eq!(talk.say(&confirm), "OK");
        assert_eq!(talk.say("FLUSHALL"), "OK");
        assert_eq!(talk.say(&confirm), LIFE);
        assert_eq!(talk.info("portcullis", "portcullis_confirmed"), "0");
        let life = talk.info("portcullis", "portcullis_fence_life");
        assert_eq!(talk.say(&format!("AUTH.CONFIRM {run_id} LIFE {life}")), "OK");
        assert_eq!(talk.info("portcullis", "portcullis_confirmed"), "1");
        for line in ["LIFE", "LIFE 1 2", "LIVE 1"] {
            assert_eq!(talk.say(&format!("AUTH.CONFIRM {run_id} {line}")), "ERR syntax error");
        }
    });
}
