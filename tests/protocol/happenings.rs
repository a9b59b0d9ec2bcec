//! Which events can happen in a world, and what each does.

use portcullis_api::ledger::belief::{Behind, Belief};

use crate::data::Data;
use crate::events::Event;
use crate::rules::Rules;
use crate::server::Server;
use crate::tasks::{Doing, Task};
use crate::truth::Set;
use crate::world::{LONG_MS, SHORT_MS, STEP_MS, World};

impl World {
    pub(crate) fn possible(&self, events: &mut Vec<Event>, rules: Rules) {
        events.extend(
            self.connections
                .iter()
                .filter(|it| !it.1.sent.is_empty())
                .map(|it| Event::Arrive(*it.0)),
        );
        let going_on = self.tasks.iter().filter(|it| it.1.can_step());
        events.extend(going_on.clone().map(|it| Event::Step(*it.0)));
        if self.left.unmarked > 0 {
            events.extend(going_on.filter(|it| is_at_mark(it.1)).map(|it| Event::Unmarked(*it.0)));
        }
        for instance in 0..self.instances.len() {
            events.extend(self.by_history(instance, rules));
            if self.may_ask(instance, rules) {
                self.by_people(instance, events);
            }
            self.by_instance(instance, events, rules);
        }
        self.faults(events);
    }

    fn by_people(&self, instance: usize, events: &mut Vec<Event>) {
        let truth = &self.truth;
        // Instances are alike at first, so the first login may be anywhere.
        let may_be_here = instance == 0 || truth.session(0).is_some();
        if self.left.logins > 0
            && may_be_here
            && truth.user_is_free()
            && truth.next_session().is_some()
        {
            events.push(Event::Login(instance));
        }
        if self.left.ends > 0 {
            let ends = truth.live().each().filter(|id| truth.is_free(*id));
            events.extend(ends.map(|id| Event::EndOne(instance, id)));
        }
        if self.left.end_alls > 0 && self.all_is_free() {
            events.push(Event::EndAll(instance));
        }
        if self.left.end_everybodys > 0 && truth.user_is_free() {
            events.push(Event::EndEverybody(instance));
        }
    }

    fn all_is_free(&self) -> bool {
        let truth = &self.truth;
        truth.user_is_free() && truth.live().each().all(|id| truth.is_free(id))
    }

    fn by_instance(&self, instance: usize, events: &mut Vec<Event>, rules: Rules) {
        let (left, it) = (&self.left, &self.instances[instance]);
        let Some(server) = self.line_of(instance).and_then(|line| self.server_at(line)) else {
            events.push(Event::Connect(instance));
            return;
        };
        // Whoever does not believe a line asks whether it still leads to the right one.
        let is_right = server.name == self.servers[self.primary].name;
        if !server.is_primary || !server.owns || !is_right && !it.belief.is_believed() {
            events.push(Event::Connect(instance));
        }
        let is_vouched = self.is_vouched(server, rules);
        if it.belief.is_believed() && !is_vouched || self.is_replaced(server, rules) {
            events.push(Event::Leave(instance));
        }
        if !self.may_ask(instance, rules) {
            return;
        }
        let waits = !self.truth.waiting().is_empty() || !it.behind.behind().is_empty();
        if left.rounds > 0 && waits {
            events.push(Event::Round(instance));
        }
        let lacks = !self.truth.live().but(self.servers[self.primary].held()).is_empty();
        if left.repairs > 0 && lacks && self.truth.waiting().is_empty() && self.all_is_free() {
            events.push(Event::Repair(instance));
        }
        let lock_is_free = left.lost_lock || !self.tasks.values().any(Task::is_hydration);
        let primary = &self.servers[self.primary];
        let is_complete = primary.is_up_to_date() && self.is_vouched(primary, rules);
        if left.hydrations > 0 && lock_is_free && !is_complete {
            events.push(Event::Hydrate(instance));
        }
        if self.lacks_everybody(instance) {
            events.push(Event::AskAboutEverybody(instance));
        }
        if left.watches > 0 && !it.belief.is_believed() && server.is_up_to_date() && is_vouched {
            events.push(Event::Watch(instance));
        }
        if left.mark_moves > 0 && it.belief.is_believed() && server.is_up_to_date() {
            events.push(Event::MoveMark(instance));
        }
        let used = self.line_of(instance).is_some_and(|line| self.is_used(line));
        if left.cuts > 0 && used {
            events.push(Event::Cut(instance));
        }
    }

    fn is_used(&self, connection: u8) -> bool {
        let is_sent = self.connections.get(&connection).is_some_and(|it| !it.sent.is_empty());
        is_sent || self.tasks.values().any(|task| task.listens_to(connection))
    }

    fn faults(&self, events: &mut Vec<Event>) {
        let left = &self.left;
        let primary = &self.servers[self.primary];
        // What is saved is the data of the one that has the user at first.
        let may_restart = !self.is_cluster || self.primary == 0;
        for (left, event) in [
            (left.short_ticks, Event::ShortTick),
            (left.long_ticks, Event::LongTick),
            (left.clock_steps, Event::ClockStep),
            (left.deletions.min(u8::from(primary.data.ledger.is_some())), Event::Delete),
            (left.flushes, Event::Flush),
            (left.saves, Event::Save),
            (left.restarts.min(u8::from(may_restart)), Event::Restart),
            (left.syncs, Event::Sync),
            (left.switches, Event::Switch),
            (left.splits, Event::Split),
            (left.slot_moves, Event::MoveSlot),
            (left.keeps.min(u8::from(self.truth.is_quiet())), Event::Keep),
            (left.go_backs.min(u8::from(self.kept.is_some())), Event::GoBack),
        ] {
            if left > 0 {
                events.push(event);
            }
        }
        if left.deaths > 0 {
            events.extend((0..self.instances.len()).map(Event::Die));
        }
    }

    #[expect(clippy::too_many_lines, reason = "a line for each event")]
    pub(crate) fn happen(&mut self, event: Event, rules: Rules) {
        self.count(event);
        match event {
            Event::Login(instance) => self.log_in(instance),
            Event::EndOne(instance, session) => self.end_one(instance, session),
            Event::EndAll(instance) => self.end_all(instance, rules),
            Event::EndEverybody(instance) => self.end_everybody(instance),
            Event::Round(instance) => self.round(instance),
            Event::Hydrate(instance) => self.hydrate(instance),
            Event::Repair(instance) => self.repair(instance, rules),
            Event::MoveMark(instance) => self.move_mark(instance),
            Event::Watch(instance) => self.watch(instance),
            Event::Connect(instance) => self.connect(instance),
            Event::Leave(instance) => self.leave(instance, rules),
            Event::Step(task) => self.step(task, rules),
            Event::Unmarked(task) => self.end_task(task),
            Event::Arrive(connection) => self.arrive(connection, rules),
            Event::Cut(instance) => self.end_line(instance),
            Event::Die(instance) => self.die(instance),
            Event::ShortTick => self.passed_ms += SHORT_MS,
            Event::LongTick => self.passed_ms += LONG_MS,
            Event::ClockStep => self.stepped_ms += STEP_MS,
            Event::Delete => self.servers[self.primary].data.ledger = None,
            Event::Flush => {
                let server = &mut self.servers[self.primary];
                server.data = Data::default();
                server.begin_life(rules);
            }
            Event::Save => self.save(),
            Event::Restart => self.restart(rules),
            Event::Sync => {
                let data = self.servers[self.primary].data.clone();
                let replica = &mut self.servers[1 - self.primary];
                replica.data = data;
                replica.begin_life(rules);
            }
            Event::Split => {
                self.primary = 1 - self.primary;
                let promoted = &mut self.servers[self.primary];
                promoted.is_primary = true;
                if let Some(mark) = promoted.data.mark.as_mut().filter(|_| self.left.old_saves) {
                    mark.is_known = false;
                }
                promoted.begin_life(rules);
            }
            Event::MoveSlot => self.move_slot(rules),
            Event::Keep => self.keep(),
            Event::GoBack => self.go_back(),
            Event::Return(instance) => self.return_from_it(instance, rules),
            Event::Adopt(instance) => self.adopt(instance, rules),
            Event::AskAboutEverybody(instance) => self.ask_about_everybody(instance),
            Event::Switch => {
                self.primary = 1 - self.primary;
                for (number, server) in self.servers.iter_mut().enumerate() {
                    server.is_primary = number == self.primary;
                    server.begin_life(rules);
                }
            }
        }
        if !self.left.slow_commits {
            self.commit_all(rules);
        }
        let left = &self.left;
        if left.cuts == 0 && left.deaths == 0 && left.restarts == 0 {
            self.hear_all(rules);
        }
    }

    /// Where no answer can be lost any more, it does not matter when it is heard.
    fn hear_all(&mut self, rules: Rules) {
        let hears = |it: &(&u8, &Task)| match &it.1.doing {
            Doing::Deliver(delivery) => delivery.listens_to().is_some() && delivery.can_step(),
            _ => false,
        };
        while let Some(id) = self.tasks.iter().find(hears).map(|it| *it.0) {
            self.step(id, rules);
        }
    }

    fn commit_all(&mut self, rules: Rules) {
        let commits = |it: &(&u8, &Task)| matches!(it.1.doing, Doing::Commit(_));
        while let Some(id) = self.tasks.iter().find(commits).map(|it| *it.0) {
            self.step(id, rules);
        }
    }

    fn save(&mut self) {
        self.saved = self.servers[self.primary].data.clone();
        if let Some(mark) = self.saved.mark.as_mut().filter(|_| self.left.old_saves) {
            mark.is_known = false;
        }
    }

    fn restart(&mut self, rules: Rules) {
        self.cut_off(self.primary);
        let old = &self.servers[self.primary];
        let (name, run) = (old.name, old.run + 1);
        self.servers[self.primary] = Server::start(name, run, self.saved.clone(), true, rules);
    }

    fn die(&mut self, instance: usize) {
        let own = |task: &Task| task.instance == instance;
        for id in self.tasks.iter().filter(|it| own(it.1)).map(|it| *it.0).collect::<Vec<_>>() {
            // Nobody hears an answer.
            if let Some(Doing::Deliver(delivery)) = self.tasks.get_mut(&id).map(|it| &mut it.doing)
            {
                delivery.answers = Set::default();
            }
            self.end_task(id);
        }
        self.end_line(instance);
        self.instances[instance].belief = Belief::default();
        self.instances[instance].behind = Behind::default();
    }

    fn count(&mut self, event: Event) {
        let left = &mut self.left;
        let counter = match event {
            Event::Login(_) => &mut left.logins,
            Event::EndOne(..) => &mut left.ends,
            Event::EndAll(_) => &mut left.end_alls,
            Event::EndEverybody(_) => &mut left.end_everybodys,
            Event::Round(_) => &mut left.rounds,
            Event::Hydrate(_) => &mut left.hydrations,
            Event::Repair(_) => &mut left.repairs,
            Event::MoveMark(_) => &mut left.mark_moves,
            Event::Watch(_) => &mut left.watches,
            Event::Unmarked(_) => &mut left.unmarked,
            Event::Cut(_) => &mut left.cuts,
            Event::Die(_) => &mut left.deaths,
            Event::ShortTick => &mut left.short_ticks,
            Event::LongTick => &mut left.long_ticks,
            Event::ClockStep => &mut left.clock_steps,
            Event::Delete => &mut left.deletions,
            Event::Flush => &mut left.flushes,
            Event::Save => &mut left.saves,
            Event::Restart => &mut left.restarts,
            Event::Sync => &mut left.syncs,
            Event::Switch => &mut left.switches,
            Event::Split => &mut left.splits,
            Event::MoveSlot => &mut left.slot_moves,
            Event::Keep => &mut left.keeps,
            Event::GoBack => &mut left.go_backs,
            // Nobody counts these.
            _ => return,
        };
        *counter = counter.saturating_sub(1);
    }
}

fn is_at_mark(task: &Task) -> bool {
    matches!(&task.doing, Doing::Deliver(it) if matches!(it.step, crate::delivery::Step::Mark { .. }))
}
