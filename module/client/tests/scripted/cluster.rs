//! A cluster of three servers, each of which says of all what the test wants it to say.

use std::fmt::Write as _;

use portcullis_client::{Question, State, Unavailable, Verdict, Watch, Why};
use portcullis_core::slot_of;
use portcullis_tests::wait_until;

use super::{Fake, patient};
use crate::about;
use crate::waiting::{check, know};

/// What each of them has at first.
const SHARES: [&str; 3] = ["0-5460", "5461-10922", "10923-16383"];

/// Three primaries.
struct Three([Fake; 3]);

impl Three {
    fn start() -> Self {
        let three = Self([Fake::start(), Fake::start(), Fake::start()]);
        for (number, fake) in three.0.iter().enumerate() {
            fake.world().mode = "cluster";
            // Each has a life of its own.
            fake.world().life = 100 + i64::try_from(number).unwrap();
        }
        three.all_say(SHARES);
        three
    }

    fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{}", self.0[0].port())
    }

    /// One of them says that each has these slots.
    fn says(&self, speaker: usize, shares: [&str; 3]) {
        let mut text = String::new();
        for (number, (fake, slots)) in self.0.iter().zip(shares).enumerate() {
            let own = if number == speaker { "myself," } else { "" };
            let port = fake.port();
            writeln!(text, "n{number} 127.0.0.1:{port}@1 {own}master - 0 0 1 connected {slots}")
                .unwrap();
        }
        self.0[speaker].world().nodes = text;
    }

    fn all_say(&self, shares: [&str; 3]) {
        (0..3).for_each(|speaker| self.says(speaker, shares));
    }

    /// All begin a look after this one.
    fn wait_for_a_look(&self) {
        let looks = |fake: &Fake| {
            let world = fake.world();
            world.heard.iter().filter(|words| words[0] == "CLUSTER").count()
        };
        let before = self.0.each_ref().map(looks);
        wait_until("the map was looked at twice", || {
            self.0.iter().zip(before).all(|(fake, before)| looks(fake) > before + 1)
        });
    }
}

/// The shares once this slot, one of the first, has gone to the second.
fn shares_without(slot: u16) -> [String; 3] {
    let less = match slot {
        0 => "1-5460".to_owned(),
        5460 => "0-5459".to_owned(),
        slot => format!("0-{} {}-5460", slot - 1, slot + 1),
    };
    [less, format!("{slot} {}", SHARES[1]), SHARES[2].to_owned()]
}

/// The slot of a subject.
fn slot(subject: &str) -> u16 {
    slot_of(format!("user:{subject}").as_bytes())
}

/// The first subject in such a slot.
fn subject(is_right: impl Fn(u16) -> bool) -> String {
    let mut names = (0..).map(|number| format!("s{number}"));
    names.find(|name| is_right(slot(name))).unwrap()
}

/// Another one in the same slot.
fn mate_of(other: &str) -> String {
    let mut names = (0..).map(|number| format!("m{number}"));
    names.find(|name| slot(name) == slot(other)).unwrap()
}

/// A subject and its token, in one of the shares as they are at first.
fn of_share(share: usize) -> (String, String) {
    let name = subject(|slot| [0..5461, 5461..10923, 10923..16384][share].contains(&slot));
    (name.clone(), format!("token-{name}"))
}

fn connected(three: &Three) -> (Watch, [(String, String); 3]) {
    let watch = Watch::connect(&three.url(), patient()).unwrap();
    let subjects = [of_share(0), of_share(1), of_share(2)];
    for (subject, token) in &subjects {
        know(&watch, &about(subject, token, "s"), Verdict::Ok);
    }
    (watch, subjects)
}

fn question((subject, token): &(String, String)) -> Question<'_> {
    about(subject, token, "s")
}

fn known(watch: &Watch, subjects: &[(String, String); 3]) -> [bool; 3] {
    subjects.each_ref().map(|(_, token)| watch.cached(token.as_bytes()).is_some())
}

#[test]
fn each_subject_is_asked_of_whoever_has_its_slot() {
    let three = Three::start();
    let (watch, subjects) = connected(&three);
    wait_until("it watches all", || matches!(watch.state(), State::Watching { .. }));
    for (fake, (subject, _)) in three.0.iter().zip(&subjects) {
        let world = fake.world();
        let asked = world.heard.iter().filter(|it| it[0] == "AUTH.CHECK" && it[2] != "beat");
        let keys: Vec<_> = asked.map(|words| words[1].clone()).collect();
        assert!(!keys.is_empty() && keys.iter().all(|key| *key == format!("user:{subject}")));
    }
    // A push is about the ledger, whoever sends it, and about nobody elses.
    three.0[1].push(&format!("user:{}", subjects[1].0));
    wait_until("it is asked again", || known(&watch, &subjects) == [true, false, true]);
    // What ends at one server ends nothing of another.
    three.0[2].world().life += 10;
    wait_until("another life", || known(&watch, &subjects) == [true, false, false]);
    let refused = check(&watch, &question(&subjects[0]));
    assert_eq!(refused, Ok(Verdict::Ok));
}

#[test]
fn a_slot_that_went_elsewhere_and_came_back_is_asked_about_again() {
    let three = Three::start();
    let (watch, subjects) = connected(&three);
    let asked = three.0[2].questions();
    three.all_say(["", "0-10922", "10923-16383"]);
    wait_until("the map is another", || known(&watch, &subjects) == [false, true, true]);
    know(&watch, &question(&subjects[0]), Verdict::Ok);
    three.all_say(SHARES);
    wait_until("the map is the old one", || known(&watch, &subjects) == [false, true, true]);
    assert_eq!(check(&watch, &question(&subjects[0])), Ok(Verdict::Ok));
    assert_eq!(three.0[2].questions(), asked);
}

#[test]
fn what_nobody_asked_about_while_its_slot_was_elsewhere_is_dead_when_it_comes_back() {
    let three = Three::start();
    let (watch, subjects) = connected(&three);
    let (mate, slot) = (mate_of(&subjects[0].0), slot(&subjects[0].0));
    // The first keeps all the others, and so its line and its era.
    three.all_say(shares_without(slot).each_ref().map(String::as_str));
    wait_until("the map is another", || known(&watch, &subjects) == [false, true, true]);
    let asked = three.0[0].questions();
    three.all_say(SHARES);
    wait_until("the slot has come back", || {
        let _ = check(&watch, &about(&mate, "mate", "s"));
        three.0[0].questions() > asked
    });
    assert_eq!(known(&watch, &subjects), [false, true, true]);
}

#[test]
fn what_is_no_verdict_is_none_and_leads_to_a_look() {
    let three = Three::start();
    let (watch, subjects) = connected(&three);
    for error in ["MOVED 1 127.0.0.1:1", "ASK 1 127.0.0.1:1", "TRYAGAIN later"] {
        know(&watch, &question(&subjects[0]), Verdict::Ok);
        three.0[0].world().question_error = Some(error);
        let other = subject(|it| it < 5461 && it != slot(&subjects[0].0));
        let refused = check(&watch, &about(&other, "other", "s"));
        assert_eq!(refused, Err(Unavailable::Elsewhere), "{error}");
        assert_eq!(known(&watch, &subjects), [true, true, true], "{error}");
        three.0[0].world().question_error = None;
    }
    three.0[0].world().error = Some("CLUSTERDOWN the cluster is down");
    wait_until("it is doubted", || known(&watch, &subjects) == [false, true, true]);
    wait_until("it says so", || watch.state() == State::Doubtful(Why::Cluster));
    assert!(check(&watch, &question(&subjects[0])).is_err());
}

#[test]
fn a_moved_question_ends_what_is_known_of_its_slot_before_the_map_is_read() {
    let three = Three::start();
    let (watch, subjects) = connected(&three);
    let mate = mate_of(&subjects[0].0);
    (0..3).for_each(|speaker| three.0[speaker].world().nodes.clear());
    three.0[0].world().question_error = Some("MOVED 1 127.0.0.1:1");
    assert_eq!(check(&watch, &about(&mate, "mate", "s")), Err(Unavailable::Elsewhere));
    assert_eq!(known(&watch, &subjects), [false, true, true]);
}

#[test]
fn a_beat_whose_slot_is_elsewhere_asks_about_another() {
    let three = Three::start();
    let (watch, subjects) = connected(&three);
    // All but the slot that the second is in.
    let beat = three.0[0].world().heard.iter().find(|it| it[0] == "AUTH.CHECK").unwrap()[1].clone();
    three.all_say(shares_without(slot_of(beat.as_bytes())).each_ref().map(String::as_str));
    wait_until("beats are about another ledger", || {
        three.0[0]
            .world()
            .heard
            .iter()
            .any(|it| it[0] == "AUTH.CHECK" && it[2] == "beat" && it[1] != beat)
    });
    assert_eq!(known(&watch, &subjects), [true, true, true]);
}

#[test]
fn a_slot_is_nobodys_while_its_new_owner_does_not_know() {
    let three = Three::start();
    let (watch, subjects) = connected(&three);
    let moved = shares_without(slot(&subjects[0].0));
    let moved = moved.each_ref().map(String::as_str);
    // Most of them without the new owner.
    three.says(0, moved);
    three.says(2, moved);
    wait_until("nobody has it", || !known(&watch, &subjects)[0]);
    three.wait_for_a_look();
    assert_eq!(check(&watch, &question(&subjects[0])), Err(Unavailable::Elsewhere));
    assert_eq!(known(&watch, &subjects), [false, true, true]);
    three.says(1, moved);
    know(&watch, &question(&subjects[0]), Verdict::Ok);
}

#[test]
fn an_isolated_old_primary_is_believed_for_five_seconds_and_no_longer() {
    let three = Three::start();
    let (watch, subjects) = connected(&three);
    // The leases here are for a minute; the others are silent, and the first answers everything.
    three.0[1].world().is_held = true;
    three.0[2].world().is_held = true;
    let beats = three.0[0].beats();
    wait_until("it is doubted", || watch.cached(subjects[0].1.as_bytes()).is_none());
    assert!(three.0[0].beats() > beats, "it has answered all along");
    let refused = check(&watch, &question(&subjects[0]));
    assert_eq!(refused, Err(Unavailable::Doubtful(Why::NoMajority)));
    wait_until("it says so", || watch.state() == State::Doubtful(Why::NoMajority));
    three.0[1].release();
    three.0[2].release();
    for subject in &subjects {
        know(&watch, &question(subject), Verdict::Ok);
    }
}

#[test]
fn an_answer_is_handed_to_nobody_once_its_slot_is_elsewhere() {
    let three = Three::start();
    let (watch, subjects) = connected(&three);
    let (late, slot) = (mate_of(&subjects[0].0), slot(&subjects[0].0));
    three.0[0].world().is_held = true;
    let asked = three.0[0].questions();
    let asking = watch.clone();
    let caller = std::thread::spawn(move || check(&asking, &about(&late, "late", "s")));
    wait_until("the question is on its way", || three.0[0].questions() > asked);
    // Nothing else, so that the line that the answer comes on goes on.
    three.all_say(shares_without(slot).each_ref().map(String::as_str));
    // Two of three have heard, and the first is not heard.
    wait_until("the map is another", || known(&watch, &subjects) == [false, true, true]);
    three.0[0].release();
    assert_eq!(caller.join().unwrap(), Err(Unavailable::Elsewhere));
    assert_eq!(watch.cached(b"late"), None);
}
