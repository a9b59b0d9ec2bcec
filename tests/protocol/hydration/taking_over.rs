//! What a hydration does because there may be two primaries, or slots that move.

use super::{Hydration, Step};
use crate::lives::Deed;
use crate::rules::{Guard, Rules};
use crate::server::Command;
use crate::world::World;

impl World {
    /// What was committed with a low number while this was at work, and told to another server that was
    /// vouched for then.
    pub(super) fn late_endings(&self, it: &mut Hydration, rules: Rules) -> Vec<Command> {
        if !rules.has(Guard::LateRows) {
            return Vec::new();
        }
        let is_late = |row: &u8| !it.told_before.contains(row) && *row <= it.from();
        let late: Vec<u8> = self.truth.told().into_iter().filter(is_late).collect();
        self.endings(it.connection, &late, rules)
    }

    /// Whether what the mark says is said of the user's slot as well: in a cluster it may have come since.
    pub(super) fn is_covered(&self, it: &Hydration) -> bool {
        let covers = it.mark.covers;
        !self.is_cluster || covers.is_some_and(|run| self.covering(run).is_some())
    }

    pub(super) fn vouch_for(&mut self, it: &Hydration) {
        let deed = if it.takes_over { Deed::Withdraw } else { Deed::Replace };
        if self.is_judged {
            self.vouch(it.as_seen, deed);
        }
    }

    /// Unless the server or its ledgers are others now, or somebody else is vouched for.
    pub(super) fn join(&mut self, it: &Hydration) -> Step {
        let server = self.server_at(it.connection);
        let is_same = server.is_some_and(|server| {
            server.is_up_to_date() && (server.run, server.life()) == (it.run, it.life)
        });
        if !is_same || !self.vouch(it.as_seen, Deed::Join) {
            return Step::Done;
        }
        self.promised = self.promised.and(it.looked);
        Step::MarkTold
    }
}
