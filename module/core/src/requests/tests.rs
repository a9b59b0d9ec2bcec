//! Who goes, who stays, and what a client cannot ask for.

use super::*;

const LIMIT: usize = 1000;

fn new(id: &str) -> Create<'_> {
    Create {
        id: id.as_bytes(),
        expires: UnixMs(100_000),
        idle_s: None,
        device: None,
        created: None,
        seen: None,
        keep: None,
        limit: LIMIT,
    }
}

fn evicted(ledger: &mut Ledger, request: &Create<'_>, now: u64) -> Vec<Box<[u8]>> {
    ledger.create(request, UnixMs(now)).unwrap_or_default().evicted
}

fn live(ledger: &Ledger, now: u64) -> Vec<&[u8]> {
    ledger.live_sessions(UnixMs(now)).into_iter().map(Session::id).collect()
}

#[test]
fn the_least_recently_seen_goes_and_never_the_new_one() {
    let mut ledger = Ledger::default();
    for (id, now) in [("a", 1), ("b", 2), ("c", 3)] {
        assert!(evicted(&mut ledger, &new(id), now).is_empty());
    }
    ledger.touch_live(b"a", None, UnixMs(4));
    let old = Create { keep: Some(2), seen: Some(UnixMs(0)), ..new("d") };
    assert_eq!(evicted(&mut ledger, &old, 5), [Box::from(*b"b"), Box::from(*b"c")]);
    assert_eq!(live(&ledger, 5), [b"a", b"d"]);
}

#[test]
fn ties_are_decided_by_age_and_then_by_id() {
    let mut ledger = Ledger::default();
    for (id, created) in [("c", 1), ("b", 1), ("a", 2)] {
        let seen = Some(UnixMs(5));
        evicted(&mut ledger, &Create { created: Some(UnixMs(created)), seen, ..new(id) }, 9);
    }
    assert_eq!(live(&ledger, 9), [b"a", b"c", b"b"]);
    let one = Create { keep: Some(3), ..new("d") };
    assert_eq!(evicted(&mut ledger, &one, 9), [Box::from(*b"b")]);
}

#[test]
fn prolonging_keeps_what_is_not_given_and_evicts_nobody() {
    let mut ledger = Ledger::default();
    let first = Create { idle_s: Some(60), device: Some(b"phone"), ..new("a") };
    evicted(&mut ledger, &first, 10);
    evicted(&mut ledger, &new("b"), 11);
    let again = Create { expires: UnixMs(50), seen: Some(UnixMs(5)), keep: Some(1), ..new("a") };
    let outcome = ledger.create(&again, UnixMs(20));
    assert_eq!(outcome, Ok(Created::default()));
    let facts = ledger
        .find(b"a")
        .map(|it| (it.device().to_vec(), it.created, it.seen, it.expires, it.idle_s));
    assert_eq!(facts, Some((b"phone".to_vec(), UnixMs(10), UnixMs(10), UnixMs(50), 60)));
}

#[test]
fn an_id_that_died_begins_anew() {
    let mut ledger = Ledger::default();
    evicted(&mut ledger, &Create { idle_s: Some(1), device: Some(b"old"), ..new("a") }, 10);
    let outcome = ledger.create(&new("a"), UnixMs(5_000));
    assert_eq!(outcome, Ok(Created { is_new: true, ..Created::default() }));
    let facts = ledger.find(b"a").map(|it| (it.device().to_vec(), it.created, it.idle_s));
    assert_eq!(facts, Some((Vec::new(), UnixMs(5_000), 0)));
}

#[test]
fn a_full_ledger_refuses_where_nobody_may_be_evicted() {
    let mut ledger = Ledger::default();
    evicted(&mut ledger, &new("a"), 1);
    let request = Create { limit: 1, ..new("b") };
    assert_eq!(ledger.create(&request, UnixMs(2)), Err(Refusal::TooManySessions));
    assert_eq!(live(&ledger, 2), [b"a"]);
    assert!(ledger.create(&Create { limit: 1, ..new("a") }, UnixMs(2)).is_ok());
}

#[test]
fn what_a_client_says_of_the_future_is_taken_as_now() {
    let mut ledger = Ledger::default();
    let later = Some(UnixMs(99));
    evicted(&mut ledger, &Create { created: later, seen: later, ..new("a") }, 10);
    let instants = ledger.find(b"a").map(|it| (it.created, it.seen));
    assert_eq!(instants, Some((UnixMs(10), UnixMs(10))));
    assert_eq!(ledger.touch_live(b"a", later, UnixMs(20)), Touched::To(UnixMs(20)));
    assert_eq!(ledger.touch_live(b"a", Some(UnixMs(15)), UnixMs(21)), Touched::Unmoved);
}

#[test]
fn what_began_at_or_before_the_watermark_does_not_begin_again() {
    let mut ledger = Ledger::default();
    ledger.log_out(Some(UnixMs(50)), None, UnixMs(60));
    for (created, expected) in [(49, false), (50, false), (51, true), (60, true), (61, true)] {
        let request = Create { created: Some(UnixMs(created)), ..new("a") };
        let outcome = ledger.create(&request, UnixMs(60));
        assert_eq!(outcome.is_ok(), expected, "created at {created}");
        assert!(expected || outcome == Err(Refusal::Ended));
        assert_eq!(ledger.find(b"a").is_some(), expected, "created at {created}");
    }
}

#[test]
fn a_new_session_begins_after_the_watermark_even_in_its_own_millisecond() {
    let mut ledger = Ledger::default();
    ledger.log_out(None, None, UnixMs(60));
    let later = Some(UnixMs(70));
    for (created, now, begun) in [(None, 60, 61), (later, 60, 61), (None, 50, 61), (later, 65, 65)]
    {
        let id = format!("{created:?} {now}");
        evicted(&mut ledger, &Create { created, ..new(&id) }, now);
        assert_eq!(ledger.find(id.as_bytes()).map(|it| it.created), Some(UnixMs(begun)), "{id}");
        assert!(ledger.find(id.as_bytes()).is_some_and(|it| ledger.is_live(it, UnixMs(now))));
    }
}

#[test]
fn a_stored_session_from_before_the_watermark_is_live_for_nothing() {
    let mut ledger = Ledger::default();
    evicted(&mut ledger, &new("a"), 10);
    evicted(&mut ledger, &new("b"), 70);
    ledger.raise_watermark(UnixMs(60));
    assert_eq!(live(&ledger, 80), [b"b"]);
    assert_eq!(ledger.touch_live(b"a", None, UnixMs(80)), Touched::Dead);
    assert!(evicted(&mut ledger, &Create { keep: Some(2), ..new("c") }, 80).is_empty());
    let outcome = ledger.log_out(None, Some(b"b"), UnixMs(90));
    assert_eq!(outcome.live, 1, "only c was live");
    assert!(ledger.find(b"a").is_none());
}

#[test]
fn a_touch_does_not_revive() {
    let mut ledger = Ledger::default();
    evicted(&mut ledger, &Create { idle_s: Some(1), ..new("a") }, 0);
    assert_eq!(ledger.touch_live(b"a", Some(UnixMs(999)), UnixMs(1_000)), Touched::Dead);
    assert!(ledger.touch(b"a", UnixMs(999)), "a replayed one moves it all the same");
}

#[test]
fn long_idle_sessions_are_forgotten_a_few_at_a_time() {
    let hour_and_second = 3_601_000;
    let mut ledger = Ledger::default();
    for id in ["a", "b", "c"] {
        let expires = UnixMs(u64::from(u32::MAX));
        evicted(&mut ledger, &Create { idle_s: Some(1), expires, ..new(id) }, 0);
    }
    let request = Create { expires: UnixMs(u64::from(u32::MAX)), ..new("d") };
    let early = ledger.clone().create(&request, UnixMs(hour_and_second - 1));
    assert_eq!(early.map(|it| it.forgotten.len()), Ok(0));
    let crowded = ledger.clone().create(&Create { limit: 3, ..request }, UnixMs(1_000));
    assert_eq!(crowded.map(|it| it.forgotten.len()), Ok(2));
    let late = ledger.create(&request, UnixMs(hour_and_second));
    assert_eq!(late.map(|it| it.forgotten), Ok(vec![Box::from(*b"a"), Box::from(*b"b")]));
}

#[test]
fn a_late_logout_spares_what_began_after_it() {
    let mut ledger = Ledger::default();
    evicted(&mut ledger, &new("old"), 10);
    evicted(&mut ledger, &new("new"), 30);
    let outcome = ledger.log_out(Some(UnixMs(20)), None, UnixMs(40));
    assert_eq!((outcome.until, outcome.live, outcome.changed), (UnixMs(20), 1, true));
    assert_eq!(live(&ledger, 40), [b"new"]);
    let again = ledger.log_out(Some(UnixMs(20)), None, UnixMs(50));
    assert_eq!((again.until, again.live, again.changed), (UnixMs(20), 0, false));
}

#[test]
fn a_logout_ends_what_began_before_the_clock_stepped_back() {
    let mut ledger = Ledger::default();
    evicted(&mut ledger, &new("a"), 1_000);
    let outcome = ledger.log_out(None, None, UnixMs(500));
    assert_eq!((outcome.until, outcome.live, outcome.changed), (UnixMs(1_000), 1, true));
    assert_eq!(ledger.watermark(), Some(UnixMs(1_000)));
}

#[test]
fn what_holds_for_everybody_holds_for_each_request() {
    let mut ledger = Ledger::default();
    for (id, now) in [("a", 10), ("b", 20)] {
        evicted(&mut ledger, &new(id), now);
    }
    let present = Present { now: UnixMs(30), watermark: UnixMs(20) };
    assert_eq!(ledger.touch_live(b"b", None, present), Touched::Dead);
    assert!(ledger.live_sessions(present).is_empty());
    let begun = |at| Create { created: Some(UnixMs(at)), ..new("s") };
    assert_eq!(ledger.create(&begun(20), present), Err(Refusal::Ended));
    let only = Create { keep: Some(1), ..begun(21) };
    assert_eq!(ledger.create(&only, present).map(|it| it.evicted.len()), Ok(0));
    // The same id again is a new session and not the dead one prolonged.
    let again = Create { device: None, ..new("a") };
    assert_eq!(ledger.create(&again, present).map(|it| it.is_new), Ok(true));
    // A watermark ahead: what begins now begins after it.
    let ahead = Present { now: UnixMs(40), watermark: UnixMs(90) };
    for at in [40, 90] {
        assert_eq!(ledger.create(&begun(at), ahead), Err(Refusal::Ended));
    }
    assert!(ledger.create(&new("late"), ahead).is_ok());
    let late = ledger.live_sessions(ahead);
    assert_eq!(
        late.iter().map(|it| (it.id(), it.created)).collect::<Vec<_>>(),
        [(b"late".as_slice(), UnixMs(91))]
    );
    assert_eq!(ledger.log_out(None, None, ahead).live, 1);
}

#[test]
fn an_exception_keeps_one_and_sets_no_watermark() {
    let mut ledger = Ledger::default();
    evicted(&mut ledger, &new("a"), 1);
    evicted(&mut ledger, &new("b"), 1);
    assert_eq!(ledger.log_out(None, Some(b"a"), UnixMs(2)).live, 1);
    assert_eq!(live(&ledger, 2), [b"a"]);
    assert_eq!(ledger.watermark(), None);
}
