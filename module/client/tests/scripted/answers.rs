//! What a server may answer, and what is made of it.

use portcullis_client::{Options, State, Unavailable, Verdict, Watch, Why};
use portcullis_core::Digest;
use portcullis_tests::wait_until;

use super::fake::{Fake, NEVER};
use super::patient;
use crate::about;
use crate::waiting::{check, know};

fn connect(fake: &Fake) -> Watch {
    Watch::connect(&fake.url(), patient()).unwrap()
}

#[track_caller]
fn doubts(watch: &Watch, why: &Why) {
    wait_until("it doubts", || watch.state() == State::Doubtful(why.clone()));
}

#[test]
fn every_word_is_its_verdict() {
    let fake = Fake::start();
    let watch = connect(&fake);
    for verdict in Verdict::ALL {
        fake.world().word = verdict.word().to_str().unwrap();
        let token = format!("{verdict:?}");
        assert_eq!(check(&watch, &about("42", &token, "s")), Ok(verdict));
        assert_eq!(watch.cached(token.as_bytes()), Some(verdict));
    }
    fake.world().word = "FROM_THE_FUTURE";
    assert_eq!(check(&watch, &about("42", "t", "s")), Err(Unavailable::Unknown));
    assert_eq!(watch.cached(b"t"), None);
}

#[test]
fn a_question_says_what_was_asked() {
    let fake = Fake::start();
    let options = Options { prefix: "u/".into(), ..patient() };
    let watch = Watch::connect(&fake.url(), options).unwrap();
    let mut question = about("42", "a.b.c", "s 1");
    question.issued_ms = Some(-5);
    check(&watch, &question).unwrap();
    let heard = fake.world().heard.clone();
    let asked = heard.iter().find(|words| words.len() > 4).unwrap();
    // The token itself is not for whoever listens on the way.
    let digest: String = Digest::of(b"a.b.c").to_hex().iter().copied().map(char::from).collect();
    let said = ["AUTH.CHECK", "u/42", "DIGEST", &digest, "SESSION", "s 1", "IATMS", "-5", "UNTIL"];
    assert_eq!(*asked, said);
    assert!(heard.iter().any(|words| *words == ["AUTH.CHECK", "u/0", "beat", "UNTIL"]));
    assert!(heard.iter().any(|words| *words == ["CLIENT", "TRACKING", "ON"]));
}

#[test]
fn an_error_is_a_doubt_and_ends_what_was_known() {
    let errors = [
        ("NOTREADY say AUTH.CONFIRM", Why::NotReady),
        ("LOADING Redis is loading", Why::Loading),
        ("MASTERDOWN Link with MASTER is down", Why::PrimaryDown),
        ("NOPERM no permissions", Why::NoPermission),
        ("ERR unknown command 'AUTH.CHECK', with args: 'user:0' 'beat'", Why::NoModule),
        ("ERR syntax error", Why::OldModule),
        ("MOVED 1 127.0.0.1:1", Why::Cluster),
        ("WRONGTYPE not a ledger", Why::WrongType),
        ("BUSY a script", Why::Other("BUSY".into())),
    ];
    let fake = Fake::start();
    let watch = connect(&fake);
    for (error, why) in errors {
        know(&watch, &about("42", "token", "s"), Verdict::Ok);
        fake.world().error = Some(error);
        doubts(&watch, &why);
        assert_eq!(watch.cached(b"token"), None, "{error}");
        assert!(check(&watch, &about("42", "token", "s")).is_err(), "{error}");
        fake.world().error = None;
        // Beats have gone on.
        wait_until("it watches", || matches!(watch.state(), State::Watching { .. }));
        assert_eq!(watch.cached(b"token"), None, "{error}");
    }
    assert_eq!(watch.stats().connections, 1);
}

#[test]
fn a_key_that_is_no_ledger_is_nobody_elses_business() {
    let fake = Fake::start();
    let watch = connect(&fake);
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
    fake.world().question_error = Some("WRONGTYPE not a ledger");
    assert_eq!(check(&watch, &about("7", "x", "s")), Err(Unavailable::WrongType));
    assert_eq!(watch.cached(b"token"), Some(Verdict::Ok));
    fake.world().question_error = Some("NOPERM no permissions");
    let refused = check(&watch, &about("7", "x", "s"));
    assert_eq!(refused, Err(Unavailable::Doubtful(Why::NoPermission)));
    assert_eq!(watch.cached(b"token"), None);
}

#[test]
fn a_replica_is_asked_only_if_somebody_must_confirm_it() {
    let fake = Fake::start();
    fake.world().role = "replica";
    let watch = connect(&fake);
    doubts(&watch, &Why::Replica);
    let refused = check(&watch, &about("42", "token", "s"));
    assert_eq!(refused, Err(Unavailable::Doubtful(Why::Replica)));
    // A changed setting is another life.
    fake.world().info = "# Portcullis\r\nportcullis_require_confirm:1\r\n";
    fake.world().life += 1;
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
    fake.world().info = "# Portcullis\r\nportcullis_require_confirm:0\r\n";
    fake.world().life += 1;
    doubts(&watch, &Why::Replica);
    assert_eq!(watch.cached(b"token"), None);
}

#[test]
fn a_primary_that_becomes_a_replica_is_asked_no_more() {
    let fake = Fake::start();
    let watch = connect(&fake);
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
    {
        let mut world = fake.world();
        world.role = "replica";
        world.life += 1;
    }
    doubts(&watch, &Why::Replica);
    assert_eq!(watch.cached(b"token"), None);
    {
        let mut world = fake.world();
        world.role = "master";
        world.life += 1;
    }
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
}

#[test]
fn a_replica_that_was_not_ready_at_first_is_looked_at_again() {
    let fake = Fake::start();
    {
        let mut world = fake.world();
        (world.role, world.error) = ("replica", Some("NOTREADY not confirmed"));
        world.info = "portcullis_require_confirm:1\r\n";
    }
    let watch = connect(&fake);
    doubts(&watch, &Why::NotReady);
    fake.world().error = None;
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
}

#[test]
fn nodes_of_clusters_and_sentinels_are_refused() {
    for (mode, why) in [("cluster", Why::Cluster), ("sentinel", Why::Sentinel)] {
        let fake = Fake::start();
        fake.world().mode = mode;
        let watch = connect(&fake);
        doubts(&watch, &why);
        assert!(check(&watch, &about("42", "token", "s")).is_err());
    }
}

fn node(fake: &Fake) -> Watch {
    fake.world().mode = "cluster";
    Watch::connect_node(&fake.url(), "beat3", patient()).unwrap()
}

#[test]
fn a_node_of_a_cluster_is_asked_about_what_it_has() {
    let fake = Fake::start();
    let watch = node(&fake);
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
    let beat = ["AUTH.CHECK", "user:beat3", "beat", "UNTIL"];
    assert!(fake.world().heard.iter().any(|words| *words == beat));

    for error in ["MOVED 1 127.0.0.1:1", "ASK 1 127.0.0.1:1", "TRYAGAIN later"] {
        know(&watch, &about("42", "token", "s"), Verdict::Ok);
        fake.world().question_error = Some(error);
        assert_eq!(check(&watch, &about("43", "other", "s")), Err(Unavailable::Elsewhere));
        assert_eq!(watch.cached(b"token"), None, "{error}: of which slots it is unknown");
        assert!(!matches!(watch.state(), State::Doubtful(_)), "{error}");
        fake.world().question_error = None;
    }
}

#[test]
fn of_a_subject_without_a_ledger_a_node_is_asked_again_after_a_lease() {
    // A node tells of ledgers that leave it, and of nobody who has none.
    let (alone, fake) = (Fake::start(), Fake::start());
    let (here, there) = (connect(&alone), node(&fake));
    let lease = i64::try_from(patient().lease.as_millis()).unwrap();
    for (until, is_kept) in [(NEVER, false), (NEVER - 1, true)] {
        for (fake, watch, is_kept) in [(&alone, &here, true), (&fake, &there, is_kept)] {
            fake.world().until = until;
            know(watch, &about("42", "token", "s"), Verdict::Ok);
            fake.world().now += lease;
            let beats = fake.beats();
            wait_until("its clock is known", || fake.beats() > beats + 2);
            assert_eq!(watch.cached(b"token").is_some(), is_kept, "until {until}");
            watch.forget_all();
        }
    }
}

#[test]
fn a_node_that_lost_its_slot_or_its_role_is_doubted() {
    let fake = Fake::start();
    let watch = node(&fake);
    know(&watch, &about("42", "token", "s"), Verdict::Ok);
    fake.world().error = Some("MOVED 1 127.0.0.1:1");
    doubts(&watch, &Why::Cluster);
    assert_eq!(watch.cached(b"token"), None);
    {
        let mut world = fake.world();
        (world.error, world.role, world.life) = (None, "replica", 8);
    }
    fake.hang_up();
    doubts(&watch, &Why::Cluster);
    assert!(check(&watch, &about("42", "token", "s")).is_err());
}

#[test]
fn what_is_too_long_is_not_asked() {
    let fake = Fake::start();
    let watch = connect(&fake);
    let long = "x".repeat(4097);
    let questions = [about("42", &long, "s"), about(&long, "t", "s"), about("42", "t", &long)];
    for question in questions {
        assert_eq!(check(&watch, &question), Err(Unavailable::TooLong));
    }
    assert_eq!(check(&watch, &about("42", &long[..4096], "s")), Ok(Verdict::Ok));
    assert_eq!(fake.questions(), 1);
}

#[test]
fn nothing_that_can_be_printed_shows_a_token() {
    let fake = Fake::start();
    let watch = connect(&fake);
    let question = about("42", "SECRET", "s");
    know(&watch, &question, Verdict::Ok);
    fake.world().error = Some("ERR unknown command with args beginning with: 'SECRET'");
    let refused = loop {
        watch.forget_all();
        if let Err(refused) = check(&watch, &question) {
            break refused;
        }
    };
    let shown = format!("{question:?} {watch:?} {refused:?} {refused} {:?}", watch.state());
    assert!(!shown.contains("SECRET"), "{shown}");
}
