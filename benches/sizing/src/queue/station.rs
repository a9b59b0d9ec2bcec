//! One station: cores, and whoever waits for them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::{Bound, Nanos, nanos};

/// More lanes than this make no difference that could be seen.
const MOST_LANES: usize = 1024;

/// One of the things that work passes.
pub struct Station {
    /// When each lane is free.
    lanes: BinaryHeap<Reverse<Nanos>>,
    /// When each lane would be free if there were short work only.
    short: BinaryHeap<Reverse<Nanos>>,
    cores_a_lane: f64,
    weight: u64,
    /// When those who still wait will begin, in order.
    begins: VecDeque<Nanos>,
}

impl Station {
    /// With so many cores for groups of so many people.
    pub fn new(cores: f64, weight: u64) -> Self {
        let lanes = ((cores / weight as f64) as usize).clamp(1, MOST_LANES);
        Self {
            lanes: (0..lanes).map(|_| Reverse(0)).collect(),
            short: (0..lanes).map(|_| Reverse(0)).collect(),
            cores_a_lane: cores / lanes as f64,
            weight,
            begins: VecDeque::new(),
        }
    }

    /// How many groups wait.
    pub(super) fn waiting(&mut self, now: Nanos) -> u64 {
        while self.begins.front().is_some_and(|begin| *begin <= now) {
            self.begins.pop_front();
        }
        self.begins.len() as u64
    }

    /// How long somebody who came now would wait.
    fn delay(&self, now: Nanos) -> Nanos {
        self.lanes.peek().map_or(0, |Reverse(free)| free.saturating_sub(now))
    }

    /// Serves a group of people who take so many seconds of a core each; when it is done.
    pub(super) fn serve(&mut self, now: Nanos, core_s: f64) -> Nanos {
        let (begin, end) = self.work(now, core_s);
        if begin > now {
            self.begins.push_back(begin);
        }
        end
    }

    /// Serves those whose work is short: the scheduler lets them in between, so they wait for each other
    /// only, and everybody else waits for them too.
    pub(super) fn serve_short(&mut self, now: Nanos, core_s: f64) -> Nanos {
        self.work(now, core_s);
        let took = self.takes(core_s);
        let (_, end) = next_lane(&mut self.short, now, took);
        end.max(now + nanos(core_s))
    }

    /// Work takes the next free lane; who is only sent away takes time of it and no place in the queue.
    pub(super) fn work(&mut self, now: Nanos, core_s: f64) -> (Nanos, Nanos) {
        let took = self.takes(core_s);
        let (begin, end) = next_lane(&mut self.lanes, now, took);
        // One person cannot use more than one core, however many there are.
        (begin, end.max(begin + nanos(core_s)))
    }

    /// How long a group keeps a lane busy.
    fn takes(&self, core_s: f64) -> Nanos {
        nanos(core_s * self.weight as f64 / self.cores_a_lane)
    }

    /// Whether somebody who comes now is sent away.
    pub(super) fn is_beyond(&mut self, now: Nanos, bound: &Bound) -> bool {
        let delay = self.delay(now);
        let people = (self.waiting(now) + 1) * self.weight;
        delay > 0 && (people > bound.people || delay > bound.delay)
    }
}

/// When the next free lane begins with work that takes so long, and when it is done.
fn next_lane(lanes: &mut BinaryHeap<Reverse<Nanos>>, now: Nanos, took: Nanos) -> (Nanos, Nanos) {
    let Reverse(free) = lanes.pop().unwrap_or_default();
    let begin = free.max(now);
    lanes.push(Reverse(begin + took));
    (begin, begin + took)
}
