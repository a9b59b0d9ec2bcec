//! The end of everybody's sessions at once: one instant in MySQL and one in each server. Nothing of it is
//! in the outbox: every instance compares the two, tells a server that lags behind, and does not ask it.

use crate::rules::{Guard, Rules};
use crate::server::{Command, Reply};
use crate::tasks::Doing;
use crate::truth::Set;
use crate::world::{USER, World};

impl World {
    /// Not before the beginning of any session, nor in the past of Redis.
    pub(crate) fn everybody_until(&self, instance: usize) -> u64 {
        let newest = self.truth.newest_session();
        let others = [newest, self.now().wall.0, self.truth.everybody + 1];
        others.into_iter().fold(self.host_now(instance), u64::max)
    }

    /// Somebody ends all sessions there are.
    pub(crate) fn end_everybody(&mut self, instance: usize) {
        let at = self.everybody_until(instance);
        let answers = self.truth.live();
        self.truth.everybody = at;
        let history = &mut self.instances[instance].history;
        history.everybody = history.everybody.max(at);
        let Some(connection) = self.line_of(instance) else {
            return self.answer(instance, answers);
        };
        let id =
            self.begin_task(instance, Doing::TellEverybody { connection, answers, heard: None });
        self.send(connection, Some(id), Command::Everybody(at));
    }

    /// What the server has said to it; nothing if the line is gone.
    pub(crate) fn has_told_everybody(
        &mut self,
        connection: u8,
        answers: Set,
        heard: Option<Reply>,
    ) {
        let run = self.server_at(connection).map(|server| server.run);
        if heard == Some(Reply::Done) && run.is_some_and(|run| self.is_cluster || self.counts(run))
        {
            self.promised = self.promised.and(answers);
        }
    }

    fn answer(&mut self, instance: usize, ended: Set) {
        let instance = &mut self.instances[instance];
        instance.answered = instance.answered.and(ended);
    }

    /// Whether an instance, or the server at the end of its line, has not heard of it yet.
    pub(crate) fn lacks_everybody(&self, instance: usize) -> bool {
        let until = self.truth.everybody;
        let Some(connection) = self.line_of(instance) else { return false };
        let is_on_its_way = self.connections.get(&connection).is_some_and(|it| {
            it.sent.iter().any(|(_, command)| *command == Command::Everybody(until))
        });
        let lags = self.server_at(connection).is_some_and(|it| it.data.everybody < until);
        self.instances[instance].history.everybody < until || lags && !is_on_its_way
    }

    /// Asks MySQL, and tells the server.
    pub(crate) fn ask_about_everybody(&mut self, instance: usize) {
        let until = self.truth.everybody;
        let history = &mut self.instances[instance].history;
        history.everybody = history.everybody.max(until);
        if let Some(connection) = self.line_of(instance) {
            self.send(connection, None, Command::Everybody(until));
        }
    }

    /// What begins after it may begin in Redis' future, and is taken to begin now there.
    pub(crate) fn tell_everybody_first(&mut self, connection: u8, rules: Rules) {
        let until = self.truth.everybody;
        let lags = self.server_at(connection).is_some_and(|it| it.data.everybody < until);
        if lags && rules.has(Guard::EverybodyFirst) {
            self.send(connection, None, Command::Everybody(until));
        }
    }

    /// Whether an instance asks MySQL instead of Redis.
    pub(crate) fn doubts(&self, instance: usize, rules: Rules) -> bool {
        let it = &self.instances[instance];
        let server = self.line_of(instance).and_then(|line| self.server_at(line));
        let lags =
            server.is_some_and(|it| it.data.everybody < self.instances[instance].history.everybody);
        let knows = !rules.has(Guard::EverybodyHeard) || !lags;
        let about_user = it.doubts(USER) && rules.has(Guard::Behind);
        about_user || !knows || !it.belief.is_believed()
    }
}
