//! Stations that are passed one after the other, each with so many cores, first come first served.
//!
//! A million people are not replayed one by one: a visitor of the replay stands for `weight` of them,
//! and a station serves as many lanes as it has cores for such groups. With one core and a weight of one
//! it is the textbook's queue, to which the tests hold it.

mod station;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub use self::station::Station;
use crate::random::Random;

/// Nanoseconds since the replay began.
pub type Nanos = u64;

/// A second.
pub const SECOND: Nanos = 1_000_000_000;
/// The stations.
pub const STATIONS: usize = 3;

/// Seconds as nanoseconds.
pub fn nanos(seconds: f64) -> Nanos {
    (seconds * SECOND as f64).round() as Nanos
}

/// Nanoseconds as seconds.
pub fn seconds(nanos: Nanos) -> f64 {
    nanos as f64 / SECOND as f64
}

/// What somebody comes for: seconds of a core at each station.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Errand {
    /// In the order of the stations.
    pub core_s: [f64; STATIONS],
    /// What may wait at which station, and what happens beyond.
    pub bound: Option<Bound>,
    /// Where nobody waits behind long work, if anywhere.
    pub short_at: Option<usize>,
}

/// Beyond which queue somebody is sent away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// Where.
    pub station: usize,
    /// How many people may wait there.
    pub people: u64,
    /// How long one who comes may have to wait there.
    pub delay: Nanos,
    /// What sending one away takes at that station, in seconds of a core.
    pub refusal_core_s: f64,
    /// When those who were sent away come back at first, in seconds; they wait twice as long each time,
    /// up to [`LONGEST_BACKOFF_S`]. `None`: they do not.
    pub back_after_s: Option<f64>,
}

/// Nobody waits longer before they try again.
pub const LONGEST_BACKOFF_S: f64 = 60.0;

/// Somebody on the way.
#[derive(Clone, Copy)]
struct Visitor {
    came: Nanos,
    errand: usize,
    tries: u32,
}

/// What came of a replay; people, not groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Who came.
    pub came: u64,
    /// Who got what they came for.
    pub served: u64,
    /// Who was sent away for good.
    pub turned_away: u64,
    /// Who still was on the way when it ended.
    pub left: u64,
    /// How often somebody was sent away.
    pub refusals: u64,
    /// The longest queue at each station.
    pub longest_queue: [u64; STATIONS],
    /// How long those who were served took, for each errand.
    pub took: Vec<Took>,
    /// The last instant at which somebody was served who had waited longer than a second, or was sent
    /// away: after it, everything is normal.
    pub normal_after: Nanos,
}

/// From the first try to the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Took {
    /// Half of the served took no longer.
    pub median: Nanos,
    /// 99 of 100 took no longer.
    pub p99: Nanos,
    /// Nobody took longer.
    pub longest: Nanos,
}

impl Took {
    /// Of all who were served.
    pub fn of(mut all: Vec<Nanos>) -> Self {
        all.sort_unstable();
        let at = |hundredths: usize| {
            let place = (all.len() * hundredths).div_ceil(100);
            all.get(place.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { median: at(50), p99: at(99), longest: at(100) }
    }
}

/// Longer than this is not normal.
const NORMAL: Nanos = SECOND;

/// A replay: which stations there are, and what people come for.
pub struct Replay {
    /// The stations.
    pub stations: [Station; STATIONS],
    /// What people come for.
    pub errands: Vec<Errand>,
    /// How many people a visitor stands for.
    pub weight: u64,
    /// Of those who come back.
    pub seed: u64,
}

impl Replay {
    /// Plays it for those who come, each an instant and an errand; until the end, or until an instant.
    pub fn run(self, arrivals: &[(Nanos, usize)], until: Option<Nanos>) -> Outcome {
        let mut course = Course {
            random: Random::new(self.seed),
            stations: self.stations,
            took: vec![Vec::new(); self.errands.len()],
            errands: self.errands,
            visitors: Vec::with_capacity(arrivals.len()),
            events: BinaryHeap::with_capacity(arrivals.len()),
            order: 0,
            outcome: Outcome { came: arrivals.len() as u64, ..Outcome::default() },
        };
        for (came, errand) in arrivals {
            course.visitors.push(Visitor { came: *came, errand: *errand, tries: 0 });
            course.comes(*came, course.visitors.len() - 1, 0);
        }
        while let Some(Reverse((now, _, who, step))) = course.events.pop() {
            if until.is_some_and(|until| now > until) {
                course.outcome.left += 1;
            } else if step == STATIONS {
                course.is_served(now, who);
            } else {
                course.visit(now, who, step);
            }
        }
        course.outcome.told(course.took, self.weight)
    }
}

/// A replay that goes on.
struct Course {
    random: Random,
    stations: [Station; STATIONS],
    errands: Vec<Errand>,
    visitors: Vec<Visitor>,
    /// When, in which order within an instant, who, and before which station.
    events: BinaryHeap<Reverse<(Nanos, u64, usize, usize)>>,
    order: u64,
    took: Vec<Vec<Nanos>>,
    outcome: Outcome,
}

impl Course {
    fn comes(&mut self, at: Nanos, who: usize, step: usize) {
        self.events.push(Reverse((at, self.order, who, step)));
        self.order += 1;
    }

    fn is_served(&mut self, now: Nanos, who: usize) {
        let Visitor { came, errand, .. } = self.visitors[who];
        let took = now - came;
        self.outcome.served += 1;
        self.took[errand].push(took);
        if took > NORMAL {
            self.outcome.normal_after = self.outcome.normal_after.max(now);
        }
    }

    fn visit(&mut self, now: Nanos, who: usize, step: usize) {
        let errand = self.errands[self.visitors[who].errand];
        let station = &mut self.stations[step];
        let bound = errand.bound.filter(|bound| bound.station == step);
        if let Some(bound) = bound.filter(|bound| station.is_beyond(now, bound)) {
            if bound.refusal_core_s > 0.0 {
                station.work(now, bound.refusal_core_s);
            }
            self.is_sent_away(now, who, bound);
            return;
        }
        let core_s = errand.core_s[step];
        let end = if core_s == 0.0 {
            now
        } else if errand.short_at == Some(step) {
            station.serve_short(now, core_s)
        } else {
            station.serve(now, core_s)
        };
        let queue = station.waiting(now);
        self.outcome.longest_queue[step] = self.outcome.longest_queue[step].max(queue);
        self.comes(end, who, step + 1);
    }

    fn is_sent_away(&mut self, now: Nanos, who: usize, bound: Bound) {
        self.outcome.refusals += 1;
        self.outcome.normal_after = self.outcome.normal_after.max(now);
        let Some(after_s) = bound.back_after_s else {
            self.outcome.turned_away += 1;
            return;
        };
        let tries = &mut self.visitors[who].tries;
        let pause_s = (after_s * f64::from(1_u32 << (*tries).min(16))).min(LONGEST_BACKOFF_S);
        *tries += 1;
        let back = now + nanos(pause_s * (0.5 + self.random.share()));
        self.comes(back, who, 0);
    }
}

impl Outcome {
    /// With times, and of people instead of groups.
    fn told(mut self, took: Vec<Vec<Nanos>>, weight: u64) -> Self {
        self.took = took.into_iter().map(Took::of).collect();
        for count in [
            &mut self.came,
            &mut self.served,
            &mut self.turned_away,
            &mut self.left,
            &mut self.refusals,
        ] {
            *count *= weight;
        }
        self.longest_queue = self.longest_queue.map(|queue| queue * weight);
        self
    }
}

#[cfg(test)]
mod tests;
