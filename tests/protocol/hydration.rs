//! How the ledgers of a server that may lack something are brought up to date.
//!
//! ```text
//! look      run id, life and mark
//! mark      says that work goes on
//! outbox    what waits already, and the newest row
//! sweep     what Redis has and MySQL has not is ended
//! endings   watermarks
//! fill      a token, what is live, its beginnings; with these three nothing is done about a user of
//!           whom no row came since the mark, if the age of the data is known
//! again     once more, if one came meanwhile
//! vouch     nobody else is vouched for any more; from now on what another primary is told is not marked
//! tell      endings from the outbox again
//! look      endings that wait and were not told yet, until there are none: the last look
//! late      endings of low numbers that were marked as told meanwhile
//! confirm   mark and AUTH.CONFIRM in one step
//! ```
//!
//! The ledgers of a slot that came to a server which lacks nothing else are brought up to date without
//! `mark` and `confirm`, always with a sweep; as the server is believed meanwhile, it is vouched for last (*join*).
//!
//! One instance at a time, under a lock; where a scenario says so, the lock is lost. Rows are not
//! locked here, although the service does so: the protocol must not need it.

mod taking_over;

use crate::data::{By, Mark};
use crate::delivery::command;
use crate::lives::Vouched;
use crate::rules::{Guard, Rules};
use crate::server::{Command, Reply, Server};
use crate::tasks::Doing;
use crate::truth::{Change, Set};
use crate::world::World;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Hydration {
    pub(crate) connection: u8,
    run: u8,
    life: u64,
    seen: Option<Mark>,
    mark: Mark,
    /// The server as it was seen at first.
    as_seen: Vouched,
    /// Whether only a slot has to be brought up to date.
    takes_over: bool,
    waiting: Vec<u8>,
    newest: u8,
    /// The rows that came since the mark, when it looked last. Nothing before it looked.
    since: Option<Vec<u8>>,
    /// Rows whose endings it has told.
    told: Vec<u8>,
    /// Rows that were told before it began.
    told_before: Vec<u8>,
    held: Set,
    looked: Set,
    pub(crate) step: Step,
    /// How many answers are awaited.
    asked: usize,
    pub(crate) heard: Vec<Reply>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Mark,
    Outbox,
    List,
    Sweep,
    Endings,
    Fill,
    Vouch,
    Again,
    Tell,
    MarkTold,
    Look,
    Late,
    VouchLate,
    Confirm,
    Join,
    Done,
}

impl Hydration {
    pub(crate) fn can_step(&self) -> bool {
        self.heard.len() == self.asked
    }

    /// The endings of all rows after this one are told again.
    fn from(&self) -> u8 {
        if self.mark.is_known { self.mark.position.min(self.newest) } else { self.newest }
    }
}

impl World {
    pub(crate) fn hydrate(&mut self, instance: usize) {
        self.instances[instance].belief.doubt();
        let connection = self.open();
        let Some(server) = self.server_at(connection) else { return };
        let (run, life, seen) = (server.run, server.life(), server.data.mark);
        let as_seen = Vouched::first(server);
        let takes_over = self.is_cluster && server.is_up_to_date();
        let known = seen.filter(|mark| mark.is_known && !takes_over);
        let mark = Mark {
            by: By::Hydration(self.left.hydrations),
            position: known.map_or(0, |mark| mark.position),
            is_known: known.is_some(),
            covers: known.and_then(|mark| mark.covers),
        };
        let (waiting, newest, told, told_before) = (Vec::new(), 0, Vec::new(), self.truth.told());
        let (held, looked) = (Set::default(), Set::default());
        let step = if takes_over { Step::Outbox } else { Step::Mark };
        let (asked, heard) = (0, Vec::new());
        let hydration = Hydration {
            connection,
            run,
            life,
            seen,
            mark,
            as_seen,
            takes_over,
            waiting,
            newest,
            since: None,
            told,
            told_before,
            held,
            looked,
            step,
            asked,
            heard,
        };
        self.begin_task(instance, Doing::Hydrate(hydration));
    }

    pub(crate) fn step_hydration(&mut self, id: u8, mut it: Hydration, rules: Rules) {
        let heard = std::mem::take(&mut it.heard);
        it.asked = 0;
        if heard.contains(&Reply::Refused) {
            return self.end_task(id);
        }
        if heard.contains(&Reply::Stale) {
            it.step = Step::Fill;
        }
        let mut commands = self.next_commands(&mut it, rules);
        while it.step != Step::Done && self.has_nothing_to_do(&it) {
            commands.extend(self.next_commands(&mut it, rules));
        }
        it.asked = commands.len();
        for command in commands {
            self.send(it.connection, Some(id), command);
        }
        if it.step == Step::Done {
            return self.end_task(id);
        }
        self.go_on(id, Doing::Hydrate(it));
    }

    /// Whether the next step can do nothing, whenever it comes.
    fn has_nothing_to_do(&self, it: &Hydration) -> bool {
        match it.step {
            Step::Endings => self.truth.watermark.is_none() && self.left.end_alls == 0,
            Step::MarkTold => it.waiting.is_empty(),
            Step::Vouch | Step::Late | Step::VouchLate => !self.is_judged,
            _ => false,
        }
    }

    /// Does one step and answers what is sent by it.
    #[expect(clippy::too_many_lines, reason = "a step after the other, as the program has them")]
    fn next_commands(&mut self, it: &mut Hydration, rules: Rules) -> Vec<Command> {
        let last = rules.has(Guard::EndingsReadLast);
        let (step, commands) = match it.step {
            Step::Mark => {
                let command = Command::Mark { from: it.seen, to: it.mark };
                (Step::Outbox, vec![command])
            }
            Step::Outbox => {
                it.waiting = self.truth.waiting();
                it.newest = self.truth.newest();
                (self.first_step(it, rules), Vec::new())
            }
            Step::List => {
                let server = self.server_at(it.connection);
                it.held = server.map_or(Set::default(), Server::held);
                (Step::Sweep, Vec::new())
            }
            Step::Sweep => {
                let dead = it.held.but(self.truth.live());
                let end = (!dead.is_empty()).then_some(Command::End(dead));
                (Step::Endings, end.into_iter().collect())
            }
            Step::Endings => {
                let now = self.now().wall.0;
                let watermark = self.truth.watermark.map(|at| Command::EndUpTo(at.min(now)));
                let next = if last { Step::Fill } else { Step::Tell };
                (next, watermark.into_iter().collect())
            }
            Step::Fill => {
                let next = if last { Step::Vouch } else { Step::MarkTold };
                if rules.has(Guard::ConfirmsEverybody) {
                    self.tell_everybody_first(it.connection, rules);
                }
                (next, self.beginnings(it, rules))
            }
            Step::Vouch => {
                if rules.has(Guard::VouchedBeforeLooks) {
                    self.vouch_for(it);
                }
                (if it.takes_over { Step::Tell } else { Step::Again }, Vec::new())
            }
            Step::Again => {
                let again = it.mark.is_known && self.has_changed(it, rules);
                (if again { Step::List } else { Step::Tell }, Vec::new())
            }
            Step::Tell => {
                let next = match (last, it.takes_over) {
                    (true, true) => Step::Look,
                    (true, false) => Step::MarkTold,
                    (false, _) => Step::Fill,
                };
                it.told = self.truth.visible(it.from(), &it.waiting);
                (next, self.endings(it.connection, &it.told, rules))
            }
            Step::MarkTold => {
                self.truth.mark_told(&it.waiting);
                (if it.takes_over { Step::Done } else { Step::Look }, Vec::new())
            }
            Step::Look => self.look(it, rules),
            Step::Late => (Step::VouchLate, self.late_endings(it, rules)),
            Step::VouchLate => {
                if !rules.has(Guard::VouchedBeforeLooks) {
                    self.vouch_for(it);
                }
                (if it.takes_over { Step::Join } else { Step::Confirm }, Vec::new())
            }
            Step::Join => (self.join(it), Vec::new()),
            Step::Confirm => {
                let position = self.truth.position(rules).max(it.mark.position);
                let covers = self.covering(it.run);
                let to = Mark { by: By::Run(it.run), position, is_known: true, covers };
                let (from, run, life, looked) = (it.mark, it.run, it.life, it.looked);
                let tells = rules.has(Guard::ConfirmsEverybody);
                let everybody = if tells { self.truth.everybody } else { 0 };
                let confirm = Command::Confirm { from, to, run, life, looked, everybody };
                (Step::Done, vec![confirm])
            }
            Step::Done => (Step::Done, Vec::new()),
        };
        it.step = step;
        commands
    }

    fn first_step(&self, it: &mut Hydration, rules: Rules) -> Step {
        let is_known = it.mark.is_known && (!rules.has(Guard::MarkCovers) || self.is_covered(it));
        let may_lack = self.has_changed(it, rules) || !is_known;
        match (may_lack, rules.has(Guard::EndingsReadLast)) {
            (true, _) if rules.has(Guard::Sweep) => Step::List,
            (true, _) => Step::Endings,
            (false, true) => Step::Vouch,
            (false, false) => Step::Tell,
        }
    }

    /// Whether a row came since the mark, or since it looked last.
    fn has_changed(&self, it: &mut Hydration, rules: Rules) -> bool {
        let rows = self.truth.visible(it.from(), &it.waiting);
        let seen = it.since.replace(rows).unwrap_or_default();
        let is_new = |row: &u8| !seen.contains(row);
        rules.has(Guard::ComparesChanged) && it.since.iter().flatten().any(is_new)
    }

    fn look(&self, it: &mut Hydration, rules: Rules) -> (Step, Vec<Command>) {
        let last = it.told.iter().max().copied().unwrap_or(0).max(it.from());
        let all = rules.has(Guard::LooksAtAll);
        let is_new = |row: &u8| !it.told.contains(row) && (all || *row > last);
        let new: Vec<u8> = self.truth.waiting().into_iter().filter(is_new).collect();
        if new.is_empty() {
            it.looked = self.truth.ended();
            return (Step::Late, Vec::new());
        }
        it.told.extend(&new);
        (Step::Look, self.endings(it.connection, &new, rules))
    }

    fn beginnings(&self, it: &Hydration, rules: Rules) -> Vec<Command> {
        let Some(token) = self.token_on(it.connection, rules) else { return Vec::new() };
        let belongs = self.truth.belongs().into_iter();
        let begins = belongs.filter(|change| matches!(change, Change::Begin { .. }));
        begins.map(|change| command(change, token, 0)).collect()
    }

    /// Watermarks are held back to before the sessions that were filled in.
    fn endings(&self, connection: u8, rows: &[u8], rules: Rules) -> Vec<Command> {
        let Some(token) = self.token_on(connection, rules) else { return Vec::new() };
        let changes = self.truth.changes(rows).into_iter().map(|(_, change)| change);
        let ends = changes.filter(|change| !matches!(change, Change::Begin { .. }));
        ends.map(|change| command(change, token, self.now().wall.0 - 1)).collect()
    }
}
