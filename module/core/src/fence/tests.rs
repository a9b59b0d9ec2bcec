//! The fence at the exact instants it speaks of.

use super::*;

const LIMIT: usize = 1_000;

fn at(ms: u64) -> MonotonicMs {
    MonotonicMs(ms)
}

fn fence() -> Fence {
    Fence::new(7, 9)
}

fn session(id: &'static str, created: u64) -> Beginning<'static> {
    Beginning { key: b"user:1", id: id.as_bytes(), created: Some(UnixMs(created)) }
}

#[test]
fn a_token_is_good_until_it_is_two_seconds_old() {
    let mut fence = fence();
    let token = fence.token(at(1_000));
    for (now, verdict) in
        [(1_000, Ok(())), (3_000, Ok(())), (3_001, Err(Refusal::Stale)), (999, Err(Refusal::Stale))]
    {
        assert_eq!(fence.judge(token, &session("s", 1), at(now)), verdict, "at {now}");
    }
}

#[test]
fn what_was_ended_does_not_begin_again_while_that_is_remembered() {
    let mut fence = fence();
    fence.remember(b"user:1", [b"s".as_slice()], at(5_000), LIMIT);
    for now in [5_000, 20_000, 24_999] {
        let token = fence.token(at(now));
        assert_eq!(fence.judge(token, &session("s", 1), at(now)), Err(Refusal::Stale), "at {now}");
        assert_eq!(fence.judge(token, &session("other", 1), at(now)), Ok(()), "at {now}");
    }
    let elsewhere = Beginning { key: b"user:2", ..session("s", 1) };
    assert_eq!(fence.judge(fence.token(at(5_000)), &elsewhere, at(5_000)), Ok(()));
}

#[test]
fn an_ending_is_remembered_for_twenty_seconds_at_least_and_forty_at_most() {
    for ended in [0, 1, 10_000, 19_999, 20_000] {
        let mut fence = fence();
        fence.remember(b"user:1", [b"s".as_slice()], at(ended), LIMIT);
        let mut judged = |now| fence.judge(fence.clone().token(at(now)), &session("s", 1), at(now));
        assert_eq!(judged(ended + 19_999), Err(Refusal::Stale), "ended at {ended}");
        assert_eq!(judged(ended + 40_000), Ok(()), "ended at {ended}");
    }
}

#[test]
fn no_token_outlives_its_life() {
    let mut fence = fence();
    let token = fence.token(at(0));
    fence.begin_life();
    assert_eq!(fence.judge(token, &session("s", 1), at(0)), Err(Refusal::Stale));
    assert_eq!(fence.judge(fence.token(at(0)), &session("s", 1), at(0)), Ok(()));
    assert_ne!(Fence::new(8, 9).token(at(0)), Fence::new(7, 9).token(at(0)));
}

#[test]
fn lives_do_not_come_back() {
    let mut fence = fence();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..10_000 {
        assert!(seen.insert(fence.life()));
        fence.begin_life();
    }
}

#[test]
fn what_began_before_everything_ended_has_ended_but_for_the_exception() {
    let mut fence = fence();
    fence.remember_all(
        &LogOut { key: b"user:1", except: Some(b"kept"), until: UnixMs(500) },
        at(0),
        LIMIT,
    );
    let mut judged =
        |beginning: Beginning<'_>| fence.judge(fence.clone().token(at(0)), &beginning, at(0));
    assert_eq!(judged(session("s", 500)), Err(Refusal::Ended));
    assert_eq!(judged(session("s", 501)), Ok(()));
    assert_eq!(judged(session("kept", 500)), Ok(()));
    assert_eq!(judged(Beginning { created: None, ..session("s", 0) }), Ok(()));
    assert_eq!(judged(Beginning { key: b"user:2", ..session("s", 500) }), Ok(()));
}

#[test]
fn every_ending_of_all_counts_and_not_only_the_latest() {
    let mut fence = fence();
    for (except, until) in [("a", 100), ("b", 50), ("b", 40)] {
        let except = Some(except.as_bytes());
        fence.remember_all(&LogOut { key: b"user:1", except, until: UnixMs(until) }, at(0), LIMIT);
    }
    let mut judged =
        |id, created| fence.judge(fence.clone().token(at(0)), &session(id, created), at(0));
    assert_eq!(judged("a", 50), Err(Refusal::Ended));
    assert_eq!(judged("a", 51), Ok(()));
    assert_eq!(judged("b", 100), Err(Refusal::Ended));
    assert_eq!(judged("b", 101), Ok(()));
}

#[test]
fn a_floor_is_forgotten_like_any_ending() {
    let mut fence = fence();
    fence.remember_all(&LogOut { key: b"user:1", except: None, until: UnixMs(500) }, at(0), LIMIT);
    let mut judged = |now| fence.judge(fence.clone().token(at(now)), &session("s", 1), at(now));
    assert_eq!(judged(19_999), Err(Refusal::Ended));
    assert_eq!(judged(40_000), Ok(()));
}

#[test]
fn more_endings_than_may_be_remembered_make_every_token_void() {
    let mut fence = fence();
    let token = fence.token(at(0));
    let ids: Vec<[u8; 4]> = (0..10_u32).map(u32::to_le_bytes).collect();
    fence.remember(b"user:1", ids.iter().map(<[u8; 4]>::as_slice), at(0), 10);
    assert_eq!((fence.endings(), fence.overflows()), (10, 0));
    assert_eq!(fence.judge(token, &session("s", 1), at(0)), Ok(()));
    fence.remember_all(&LogOut { key: b"user:1", except: None, until: UnixMs(1) }, at(0), 10);
    assert_eq!((fence.endings(), fence.overflows()), (0, 1));
    assert_eq!(fence.judge(token, &session("s", 2), at(0)), Err(Refusal::Stale));
}

#[test]
fn names_that_only_look_alike_together_are_kept_apart() {
    let mut fence = fence();
    fence.remember(b"user:1", [b"2s".as_slice()], at(0), LIMIT);
    let other = Beginning { key: b"user:12", ..session("s", 1) };
    assert_eq!(fence.judge(fence.token(at(0)), &other, at(0)), Ok(()));
}
