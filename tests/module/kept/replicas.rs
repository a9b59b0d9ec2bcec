//! The same on replicas: what comes from the primary is pushed there too, and what ends a replica's
//! knowledge, or its being one, raises the life.

use portcullis_tests::{Redis, Server, wait_until};

use super::keeper::{Answer, Heard, Keeper};
use crate::on_each_server;
use crate::talk::{self, Talk};

const QUESTION: &str = "user:1 t SESSION s";

fn start(server: &Server, arguments: &[&str]) -> Redis {
    Redis::options().server(server).tcp().arguments(arguments).start()
}

/// A primary with a session, and a replica that has it.
fn pair(server: &Server) -> (Redis, Talk, Redis) {
    let (primary, replica) = (start(server, &[]), start(server, &[]));
    let mut talk = talk::to(&primary);
    talk.say("AUTH.SESSION CREATE user:1 s EX 900");
    replica.replica_of(&primary);
    (primary, talk, replica)
}

/// Asks until the answer is from another life than this.
#[track_caller]
fn another_life(keeper: &mut Keeper, kept: &Answer) -> Answer {
    let mut then = kept.clone();
    wait_until("the life has risen", || {
        // A server that is loading says so.
        Answer::try_of(&mut keeper.talk, QUESTION).is_ok_and(|answer| {
            then = answer;
            then.life > kept.life
        })
    });
    then
}

#[test]
fn what_the_primary_says_of_a_key_is_pushed_and_a_touch_is_not() {
    on_each_server(|server| {
        let (_primary, mut talk, replica) = pair(server);
        let mut keeper = Keeper::of(&replica);
        for (line, expected) in [
            ("AUTH.SESSION TOUCH user:1 s", Heard::Nothing),
            ("AUTH.BLACKLIST user:1 other EX 900", Heard::Key),
            ("AUTH.SESSION REVOKE user:1 s", Heard::Key),
            ("AUTH.SESSION CREATE user:1 s EX 900", Heard::Key),
            ("AUTH.SESSION REVOKEALL user:1", Heard::Key),
            ("DEL user:1", Heard::Key),
        ] {
            let kept = keeper.ask(QUESTION);
            keeper.heard();
            talk.say(line);
            assert_eq!(talk.say("WAIT 1 60000"), "1");
            assert_eq!(keeper.heard(), expected, "{line}");
            assert_eq!(keeper.ask(QUESTION).life, kept.life, "{line}");
        }
    });
}

#[test]
fn a_touch_that_wakes_a_session_which_is_idle_here_is_pushed() {
    on_each_server(|server| {
        let (_primary, mut talk, replica) = pair(server);
        // As if the touch came late, or this clock were ahead: here the session is idle already.
        let mut here = talk::to(&replica);
        here.say("CONFIG SET replica-read-only no");
        here.say("AUTH.SESSION REVOKE user:1 s");
        here.say("AUTH.SESSION CREATE user:1 s EX 900 IDLE 60 SEEN 1");
        let mut keeper = Keeper::of(&replica);
        assert_eq!(keeper.ask(QUESTION).word, "IDLE");
        assert_eq!(talk.say("AUTH.SESSION TOUCH user:1 s"), "1");
        assert_eq!(talk.say("WAIT 1 60000"), "1");
        assert_eq!(keeper.heard(), Heard::Key);
        assert_eq!(keeper.ask(QUESTION).word, "OK");
    });
}

#[test]
fn a_flush_or_a_swap_on_the_primary_raises_the_replicas_life() {
    on_each_server(|server| {
        let (_primary, mut talk, replica) = pair(server);
        let mut keeper = Keeper::of(&replica);
        for (line, expected) in [("SWAPDB 0 1", Heard::Nothing), ("FLUSHALL", Heard::Everything)] {
            let kept = keeper.ask(QUESTION);
            keeper.heard();
            talk.say(line);
            assert_eq!(talk.say("WAIT 1 60000"), "1");
            assert_eq!(keeper.heard(), expected, "{line}");
            assert!(keeper.ask(QUESTION).life > kept.life, "{line}");
        }
    });
}

#[test]
fn a_full_synchronisation_raises_the_life_however_it_is_loaded() {
    on_each_server(|server| {
        for how in ["disabled", "swapdb"] {
            let primary = start(server, &[]);
            talk::to(&primary).say("AUTH.BLACKLIST user:1 t EX 900");
            let replica = start(server, &["--repl-diskless-load", how]);
            let mut keeper = Keeper::of(&replica);
            talk::to(&replica).say("AUTH.SESSION CREATE user:1 s EX 900");
            // Its role has changed already, but it has nothing else yet.
            primary.freeze();
            let follow = format!("REPLICAOF 127.0.0.1 {}", primary.port());
            assert_eq!(talk::to(&replica).say(&follow), "OK");
            let kept = keeper.ask(QUESTION);
            assert_eq!(kept.word, "OK", "{how}");
            primary.thaw();
            wait_until("it has the primary's data", || {
                talk::to(&replica).info("replication", "master_link_status") == "up"
            });
            let then = keeper.ask(QUESTION);
            assert_eq!(then.word, "NO_SESSION", "{how}");
            assert!(then.life > kept.life, "{how}");
        }
    });
}

#[test]
fn a_lost_link_is_silent_and_raises_the_life() {
    on_each_server(|server| {
        let (mut primary, _talk, replica) = pair(server);
        let mut keeper = Keeper::of(&replica);
        let kept = keeper.ask(QUESTION);
        primary.kill();
        let then = another_life(&mut keeper, &kept);
        assert_eq!(then.word, "OK", "from what it has");
        assert_eq!(keeper.heard_so_far(), Heard::Nothing);
    });
}

#[test]
fn each_change_of_the_role_is_silent_and_raises_the_life() {
    on_each_server(|server| {
        let (primary, _talk, replica) = pair(server);
        let mut keeper = Keeper::of(&replica);
        let mut other = talk::to(&replica);
        let kept = keeper.ask(QUESTION);
        assert_eq!(other.say("REPLICAOF NO ONE"), "OK");
        assert_eq!(keeper.heard(), Heard::Nothing);
        let then = keeper.ask(QUESTION);
        assert!(then.life > kept.life);
        // As yet another one's replica, before anything of its data has come.
        assert_eq!(other.say(&format!("REPLICAOF 127.0.0.1 {}", primary.port())), "OK");
        another_life(&mut keeper, &then);
    });
}
