//! What happens only where there are two primaries.

use crate::data::{By, Data, Mark};
use crate::rules::{Guard, Rules};
use crate::server::Server;
use crate::world::{SHORT_MS, World};

impl Server {
    /// A primary of a cluster that lacks nothing, and has other slots than the user's.
    pub(crate) fn of_others(name: char, run: u8, rules: Rules) -> Self {
        let mark = Mark { by: By::Run(run), position: 0, is_known: true, covers: None };
        let data = Data { mark: Some(mark), ..Data::default() };
        let mut server = Self::start(name, run, data, true, rules);
        (server.is_confirmed, server.owns) = (true, false);
        server
    }

    /// A slot comes with its ledger; whether its old server was confirmed is said in there.
    pub(crate) fn take_slot(&mut self, from: &mut Self, rules: Rules) {
        from.owns = false;
        (self.owns, self.epoch) = (true, from.epoch.max(self.epoch) + 1);
        self.data.ledger = from.data.ledger.take();
        let is_doubtful = self.data.ledger.is_some() && !from.is_confirmed;
        if is_doubtful && rules.has(Guard::PayloadConfirmed) {
            self.begin_life(rules);
        }
    }
}

impl World {
    /// Of two primaries the one that is not vouched for is left; in a cluster only the slot is doubted.
    pub(crate) fn leave(&mut self, instance: usize, rules: Rules) {
        let server = self.line_of(instance).and_then(|line| self.server_at(line));
        let is_replaced = server.is_some_and(|server| self.is_replaced(server, rules));
        self.instances[instance].belief.doubt();
        if is_replaced {
            self.end_line(instance);
        }
    }

    pub(crate) fn move_slot(&mut self, rules: Rules) {
        let mut from = self.servers[self.primary].clone();
        if !self.left.fast_moves {
            self.relinquish(from.run);
        }
        let to = 1 - self.primary;
        self.servers[to].take_slot(&mut from, rules);
        self.servers[self.primary] = from;
        self.primary = to;
        self.passed_ms += if self.left.fast_moves { 0 } else { SHORT_MS };
    }
}
