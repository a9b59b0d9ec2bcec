//! Every event that can make a kept answer wrong, one row each: whether it is pushed, and if it is
//! not, that the answer's end, the life of the ledgers or an error to the next question tells of it.

use portcullis_tests::{Redis, wait_until};

use super::keeper::{Answer, EVER, Heard, Keeper};
use crate::talk::{self, Talk};
use crate::{everywhere, everywhere_with, on_each_server};

/// Keeps an answer about this session, lets the events happen, and tells what was heard of them.
struct Row {
    keeper: Keeper,
    other: Talk,
}

const QUESTION: &str = "user:1 t SESSION s";

impl Row {
    fn of(redis: &Redis) -> Self {
        let mut other = talk::to(redis);
        assert_eq!(other.say("AUTH.SESSION CREATE user:1 s EX 900"), "[]");
        Self { keeper: Keeper::of(redis), other }
    }

    /// The answer that is kept, what was pushed since, and what is answered then.
    #[track_caller]
    fn run(&mut self, events: &[&str]) -> (Answer, Heard, Result<Answer, String>) {
        self.keeper.ask(QUESTION);
        self.keeper.heard();
        let kept = self.keeper.ask(QUESTION);
        assert_eq!(self.keeper.heard(), Heard::Nothing, "to ask is no event");
        for event in events {
            let told = self.other.say(event);
            assert!(!told.starts_with("ERR"), "{event}: {told}");
        }
        let heard = self.keeper.heard();
        (kept, heard, Answer::try_of(&mut self.keeper.talk, QUESTION))
    }
}

#[test]
fn every_command_on_the_key_is_pushed_and_leaves_the_life_as_it_is() {
    everywhere(|redis| {
        let mut row = Row::of(redis);
        let payload: Vec<u8> =
            redis::cmd("DUMP").arg("user:1").query(&mut row.other.0).expect("a payload");
        row.other.tell("RESTORE copy 0 %", &[&payload]);
        for events in [
            &["AUTH.SESSION CREATE user:1 s EX 800"][..],
            &["AUTH.SESSION CREATE user:1 other EX 800"],
            &["AUTH.SESSION CREATE user:1 third EX 800 MAX 2"],
            &["AUTH.SESSION REVOKE user:1 third"],
            &["AUTH.SESSION REVOKEALL user:1 EXCEPT s", "AUTH.SESSION CREATE user:1 s EX 900"],
            &["AUTH.BLACKLIST user:1 t EX 900"],
            &["AUTH.SESSION REVOKEALL user:1"],
            &["EXPIRE user:1 800"],
            &["PERSIST user:1"],
            &["DEL user:1"],
            &["COPY copy user:1"],
            &["UNLINK user:1"],
            &["RENAME copy user:1"],
            &["RENAME user:1 copy"],
            &["COPY copy user:1 REPLACE"],
            &["MOVE user:1 3"],
            &["SELECT 3", "MOVE user:1 0"],
            &["SELECT 0", "SET user:1 text", "DEL user:1"],
            &["MULTI", "AUTH.SESSION CREATE user:1 s EX 900", "EXEC"],
            &["PEXPIREAT user:1 1"],
        ] {
            let (kept, heard, then) = row.run(events);
            assert_eq!(heard, Heard::Key, "{events:?}");
            assert_eq!(then.map(|it| it.life), Ok(kept.life), "{events:?}");
        }
        row.keeper.ask(QUESTION);
        row.keeper.heard();
        row.keeper.ask(QUESTION);
        assert_eq!(row.other.tell("RESTORE user:1 0 %", &[&payload]), "OK");
        assert_eq!(row.keeper.heard(), Heard::Key, "RESTORE");
        assert_eq!(row.keeper.ask(QUESTION).word, "OK");
    });
}

#[test]
fn a_ledger_that_migrates_is_pushed() {
    everywhere_with(portcullis_tests::RedisOptions::tcp, |redis| {
        let target = Redis::options().server(redis.server()).tcp().start();
        let mut row = Row::of(redis);
        let migrate = format!("MIGRATE 127.0.0.1 {} user:1 0 60000", target.port());
        let (kept, heard, then) = row.run(&[&migrate]);
        assert_eq!((kept.word.as_str(), heard), ("OK", Heard::Key));
        assert_eq!(then.expect("an answer").word, "NO_SESSION");
    });
}

#[test]
fn a_touch_is_silent_and_what_was_kept_ends_early_only() {
    everywhere(|redis| {
        let mut row = Row::of(redis);
        row.other.say("AUTH.SESSION REVOKE user:1 s");
        let seen = row.other.now_ms() - 30_000;
        row.other.say(&format!("AUTH.SESSION CREATE user:1 s EX 900 IDLE 60 SEEN {seen}"));
        let (kept, heard, then) = row.run(&["AUTH.SESSION TOUCH user:1 s"]);
        let then = then.expect("an answer");
        assert_eq!((heard, then.life), (Heard::Nothing, kept.life));
        assert_eq!((kept.word, then.word), ("OK".to_owned(), "OK".to_owned()));
        assert!(kept.until < then.until, "{} then {}", kept.until, then.until);
    });
}

#[test]
fn an_end_that_only_passes_is_silent_and_was_told_beforehand() {
    everywhere_with(
        // So that the server does not look for keys that have expired.
        |options| options.arguments(&["--hz", "1"]),
        |redis| {
            let mut row = Row::of(redis);
            row.other.say("DEBUG SET-ACTIVE-EXPIRE 0");
            row.other.say("AUTH.SESSION CREATE user:1 longer EX 900");
            for (setting, word) in [
                ("AUTH.SESSION CREATE user:1 s PX 40", "NO_SESSION"),
                ("AUTH.SESSION CREATE user:1 s EX 900 IDLE 1", "IDLE"),
                ("PEXPIRE user:1 40", "NO_SESSION"),
            ] {
                row.other.say("AUTH.SESSION REVOKE user:1 s");
                row.other.say("AUTH.SESSION CREATE user:1 s EX 900");
                row.other.say(setting);
                let (kept, heard, _) = row.run(&[]);
                assert_eq!(heard, Heard::Nothing, "{setting}");
                assert!(kept.until < EVER, "{setting}");
                // Another connection looks, so that this one's own question is no event.
                let mut looks = Answer::of(&mut row.other, QUESTION);
                wait_until("it has passed", || {
                    looks = Answer::of(&mut row.other, QUESTION);
                    looks.word == word
                });
                assert!(looks.now >= kept.until, "{setting}: {looks:?} of {kept:?}");
                assert_eq!(looks.life, kept.life, "{setting}");
            }
        },
    );
}

#[test]
fn a_revocation_that_ends_is_silent_and_was_told_beforehand() {
    everywhere(|redis| {
        let mut row = Row::of(redis);
        row.other.say("AUTH.BLACKLIST user:1 t PX 60");
        let kept = row.keeper.ask(QUESTION);
        if kept.word == "REVOKED" {
            wait_until("it has ended", || row.other.say("AUTH.CHECK user:1 t") == "OK");
            assert_eq!(row.keeper.heard(), Heard::Nothing);
        }
        let looks = row.keeper.ask(QUESTION);
        assert_eq!(looks.word, "OK");
        assert!(kept.word == "OK" || looks.now >= kept.until, "{looks:?} of {kept:?}");
    });
}

#[test]
fn a_key_that_has_expired_is_pushed_once_it_is_deleted() {
    everywhere(|redis| {
        let mut row = Row::of(redis);
        row.other.say("PEXPIRE user:1 40");
        row.keeper.ask(QUESTION);
        wait_until("it is deleted", || row.keeper.heard() == Heard::Key);
        assert_eq!(row.keeper.ask(QUESTION).word, "NO_SESSION");
    });
}

#[test]
fn what_replaces_all_ledgers_raises_the_life() {
    everywhere(|redis| {
        let mut row = Row::of(redis);
        for (events, expected) in [
            (&["FLUSHALL"][..], Heard::Everything),
            (&["FLUSHDB"], Heard::Everything),
            (&["FLUSHALL ASYNC"], Heard::Everything),
            (&["SELECT 5", "FLUSHDB", "SELECT 0"], Heard::Everything),
            (&["DEBUG RELOAD"], Heard::Everything),
            // The one that nobody is told of.
            (&["SWAPDB 0 1"], Heard::Nothing),
            (&["SWAPDB 0 1"], Heard::Nothing),
            (&["SWAPDB 7 8"], Heard::Nothing),
        ] {
            row.other.say("AUTH.SESSION CREATE user:1 s EX 900");
            let (kept, heard, then) = row.run(events);
            assert_eq!(heard, expected, "{events:?}");
            let then = then.expect("an answer");
            assert!(then.life > kept.life, "{events:?}: {} then {}", kept.life, then.life);
        }
    });
}

#[test]
fn another_rule_of_confirmation_raises_the_life() {
    everywhere(|redis| {
        let mut row = Row::of(redis);
        let (kept, heard, then) = row.run(&["CONFIG SET portcullis.require-confirm yes"]);
        assert_eq!(heard, Heard::Nothing);
        let refusal = then.expect_err("nobody has confirmed it");
        assert!(refusal.starts_with("NOTREADY"), "{refusal}");
        let run_id = row.other.info("server", "run_id");
        assert_eq!(row.other.say(&format!("AUTH.CONFIRM {run_id}")), "OK");
        let confirmed = row.keeper.ask(QUESTION);
        assert!(confirmed.life > kept.life, "kept from before it was confirmed");
        // Nothing was kept that a confirmation, or the same rule again, could make wrong.
        let (kept, heard, then) = row
            .run(&[&format!("AUTH.CONFIRM {run_id}"), "CONFIG SET portcullis.require-confirm yes"]);
        assert_eq!((heard, then.expect("an answer").life), (Heard::Nothing, kept.life));
        let (kept, heard, then) = row.run(&["CONFIG SET portcullis.require-confirm no"]);
        assert_eq!(heard, Heard::Nothing);
        assert!(then.expect("an answer").life > kept.life);
        let other = "CONFIG SET portcullis.leeway 5 portcullis.require-fence no";
        let (kept, _, then) = row.run(&[other]);
        assert_eq!(then.expect("an answer").life, kept.life, "no verdict depends on it");
    });
}

#[test]
fn each_start_is_another_and_a_greater_life() {
    on_each_server(|server| {
        let mut redis = Redis::options().server(server).start();
        let mut lives = Vec::new();
        for _ in 0..3 {
            let mut talk = talk::to(&redis);
            talk.say("FLUSHALL");
            lives.push(Answer::of(&mut talk, QUESTION).life);
            redis.kill();
            redis.start_again();
        }
        assert!(lives.is_sorted_by(|one, other| one < other), "{lives:?}");
    });
}
