//! The queue against the textbook, and what must hold of any queue.

use super::*;

/// Errands that take so long at the first station, and nothing elsewhere.
fn at_the_first(core_s: f64, bound: Option<Bound>) -> Errand {
    Errand { core_s: [core_s, 0.0, 0.0], bound, short_at: None }
}

fn replay(cores: f64, weight: u64, errand: Errand) -> Replay {
    let stations = [(); STATIONS].map(|()| Station::new(cores, weight));
    Replay { stations, errands: vec![errand], weight, seed: 1 }
}

/// People who come at random, so many a second, for so long.
fn at_random(a_second: f64, for_s: f64, seed: u64) -> Vec<(Nanos, usize)> {
    let mut random = Random::new(seed);
    let mut at = 0.0;
    let mut arrivals = Vec::new();
    loop {
        at += random.wait(1.0 / a_second);
        if at > for_s {
            return arrivals;
        }
        arrivals.push((nanos(at), 0));
    }
}

/// One a second, two seconds of work each: the n-th waits n seconds.
#[test]
fn who_comes_faster_than_is_served_waits_as_one_counts_on_fingers() {
    let arrivals: Vec<_> = (0..5).map(|n| (n * SECOND, 0)).collect();
    let outcome = replay(1.0, 1, at_the_first(2.0, None)).run(&arrivals, None);
    assert_eq!(outcome.served, 5);
    // They take 2, 3, 4, 5 and 6 seconds; at 4 s the third is begun, and the other two wait.
    assert_eq!((outcome.took[0].median, outcome.took[0].longest), (4 * SECOND, 6 * SECOND));
    assert_eq!(outcome.longest_queue, [2, 0, 0]);
    assert_eq!(outcome.normal_after, 10 * SECOND);
}

/// The mean wait of M/D/1 is `ρ / (2 (1 − ρ))` times the work of one.
#[test]
fn random_arrivals_and_fixed_work_wait_as_the_textbook_says() {
    for (load, mean_wait) in [(0.5, 0.5), (0.8, 2.0)] {
        let arrivals = at_random(load, 400_000.0, 3);
        let mut station = Station::new(1.0, 1);
        let waits = arrivals.iter().map(|(at, _)| seconds(station.serve(*at, 1.0) - at) - 1.0);
        let mean = waits.sum::<f64>() / arrivals.len() as f64;
        assert!((mean / mean_wait - 1.0).abs() < 0.03, "{mean} at {load}, not {mean_wait}");
    }
}

#[test]
fn two_cores_serve_two_at_once() {
    let outcome = replay(2.0, 1, at_the_first(2.0, None)).run(&[(0, 0), (0, 0), (0, 0)], None);
    assert_eq!((outcome.took[0].median, outcome.took[0].longest), (2 * SECOND, 4 * SECOND));
}

#[test]
fn who_came_was_served_or_sent_away_or_is_still_there() {
    let arrivals = at_random(50.0, 100.0, 5);
    let bound = |back_after_s| Bound {
        station: 0,
        people: 20,
        delay: Nanos::MAX,
        refusal_core_s: 0.001,
        back_after_s,
    };
    for (bound, until) in [
        (None, None),
        (None, Some(60 * SECOND)),
        (Some(bound(None)), None),
        (Some(bound(Some(2.0))), Some(80 * SECOND)),
        (Some(bound(Some(2.0))), None),
    ] {
        let outcome = replay(2.0, 1, at_the_first(0.05, bound)).run(&arrivals, until);
        let all = outcome.served + outcome.turned_away + outcome.left;
        assert_eq!(outcome.came, arrivals.len() as u64);
        assert_eq!(all, outcome.came, "{bound:?} until {until:?}");
        assert_eq!(outcome.left > 0, until.is_some(), "{bound:?} until {until:?}");
        assert_eq!(outcome.refusals > 0, bound.is_some());
        assert!(bound.is_none() || outcome.longest_queue[0] <= 20);
    }
}

#[test]
fn more_cores_never_make_anybody_wait_longer() {
    let arrivals = at_random(100.0, 100.0, 11);
    let longest = |cores| {
        let outcome = replay(cores, 1, at_the_first(0.05, None)).run(&arrivals, None);
        [
            outcome.took[0].longest,
            outcome.took[0].p99,
            outcome.normal_after,
            outcome.longest_queue[0],
        ]
    };
    let mut before = [u64::MAX; 4];
    for cores in [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 16.0] {
        let now = longest(cores);
        assert!(now.iter().zip(before).all(|(now, before)| *now <= before), "{cores}: {now:?}");
        before = now;
    }
    assert!(before[0] < SECOND / 10, "with cores enough nobody waits: {before:?}");
}

/// A group is served as its people would be, within what one group takes.
#[test]
fn groups_take_as_long_as_their_people() {
    let people = at_random(1000.0, 30.0, 13);
    let groups: Vec<_> = people.iter().copied().step_by(10).collect();
    let one_by_one = replay(20.0, 1, at_the_first(0.03, None)).run(&people, None);
    let grouped = replay(20.0, 10, at_the_first(0.03, None)).run(&groups, None);
    let [singly, in_groups] = [&one_by_one, &grouped].map(|it| seconds(it.took[0].longest));
    assert!((singly / in_groups - 1.0).abs() < 0.05, "{singly} and {in_groups}");
    assert!(one_by_one.came.abs_diff(grouped.came) <= 10);
}

#[test]
fn the_same_seed_is_the_same_replay() {
    let arrivals = at_random(60.0, 30.0, 17);
    let bound = Bound {
        station: 0,
        people: 5,
        delay: SECOND,
        refusal_core_s: 0.0,
        back_after_s: Some(1.0),
    };
    let play = || replay(1.0, 1, at_the_first(0.02, Some(bound))).run(&arrivals, None);
    assert_eq!(play(), play());
}

/// Ten long ones come at once, then a short one: it waits for none of them, the last of them for it.
#[test]
fn short_work_is_let_in_between_and_takes_its_time_from_the_rest() {
    let long = at_the_first(1.0, None);
    let short = Errand { short_at: Some(0), ..at_the_first(0.1, None) };
    let arrivals: Vec<_> = [(0, 0); 10].into_iter().chain([(SECOND, 1), (2 * SECOND, 0)]).collect();
    let stations = [(); STATIONS].map(|()| Station::new(1.0, 1));
    let replay = Replay { stations, errands: vec![long, short], weight: 1, seed: 1 };
    let outcome = replay.run(&arrivals, None);
    assert_eq!(outcome.took[1].longest, SECOND / 10);
    // Ten long ones, the short one and the last, which came after two seconds.
    assert_eq!(outcome.took[0].longest, 10 * SECOND);
    assert_eq!(outcome.normal_after, nanos(11.1));
}
