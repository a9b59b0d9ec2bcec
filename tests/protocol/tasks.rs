//! What the instances are doing: each task is a program counter inside one of the service's
//! procedures. `delivery.rs` and `hydration.rs` have the two long ones.

use crate::data::{By, Mark};
use crate::delivery::Delivery;
use crate::hydration::Hydration;
use crate::rules::{Guard, Rules};
use crate::server::{Command, Reply};
use crate::truth::{Change, Deed, Set, Written};
use crate::world::{Instance, USER, World};
use portcullis_api::ledger::belief::LineId;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Task {
    pub(crate) instance: usize,
    pub(crate) doing: Doing,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Doing {
    /// Login, end one, end all, repair: the transaction has been written.
    Commit(Written),
    /// A repair without its locks has read what it will write.
    WriteRepair(Vec<Change>),
    Deliver(Delivery),
    Hydrate(Hydration),
    /// Everybody's sessions have ended, and the server is being told.
    TellEverybody {
        connection: u8,
        answers: Set,
        heard: Option<Reply>,
    },
    /// A return that did not end everybody's sessions at once will do so.
    ReturnLate,
    /// The line was seen to lead to a server that lacks nothing.
    Believe(LineId),
    /// The mark was seen and is to be moved forward.
    MoveMark {
        connection: u8,
        run: u8,
        life: u64,
        seen: Mark,
    },
}

impl Task {
    pub(crate) fn hear(&mut self, reply: Reply) {
        match &mut self.doing {
            Doing::Deliver(delivery) => delivery.heard.push(reply),
            Doing::Hydrate(hydration) => hydration.heard.push(reply),
            Doing::TellEverybody { heard, .. } => *heard = Some(reply),
            _ => {}
        }
    }

    pub(crate) fn is_hydration(&self) -> bool {
        matches!(self.doing, Doing::Hydrate(_))
    }

    pub(crate) fn is_delivery(&self) -> bool {
        matches!(self.doing, Doing::Deliver(_))
    }

    /// Whether it can go on, or waits for an answer.
    pub(crate) fn can_step(&self) -> bool {
        match &self.doing {
            Doing::Deliver(delivery) => delivery.can_step(),
            Doing::Hydrate(hydration) => hydration.can_step(),
            Doing::TellEverybody { heard, .. } => heard.is_some(),
            _ => true,
        }
    }

    /// Waits for an answer on this connection.
    pub(crate) fn listens_to(&self, connection: u8) -> bool {
        match &self.doing {
            Doing::Deliver(delivery) => delivery.listens_to() == Some(connection),
            Doing::Hydrate(hydration) => hydration.connection == connection,
            Doing::MoveMark { connection: own, .. }
            | Doing::TellEverybody { connection: own, .. } => *own == connection,
            _ => false,
        }
    }
}

impl World {
    pub(crate) fn begin_task(&mut self, instance: usize, doing: Doing) -> u8 {
        let id = (0..=u8::MAX).find(|id| !self.tasks.contains_key(id)).unwrap_or(u8::MAX);
        self.tasks.insert(id, Task { instance, doing });
        id
    }

    pub(crate) fn go_on(&mut self, id: u8, doing: Doing) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.doing = doing;
        }
    }

    /// Ends a task; what it still holds is let go, and nobody listens any more to what it has sent.
    pub(crate) fn end_task(&mut self, id: u8) {
        let Some(task) = self.tasks.remove(&id) else { return };
        let sent = self.connections.values_mut().flat_map(|it| &mut it.sent);
        sent.filter(|it| it.0 == Some(id)).for_each(|it| it.0 = None);
        match task.doing {
            Doing::Commit(written) => self.truth.roll_back(&written),
            Doing::Deliver(delivery) => {
                let instance = &mut self.instances[task.instance];
                instance.answered = instance.answered.and(delivery.answers);
            }
            Doing::TellEverybody { connection, answers, heard } => {
                self.has_told_everybody(connection, answers, heard);
                let instance = &mut self.instances[task.instance];
                instance.answered = instance.answered.and(answers);
            }
            Doing::Hydrate(hydration) => self.close(hydration.connection),
            _ => {}
        }
    }

    /// Whoever waits for an answer on this connection gets none.
    pub(crate) fn give_up_on(&mut self, connection: u8) {
        let listens = |task: &Task| task.listens_to(connection);
        let ids: Vec<u8> = self.tasks.iter().filter(|it| listens(it.1)).map(|it| *it.0).collect();
        for id in ids {
            self.end_task(id);
        }
    }

    pub(crate) fn step(&mut self, id: u8, rules: Rules) {
        let Some(Task { instance, doing }) = self.tasks.get(&id).cloned() else { return };
        match doing {
            Doing::Commit(written) => {
                let ended = self.truth.commit(&written);
                self.note_known(instance, &[written.row]);
                let ends = matches!(written.deed, Deed::EndOne { .. });
                let instance = &mut self.instances[instance];
                let delivery = Delivery::of_request(instance, ended, (written.row, ends));
                self.go_on(id, Doing::Deliver(delivery));
            }
            Doing::WriteRepair(changes) => {
                let written = self.truth.write_repair(changes);
                self.go_on(id, Doing::Commit(written));
                self.step(id, rules);
            }
            Doing::Deliver(delivery) => self.step_delivery(id, instance, delivery, rules),
            Doing::Hydrate(hydration) => self.step_hydration(id, hydration, rules),
            Doing::TellEverybody { .. } => self.end_task(id),
            Doing::ReturnLate => {
                self.log_everybody_out(instance, rules);
                self.end_task(id);
            }
            Doing::Believe(line) => {
                let Instance { belief, behind, .. } = &mut self.instances[instance];
                if !self.truth.waiting().is_empty() {
                    behind.doubt_about(&[USER]);
                }
                behind.note_all_who_wait();
                belief.believe(line);
                self.end_task(id);
            }
            Doing::MoveMark { connection, run, life, seen } => {
                let position = self.truth.position(rules).max(seen.position);
                let covers = self.covering(run);
                let to = Mark { by: By::Run(run), position, is_known: true, covers };
                if rules.has(Guard::MarkVouched) && !self.is_cluster && !self.counts(run) {
                    return self.end_task(id);
                }
                self.send(connection, None, Command::Move { from: seen, to, run, life });
                if self.is_cluster {
                    self.close(connection);
                }
                self.end_task(id);
            }
        }
    }

    // --- how tasks begin ---

    pub(crate) fn log_in(&mut self, instance: usize) {
        let Some(session) = self.truth.next_session() else { return };
        let written = self.truth.write_login(session, self.host_now(instance));
        self.begin_task(instance, Doing::Commit(written));
    }

    pub(crate) fn end_one(&mut self, instance: usize, session: u8) {
        let written = self.truth.write_end(session);
        self.begin_task(instance, Doing::Commit(written));
    }

    pub(crate) fn end_all(&mut self, instance: usize, rules: Rules) {
        let written = self.truth.write_end_all(self.host_now(instance), rules);
        self.begin_task(instance, Doing::Commit(written));
    }

    pub(crate) fn round(&mut self, instance: usize) {
        let delivery = Delivery::of_worker(&mut self.instances[instance]);
        self.begin_task(instance, Doing::Deliver(delivery));
    }

    /// While user and sessions are held, nothing comes between reading and writing.
    pub(crate) fn repair(&mut self, instance: usize, rules: Rules) {
        let changes = self.truth.belongs();
        if rules.has(Guard::RepairHolds) {
            let written = self.truth.write_repair(changes);
            self.begin_task(instance, Doing::Commit(written));
        } else {
            self.begin_task(instance, Doing::WriteRepair(changes));
        }
    }

    pub(crate) fn watch(&mut self, instance: usize) {
        if let Some((line, _)) = self.instances[instance].line {
            self.begin_task(instance, Doing::Believe(line));
        }
    }

    pub(crate) fn move_mark(&mut self, instance: usize) {
        // In a cluster every server has a watch of its own; here the one is looked at that the user comes to.
        let open = if self.is_cluster { Some(self.open_to(1)) } else { self.line_of(instance) };
        let Some(connection) = open else { return };
        let Some(server) = self.server_at(connection) else { return };
        let Some(seen) = server.data.mark else { return };
        let (run, life) = (server.run, server.life());
        self.begin_task(instance, Doing::MoveMark { connection, run, life, seen });
    }
}
