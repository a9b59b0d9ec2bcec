//! Explores every world that can come of a scenario, and tells in words how one came about.

use std::fmt::Write as _;
use std::io::{Write as _, stderr};
use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::events::{Event, Left, NOTHING};
use crate::rules::Rules;
use crate::world::{Kind, World};

/// Where to begin, and what may happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// One an instance: how far its host's clock is ahead.
    pub(crate) ahead_ms: &'static [u64],
    /// Whether somebody has logged in before, and everybody knows.
    pub(crate) logged_in: bool,
    pub(crate) left: Left,
}

impl Scenario {
    /// One server, and nothing has happened or ever will.
    pub(crate) const fn new(ahead_ms: &'static [u64]) -> Self {
        Self { name: "", kind: Kind::One, ahead_ms, logged_in: false, left: NOTHING }
    }

    /// The same with somebody logged in.
    pub(crate) const fn logged_in(ahead_ms: &'static [u64]) -> Self {
        Self { logged_in: true, ..Self::new(ahead_ms) }
    }
}

/// A scenario under rules.
pub(crate) struct Protocol {
    scenario: Scenario,
    rules: Rules,
}

const SAFE: &str = "nothing dead is live";
const HEALS: &str = "everything is well in the end";

impl Model for Protocol {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        let Scenario { kind, ahead_ms, left, logged_in, .. } = self.scenario;
        let mut world = World::healthy(kind, ahead_ms, left, self.rules);
        if logged_in {
            world.log_in(0);
            world.settle(self.rules);
        }
        vec![world]
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        world.possible(events, self.rules);
    }

    fn next_state(&self, world: &World, event: Event) -> Option<World> {
        let mut world = world.clone();
        world.happen(event, self.rules);
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(SAFE, |it, world: &World| world.broken(it.rules).is_none()),
            Property::always(HEALS, |it, world: &World| {
                let mut events = Vec::new();
                world.possible(&mut events, it.rules);
                !events.is_empty() || world.ails(it.rules).is_none()
            }),
        ]
    }
}

/// Explores all of a scenario; nothing may break a promise.
pub(crate) fn must_hold(scenario: &Scenario, rules: Rules) {
    let trace = explore(scenario, rules);
    assert!(trace.is_none(), "{}:\n{}", scenario.name, trace.unwrap_or_default());
}

/// Explores a scenario until a promise is broken, which must be. How it came about is printed, and
/// shown by `--nocapture`.
pub(crate) fn must_break(scenario: &Scenario, rules: Rules) -> String {
    let trace = explore(scenario, rules);
    let trace = trace.expect("nothing was found: what was taken out is not needed here");
    println!("{trace}");
    trace
}

/// Whether a trace tells of these.
pub(crate) fn assert_tells(trace: &str, what: &[&str]) {
    for what in what {
        assert!(trace.contains(what), "{what:?} is not in the trace:\n{trace}");
    }
}

/// How a promise came to be broken, if one can be. Prints how much there was to explore.
fn explore(scenario: &Scenario, rules: Rules) -> Option<String> {
    let began = Instant::now();
    let protocol = Protocol { scenario: *scenario, rules };
    let checker = protocol.checker().finish_when(HasDiscoveries::Any).spawn_bfs().join();
    let found = checker.discoveries().into_iter().next();
    // Past what the test runner catches, so that the figures are always seen.
    let _ = writeln!(
        stderr(),
        "{}, {rules}: {} states, depth {}, {:.1} s{}",
        scenario.name,
        checker.unique_state_count(),
        checker.max_depth(),
        began.elapsed().as_secs_f64(),
        if found.is_some() { ", refuted" } else { "" },
    );
    found.map(|(_, path)| in_words(path.into_vec(), rules))
}

fn in_words(path: Vec<(World, Option<Event>)>, rules: Rules) -> String {
    let mut text = String::new();
    let last = path.last().map(|(world, _)| world.clone());
    for (number, (world, event)) in (1..).zip(path) {
        if let Some(event) = event {
            let _ = writeln!(text, "{number:>4}. {}", world.tell(event));
        }
    }
    if let Some(world) = last {
        let end = world.broken(rules).or_else(|| world.ails(rules)).unwrap_or_default();
        let _ = writeln!(text, "      so {end}");
    }
    text
}
