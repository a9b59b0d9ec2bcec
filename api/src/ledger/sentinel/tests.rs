//! What marks say, and when they count.

use super::*;

fn sight(prefix: &str, mark: &str) -> Sight {
    Sight { which: which(prefix), mark: mark.to_owned(), ..Sight::of("abc", "7") }
}

#[test]
fn a_mark_reads_as_it_was_written_and_rubbish_is_none() {
    let mark = Mark { run_id: "xyz".into(), ..Mark::of(&sight("user:", ""), 7, Timestamp(9)) };
    assert_eq!(Mark::parse(&mark.text()), Some(mark));
    for rubbish in ["", "abc", "abc 7 9", "abc x 9 abc 0", "abc 7 -1 abc 0"] {
        assert_eq!(Mark::parse(rubbish), None, "{rubbish}");
    }
}

#[test]
fn a_mark_counts_in_its_life_and_for_ledgers_of_its_prefix() {
    let mark = Mark::of(&sight("user:", ""), 7, Timestamp(9)).text();
    assert!(sight("user:", &mark).is_up_to_date());
    assert!(sight("other:", &mark).parsed().is_none());
    let later = Sight { run_id: "def".into(), ..sight("user:", &mark) };
    assert!(!later.is_up_to_date());
    assert_eq!(later.parsed().map(|mark| (mark.position, mark.of)), Some((7, "abc".into())));
}

#[test]
fn work_keeps_what_is_known_of_the_age_of_ledgers_and_is_up_to_date_for_nobody() {
    let seen = sight("user:", "");
    let known = Mark::of(&Sight { run_id: "old".into(), ..sight("user:", "") }, 7, Timestamp(9));
    let work = Mark::of_work(&seen, 1, Some(&known));
    assert_eq!((work.position, work.at, work.of.as_str()), (7, Timestamp(9), "old"));
    assert!(!sight("user:", &work.text()).is_up_to_date());
    let unknown = Mark::of_work(&seen, 1, None);
    assert_eq!((unknown.position, unknown.at), (0, Timestamp(0)));
}

#[test]
fn where_ledgers_may_have_been_evicted_a_mark_says_nothing_of_their_age() {
    let seen = Sight { evicted_keys: 1, ..sight("user:", "") };
    assert_eq!(Mark::of(&seen, 7, Timestamp(9)).at, Timestamp(0));
}
