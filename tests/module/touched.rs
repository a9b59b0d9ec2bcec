//! `AUTH.SESSION TOUCH` is a write that client-side caches and `WATCH` do not hear of: what that
//! must not change, and when they do hear of it.

use portcullis_tests::{Redis, wait_until};

use crate::kept::keeper::{Heard, Keeper};
use crate::talk;
use crate::{aof, everywhere, on_each_server};

const CREATE: &str = "AUTH.SESSION CREATE user:1 s EX 900 IDLE 600 SEEN";

#[test]
fn a_touch_is_kept_and_replicated_as_any_write_is() {
    on_each_server(|server| {
        let mut redis = aof::server(server).tcp().start();
        let replica = Redis::options().server(server).tcp().start();
        replica.replica_of(&redis);
        let mut talk = talk::to(&redis);
        let now = talk.now_ms();
        talk.say(&format!("{CREATE} {}", now - 60_000));
        let before = talk.info("persistence", "rdb_changes_since_last_save");
        assert_eq!(talk.say(&format!("AUTH.SESSION TOUCH user:1 s AT {}", now - 30_000)), "1");
        assert_ne!(talk.info("persistence", "rdb_changes_since_last_save"), before);
        assert_eq!(talk.say("WAIT 1 60000"), "1");
        let seen = format!("seen_ms {}", now - 30_000);
        let told = talk::to(&replica).say("AUTH.SESSION GET user:1 s");
        assert!(told.contains(&seen), "{told}");
        redis.kill();
        redis.start_again();
        let told = talk::to(&redis).say("AUTH.SESSION GET user:1 s");
        assert!(told.contains(&seen), "{told}");
    });
}

#[test]
fn a_snapshot_is_due_after_a_touch() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let seen = talk.now_ms() - 60_000;
        talk.say(&format!("{CREATE} {seen}"));
        talk.say("SAVE");
        assert_eq!(talk.info("persistence", "rdb_changes_since_last_save"), "0");
        assert_eq!(talk.send(&["CONFIG", "SET", "save", "1 1"]), "OK");
        assert_eq!(talk.say("AUTH.SESSION TOUCH user:1 s"), "1");
        wait_until("a snapshot was taken", || {
            talk.info("persistence", "rdb_changes_since_last_save") == "0"
        });
    });
}

#[test]
fn a_touch_that_moves_the_end_of_the_key_is_told_to_everybody() {
    everywhere(|redis| {
        let mut other = talk::to(redis);
        let seen = other.now_ms() - 60_000;
        other.say(&format!("{CREATE} {seen}"));
        let mut keeper = Keeper::of(redis);
        for (change, expected) in [
            ("PERSIST user:1", Heard::Key),
            ("EXPIRE user:1 5000", Heard::Key),
            ("EXPIRE user:1 60", Heard::Key),
            ("PING", Heard::Nothing),
        ] {
            other.say(change);
            keeper.ask("user:1 t SESSION s");
            keeper.heard();
            keeper.ask("user:1 t SESSION s");
            let mut watcher = talk::to(redis);
            watcher.say("WATCH user:1");
            // Two of the same millisecond are one.
            let mut seen = String::new();
            wait_until("it was seen later", || {
                let before = other.say("AUTH.SESSION GET user:1 s");
                other.say("AUTH.SESSION TOUCH user:1 s");
                seen = other.say("AUTH.SESSION GET user:1 s");
                seen != before
            });
            assert_eq!(keeper.heard(), expected, "{change}: {seen}");
            watcher.say("MULTI");
            watcher.say("PING");
            let executed = watcher.say("EXEC") == "[PONG]";
            assert_eq!(executed, expected == Heard::Nothing, "{change}");
        }
    });
}

#[test]
fn a_session_that_is_kept_as_idle_is_not_touched() {
    everywhere(|redis| {
        let mut other = talk::to(redis);
        other.say("AUTH.SESSION CREATE user:1 s EX 900 IDLE 1 SEEN 1");
        let mut keeper = Keeper::of(redis);
        assert_eq!(keeper.ask("user:1 t SESSION s").word, "IDLE");
        assert_eq!(other.say("AUTH.SESSION TOUCH user:1 s"), "0");
        assert_eq!(keeper.heard(), Heard::Nothing);
        // Begun anew, which is the only way back.
        other.say("AUTH.SESSION CREATE user:1 s EX 900");
        assert_eq!(keeper.heard(), Heard::Key);
    });
}
