//! `AUTH.CONFIRM … PX`: a confirmation that ends by itself, for those who ask a server that the service
//! may have lost sight of.

use portcullis_tests::wait_until;

use crate::kept::keeper::{Answer, EVER};
use crate::talk::{self, Talk};
use crate::{aof, everywhere_with, on_each_server, strict, strict_on};

/// Confirms, with these options.
#[track_caller]
fn confirm(talk: &mut Talk, options: &str) -> String {
    let run_id = talk.info("server", "run_id");
    talk.say(&format!("AUTH.CONFIRM {run_id} {options}"))
}

fn left(talk: &mut Talk) -> u64 {
    talk.info("portcullis", "portcullis_lease_ms").parse().expect("a number")
}

fn verdict(talk: &mut Talk) -> String {
    let told = talk.say("AUTH.CHECK user:1 t");
    told.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn a_lease_ends_by_itself_and_is_renewed_by_the_next() {
    everywhere_with(strict, |redis| {
        let mut talk = talk::to(redis);
        assert_eq!(confirm(&mut talk, "PX 86400000"), "OK");
        assert_eq!(verdict(&mut talk), "OK");
        assert!((86_000_000..=86_400_000).contains(&left(&mut talk)));
        assert_eq!(confirm(&mut talk, "PX 1"), "OK");
        wait_until("the lease has ended", || verdict(&mut talk) == "NOTREADY");
        assert_eq!(talk.info("portcullis", "portcullis_confirmed"), "0");
        assert_eq!(left(&mut talk), 0);
        assert_eq!(confirm(&mut talk, "PX 600000"), "OK");
        assert_eq!(verdict(&mut talk), "OK");
        // The old form has no end, and takes away the one that there was.
        assert_eq!(confirm(&mut talk, ""), "OK");
        assert_eq!((verdict(&mut talk), left(&mut talk)), ("OK".into(), 0));
    });
}

#[test]
fn its_options_come_in_any_order_and_once_and_within_bounds() {
    everywhere_with(strict, |redis| {
        let mut talk = talk::to(redis);
        let life = talk.info("portcullis", "portcullis_fence_life");
        let bounds = "ERR PX must be 1 to 86400000 milliseconds";
        let integer = "ERR value is not an integer or out of range";
        for (options, told) in [
            ("PX", "ERR syntax error"),
            ("PX 5 PX 5", "ERR syntax error"),
            ("PXAT 99999999999999", "ERR syntax error"),
            ("EX 5", "ERR syntax error"),
            ("PX 0", bounds),
            ("PX -1", bounds),
            ("PX 86400001", bounds),
            ("PX soon", integer),
            (&format!("LIFE {life} LIFE {life}"), "ERR syntax error"),
            (
                "PX 60000 LIFE 1",
                "STALE the ledgers were replaced or the role has changed; \
                                 bring them up to date again",
            ),
        ] {
            assert_eq!(confirm(&mut talk, options), told, "{options}");
            assert_eq!(verdict(&mut talk), "NOTREADY", "{options}");
        }
        for options in [format!("LIFE {life} px 60000"), format!("PX 60000 LIFE {life}")] {
            assert_eq!(confirm(&mut talk, &options), "OK", "{options}");
            assert!((1..=60_000).contains(&left(&mut talk)), "{options}");
        }
    });
}

#[test]
fn no_answer_stands_longer_than_the_lease() {
    everywhere_with(strict, |redis| {
        let mut talk = talk::to(redis);
        assert_eq!(confirm(&mut talk, ""), "OK");
        let free = Answer::of(&mut talk, "user:1 t");
        assert_eq!(free.until, EVER);
        confirm(&mut talk, "PX 60000");
        for question in ["user:1 t", "user:1 t SESSION none"] {
            let leased = Answer::of(&mut talk, question);
            assert!((leased.now..=leased.now + 60_000).contains(&leased.until), "{leased:?}");
            assert!(leased.life > free.life, "kept from when there was no end");
        }
        let leased = Answer::of(&mut talk, "user:1 t");
        confirm(&mut talk, "PX 600000");
        let renewed = Answer::of(&mut talk, "user:1 t");
        assert_eq!(renewed.life, leased.life, "what was kept only ends early");
        assert!(renewed.until > leased.until);
        confirm(&mut talk, "PX 1000");
        assert!(Answer::of(&mut talk, "user:1 t").life > renewed.life, "it was to last longer");
        confirm(&mut talk, "PX 1");
        let before = Answer::try_of(&mut talk, "user:1 t");
        wait_until("the lease has ended", || verdict(&mut talk) == "NOTREADY");
        confirm(&mut talk, "PX 60000");
        let after = Answer::of(&mut talk, "user:1 t");
        assert!(before.is_err() || after.life > before.expect("an answer").life);
        talk.say("CONFIG SET portcullis.require-confirm no");
        assert_eq!(Answer::of(&mut talk, "user:1 t").until, EVER, "nobody asks for it");
    });
}

#[test]
fn a_replica_stops_answering_at_the_same_instant_although_its_primary_hangs() {
    on_each_server(|server| {
        let start = || strict_on(server).start();
        let (primary, replica) = (start(), start());
        let mut talk = talk::to(&primary);
        replica.replica_of(&primary);
        assert_eq!(confirm(&mut talk, "PX 600000"), "OK");
        let mut follower = talk::to(&replica);
        wait_until("the replica is confirmed", || verdict(&mut follower) == "OK");
        assert!((1..=600_000).contains(&left(&mut follower)));
        assert_eq!(confirm(&mut talk, "PX 3000"), "OK");
        assert_eq!(talk.say("WAIT 1 60000"), "1");
        assert!(left(&mut follower) <= 3_000);
        primary.freeze();
        wait_until("the lease has ended", || verdict(&mut follower) == "NOTREADY");
        assert_eq!(follower.info("replication", "master_link_status"), "up");
        primary.thaw();
    });
}

#[test]
fn a_replica_that_comes_later_is_told_of_what_is_left() {
    on_each_server(|server| {
        let start = || strict_on(server).start();
        let (primary, replica) = (start(), start());
        assert_eq!(confirm(&mut talk::to(&primary), "PX 600000"), "OK");
        replica.replica_of(&primary);
        let mut follower = talk::to(&replica);
        wait_until("the replica is confirmed", || verdict(&mut follower) == "OK");
        assert!((1..=600_000).contains(&left(&mut follower)));
    });
}

#[test]
fn it_is_told_as_an_instant_and_without_one_in_the_old_words() {
    on_each_server(|server| {
        let redis = aof::server(server).start();
        let mut talk = talk::to(&redis);
        let (run_id, before) = (talk.info("server", "run_id"), talk.now_ms());
        confirm(&mut talk, "");
        confirm(&mut talk, "PX 60000");
        let written = aof::commands(&redis);
        assert_eq!(written[0], format!("AUTH.CONFIRM {run_id}"));
        let end = written[1].strip_prefix(&format!("AUTH.CONFIRM {run_id} PXAT "));
        let end: u64 = end.expect("an instant").parse().expect("a number");
        assert!((before + 60_000..=talk.now_ms() + 60_000).contains(&end), "{end}");
    });
}
