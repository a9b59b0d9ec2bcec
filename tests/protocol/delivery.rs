//! How what waits in the outbox is told: by the request that wrote it, or by the worker.
//!
//! ```text
//! token     asked for on the line, before MySQL is read
//! read      what waits for the user, and which of its beginnings nobody has ended
//! send      on the line, endings first; what has ended is not begun
//! hear      every answer. STALE or ENDED: a new token and read again
//! mark      the rows of which everything was heard
//! ```
//!
//! A worker takes its rows: another one passes them over. A request takes none. One that ends what it
//! names sends its own row without reading, if the user was not behind.

use portcullis_api::ledger::belief;

use crate::rules::{Guard, Rules};
use crate::server::{Beginning, Command, Reply, Token};
use crate::tasks::Doing;
use crate::truth::{Change, Set};
use crate::world::{Instance, USER, World};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Delivery {
    /// Sessions whose end is answered by it.
    pub(crate) answers: Set,
    /// Marks before it says that all is told; a request answers before.
    is_worker: bool,
    /// The one row that it sends, of endings.
    own: Option<u8>,
    /// The row that its request has written.
    written: Option<u8>,
    number: belief::Delivery,
    pub(crate) step: Step,
    pub(crate) heard: Vec<Reply>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Read,
    Send {
        rows: Rows,
        changes: Vec<(u8, Change)>,
        token: Token,
    },
    /// What was sent belongs to these rows.
    Hear {
        rows: Rows,
        of: Vec<u8>,
        connection: u8,
    },
    Mark {
        told: Vec<u8>,
        is_all: bool,
        /// The server that has heard it, if there was anything to hear.
        by: Option<u8>,
        /// The server at the end of the line.
        run: u8,
    },
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rows {
    mine: Vec<u8>,
    /// Somebody else has taken some.
    others_are_held: bool,
}

impl Delivery {
    /// Of a request, which has written this row if it ends what it names and nothing else.
    pub(crate) fn of_request(
        instance: &mut Instance,
        answers: Set,
        (written, ending): (u8, bool),
    ) -> Self {
        let own = Some(written).filter(|_| ending).filter(|_| !instance.behind.is_behind(USER));
        let number = instance.behind.begin_delivery(USER);
        let written = Some(written);
        Self {
            answers,
            is_worker: false,
            own,
            written,
            number,
            step: Step::Read,
            heard: Vec::new(),
        }
    }

    pub(crate) fn of_worker(instance: &mut Instance) -> Self {
        instance.behind.doubt_about(&[USER]);
        let number = instance.behind.begin_delivery(USER);
        let (answers, heard) = (Set::default(), Vec::new());
        let (own, written) = (None, None);
        Self { answers, is_worker: true, own, written, number, step: Step::Read, heard }
    }

    pub(crate) fn listens_to(&self) -> Option<u8> {
        match &self.step {
            Step::Hear { connection, .. } => Some(*connection),
            _ => None,
        }
    }

    pub(crate) fn can_step(&self) -> bool {
        match &self.step {
            Step::Hear { of, .. } => of.len() == self.heard.len(),
            _ => true,
        }
    }

    /// The rows that it has taken.
    fn taken(&self) -> &[u8] {
        match &self.step {
            Step::Send { rows, .. } | Step::Hear { rows, .. } if self.is_worker => &rows.mine,
            Step::Mark { told, .. } if self.is_worker => told,
            _ => &[],
        }
    }
}

impl World {
    pub(crate) fn step_delivery(
        &mut self,
        id: u8,
        instance: usize,
        mut delivery: Delivery,
        rules: Rules,
    ) {
        let line = self.line_of(instance);
        let next = match std::mem::replace(&mut delivery.step, Step::Read) {
            Step::Read => {
                let may_ask = self.may_ask(instance, rules);
                let Some(connection) = line.filter(|_| may_ask) else {
                    return self.end_task(id);
                };
                let step = self.read(connection, &delivery, rules);
                if let Step::Send { rows, .. } | Step::Hear { rows, .. } = &step {
                    self.note_known(instance, &rows.mine);
                }
                step
            }
            Step::Send { rows, changes, token } => {
                let Some(connection) = line else { return self.end_task(id) };
                let before = rules.has(Guard::AskedBefore);
                let late = || self.token_on(connection, rules).unwrap_or(token);
                let token = if before { token } else { late() };
                let of = changes.iter().map(|(row, _)| *row).collect();
                if changes.iter().any(|it| matches!(it.1, Change::Begin { .. })) {
                    self.tell_everybody_first(connection, rules);
                }
                for (_, change) in changes {
                    let command = command(change, token, self.now().wall.0);
                    self.send(connection, Some(id), command);
                }
                Step::Hear { rows, of, connection }
            }
            Step::Hear { rows, of, connection } => {
                let heard = std::mem::take(&mut delivery.heard);
                let run = self.server_at(connection).map_or(0, |server| server.run);
                let step = outcome((&heard, run), &of, &rows, delivery.is_worker);
                let Some(step) = step else { return self.end_task(id) };
                if matches!(step, Step::Mark { .. }) {
                    self.note_in_redis(instance);
                }
                step
            }
            Step::Mark { .. } if !self.may_ask(instance, rules) => return self.end_task(id),
            Step::Mark { told, mut is_all, by, run } => {
                if by.is_none_or(|run| self.counts(run)) || !rules.has(Guard::CountsTold) {
                    self.truth.mark_told(&told);
                }
                is_all &= self.counts(run) || !rules.has(Guard::ToldElsewhere);
                if delivery.is_worker && is_all {
                    self.told(instance, &mut delivery, by);
                }
                return self.end_task(id);
            }
        };
        if self.was_told_elsewhere(&delivery, &next, rules) {
            return self.end_task(id);
        }
        // A request answers before it marks.
        if let Step::Mark { by, .. } = next
            && !delivery.is_worker
        {
            self.told(instance, &mut delivery, by);
        }
        delivery.step = next;
        self.go_on(id, Doing::Deliver(delivery));
    }

    fn read(&self, connection: u8, delivery: &Delivery, rules: Rules) -> Step {
        let is_worker = delivery.is_worker;
        let Some(token) = self.token_on(connection, rules) else { return Step::Read };
        let by_others = self.tasks.values().filter_map(|task| match &task.doing {
            Doing::Deliver(other) if is_worker => Some(other.taken()),
            _ => None,
        });
        let by_others: Vec<u8> = by_others.flatten().copied().collect();
        let (held, mine): (Vec<u8>, Vec<u8>) =
            self.truth.waiting().into_iter().partition(|row| by_others.contains(row));
        let mine = delivery.own.map_or(mine, |row| vec![row]);
        let rows = Rows { mine, others_are_held: !held.is_empty() };
        let live = self.truth.live();
        let goes_on = |change: &Change| match change {
            Change::Begin { session, .. } => live.has(*session) || !rules.has(Guard::EndedNotBegun),
            _ => true,
        };
        let is_beginning = |change: &Change| matches!(change, Change::Begin { .. });
        let mut changes = self.truth.changes(&rows.mine);
        changes.retain(|(_, change)| goes_on(change));
        changes.sort_by_key(|(_, change)| is_beginning(change));
        if changes.is_empty() {
            let is_all = !rows.others_are_held;
            let run = self.server_at(connection).map_or(0, |server| server.run);
            return Step::Mark { told: rows.mine, is_all, by: None, run };
        }
        Step::Send { rows, changes, token }
    }

    /// Whether somebody was faster with the row of a request, and may have told another server, which
    /// counts instead of the one at the end of the line.
    fn was_told_elsewhere(&self, delivery: &Delivery, next: &Step, rules: Rules) -> bool {
        let Step::Mark { told, run, .. } = next else { return false };
        let is_told_already = delivery.written.is_some_and(|row| !told.contains(&row));
        is_told_already && !self.counts(*run) && rules.has(Guard::ToldElsewhere)
    }

    /// Everything has been heard: the end of its sessions is answered as confirmed. By a server whose place
    /// another one has taken, which nobody here has seen yet: that is no promise of the other one.
    fn told(&mut self, instance: usize, delivery: &mut Delivery, by: Option<u8>) {
        let ended = std::mem::take(&mut delivery.answers);
        if self.is_cluster || by.is_none_or(|run| self.counts(run)) {
            self.promised = self.promised.and(ended);
        }
        let instance = &mut self.instances[instance];
        instance.behind.delivered(USER, delivery.number);
        instance.answered = instance.answered.and(ended);
    }
}

/// What is next; nothing if it stays pending.
fn outcome((heard, run): (&[Reply], u8), of: &[u8], rows: &Rows, is_worker: bool) -> Option<Step> {
    let is_told =
        |row: &u8| heard.iter().zip(of).all(|(reply, of)| of != row || *reply == Reply::Done);
    let told: Vec<u8> = rows.mine.iter().copied().filter(is_told).collect();
    let is_all = told.len() == rows.mine.len() && !rows.others_are_held;
    if is_worker || is_all {
        Some(Step::Mark { told, is_all, by: Some(run), run })
    } else if heard.contains(&Reply::Refused) {
        None
    } else {
        Some(Step::Read)
    }
}

/// The watermark may not lie in Redis' future.
pub(crate) fn command(change: Change, token: Token, redis_now: u64) -> Command {
    match change {
        Change::Begin { session, created } => Command::Begin(Beginning { session, created, token }),
        Change::End(sessions) => Command::End(sessions),
        Change::EndUpTo(at) => Command::EndUpTo(at.min(redis_now)),
    }
}
