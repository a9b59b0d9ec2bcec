//! What must come of it in the end: once nothing goes wrong any more and the instances keep running,
//! what MySQL says is live is accepted, what it says has ended is refused, and nothing waits.

use portcullis_core::Verdict;

use crate::events::{Event, Left, NOTHING};
use crate::rules::{Guard, Rules};
use crate::tasks::Task;
use crate::truth::SESSIONS;
use crate::world::{LONG_MS, World};

/// Steps within which everything must be well.
const STEPS: usize = 600;
/// Steps after which some time passes.
const REST: usize = 100;

impl World {
    /// Lets the service go on by itself, and tells what is still wrong then.
    pub(crate) fn ails(&self, rules: Rules) -> Option<String> {
        let mut world = self.clone();
        world.left = Left { rounds: 90, hydrations: 90, repairs: 5, watches: 90, ..NOTHING };
        for step in 0..STEPS {
            // Whatever is refused because of what was ended lately is taken later.
            world.passed_ms += if step % REST == 0 { LONG_MS } else { 0 };
            let mut events = Vec::new();
            world.possible(&mut events, rules);
            events.retain(|event| world.helps(*event, rules));
            let Some(event) = events.into_iter().min_by_key(|event| rank(*event)) else { break };
            world.happen(event, rules);
        }
        world.complaint(rules)
    }

    /// One of each at a time, and by the first instance.
    fn helps(&self, event: Event, rules: Rules) -> bool {
        let is_idle = self.tasks.is_empty();
        match event {
            Event::Connect(instance) => instance == 0 || self.servers.len() > 1,
            Event::Hydrate(instance) | Event::Watch(instance) => instance == 0 && is_idle,
            Event::Round(instance) => instance == 0 && !self.tasks.values().any(Task::is_delivery),
            Event::Repair(instance) => instance == 0 && is_idle && rules.has(Guard::Repair),
            _ => true,
        }
    }

    fn complaint(&self, rules: Rules) -> Option<String> {
        let server = &self.servers[self.primary];
        if !server.is_up_to_date() {
            return Some("nobody brings the server up to date".to_owned());
        }
        if !self.truth.waiting().is_empty() {
            return Some(format!("rows {:?} wait for ever", self.truth.waiting()));
        }
        for number in 0..self.instances.len() {
            let line = self.line_of(number).filter(|_| !self.doubts(number, rules));
            let Some(server) = line.and_then(|line| self.server_at(line)) else { continue };
            let is_ok = |id: &u8| server.check(*id, self.now(), rules) == Some(Verdict::Ok);
            if let Some(id) = self.truth.ended().each().find(is_ok) {
                return Some(format!("instance {number} accepts s{id} for ever, which has ended"));
            }
        }
        if self.doubts(0, Rules::BUILT) {
            return Some("Redis is never believed again".to_owned());
        }
        let is_ok = |id: &u8| server.check(*id, self.now(), rules) == Some(Verdict::Ok);
        if let Some(id) = (0..SESSIONS).find(|id| is_ok(id) && self.truth.session(*id).is_none()) {
            return Some(format!("s{id} is accepted for ever, and MySQL does not know it"));
        }
        if let Some(id) = self.truth.live().each().find(|id| !is_ok(id)) {
            return Some(format!("s{id} lives and is refused for ever"));
        }
        let id = self.truth.ended().each().find(is_ok)?;
        Some(format!("s{id} has ended and Redis never hears of it"))
    }
}

fn rank(event: Event) -> u8 {
    match event {
        Event::Arrive(_) => 0,
        Event::Step(_) => 1,
        Event::Return(_)
        | Event::Adopt(_)
        | Event::AskAboutEverybody(_)
        | Event::Leave(_)
        | Event::Connect(_) => 2,
        Event::Hydrate(_) => 3,
        Event::Round(_) => 4,
        Event::Watch(_) => 5,
        _ => 6,
    }
}
