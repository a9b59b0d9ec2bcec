//! Which life of which server is vouched for, as MySQL has it (`ledger_lives`), judged by the service's own
//! rules (`api/src/ledger/vouching.rs`). The user is in slot 0; in a cluster each server has another slot
//! besides, which never moves.

use std::cell::RefCell;
use std::collections::HashMap;

use portcullis_api::base::clock::Timestamp;
use portcullis_api::ledger::vouching::{self, Life, Row, Standing};
use portcullis_core::{Claim, Slots};

use crate::rules::{Guard, Rules};
use crate::server::Server;
use crate::world::World;

/// Where the user is.
const SLOT: u16 = 0;

/// A row: a life of a server, and whether it is vouched for in the user's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Vouched {
    run: u8,
    life: u64,
    epoch: u8,
    here: bool,
}

/// What becomes of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Deed {
    Withdraw,
    Replace,
    Join,
}

impl Vouched {
    pub(crate) fn first(server: &Server) -> Self {
        let Server { run, epoch, owns, .. } = *server;
        Self { run, life: server.life(), epoch, here: owns }
    }

    fn row(self, is_cluster: bool) -> Row {
        let slots = match (is_cluster, self.here) {
            (true, here) => slots(self.run, here),
            (false, true) => Slots::all(),
            (false, false) => Slots::default(),
        };
        let (run_id, ledgers_life) = (self.run.to_string(), self.life.to_string());
        Row { run_id, ledgers_life, slots, epoch: self.epoch.into(), vouched_at: Timestamp(0) }
    }
}

/// Of one server of a cluster.
fn slots(run: u8, here: bool) -> Slots {
    let mut slots = Slots::default();
    slots.add(u16::from(run));
    if here {
        slots.add(SLOT);
    }
    slots
}

/// What the judge says of a life.
#[derive(Clone, Copy)]
struct Judged {
    is_firm: bool,
    is_replaced: bool,
    counts: bool,
}

type Question = (Vec<Vouched>, Vouched, bool);

thread_local! {
    /// There are few questions, and asking them a million times each takes longer than all the rest.
    static ANSWERS: RefCell<HashMap<Question, Judged>> = RefCell::default();
}

fn judge(lives: &[Vouched], own: Vouched, is_cluster: bool) -> Judged {
    let question = (lives.to_vec(), own, is_cluster);
    if let Some(known) = ANSWERS.with_borrow(|answers| answers.get(&question).copied()) {
        return known;
    }
    let slots = if is_cluster { slots(own.run, own.here) } else { Slots::all() };
    let claim = Claim { epoch: own.epoch.into(), slots, ..Claim::default() };
    let rows: Vec<Row> = lives.iter().map(|it| it.row(is_cluster)).collect();
    let (run_id, ledgers) = (own.run.to_string(), own.life.to_string());
    let is_of_a_cluster = is_cluster;
    let life = Life { run_id: &run_id, ledgers: &ledgers, claim: &claim, is_of_a_cluster };
    let standing = Standing::of(life, &rows);
    let judged = Judged {
        is_firm: claim.is_firm(&standing.vouched, SLOT),
        is_replaced: standing.is_replaced(&claim),
        counts: vouching::counts(&rows, &run_id, SLOT),
    };
    ANSWERS.with_borrow_mut(|answers| answers.insert(question, judged));
    judged
}

impl World {
    /// What MySQL says of a server now.
    fn judged(&self, server: &Server) -> Judged {
        let own = Vouched::first(server);
        judge(&self.truth.lives, own, self.is_cluster)
    }

    /// Whether a server's word about the user may be believed. Where there are never two
    /// primaries at once, nobody is asked: all the other rules have to do without.
    pub(crate) fn is_vouched(&self, server: &Server, rules: Rules) -> bool {
        let asks = if self.is_cluster { Guard::BeliefBySlot } else { Guard::Vouching };
        if !self.is_judged || !rules.has(asks) {
            return server.owns;
        }
        self.judged(server).is_firm
    }

    /// Whether another server has its place, so that whoever sees that looks for the other one.
    pub(crate) fn is_replaced(&self, server: &Server, rules: Rules) -> bool {
        self.is_judged && rules.has(Guard::Vouching) && self.judged(server).is_replaced
    }

    /// This life, if it is vouched for in the user's slot.
    pub(crate) fn covering(&self, run: u8) -> Option<u8> {
        let is_here = self.truth.lives.iter().any(|it| it.run == run && it.here);
        (self.is_cluster && is_here).then_some(run)
    }

    /// Its slot went elsewhere, which somebody sees before it can be back.
    pub(crate) fn relinquish(&mut self, run: u8) {
        for it in self.truth.lives.iter_mut().filter(|it| it.run == run) {
            it.here = false;
        }
    }

    /// Whether what this life was told about the user counts.
    pub(crate) fn counts(&self, run: u8) -> bool {
        let server = self.servers.iter().find(|it| it.run == run);
        !self.is_judged || server.is_some_and(|server| self.judged(server).counts)
    }

    /// As `lives.rs` does it, in one transaction; `as_seen` when the work began. False if somebody else is
    /// vouched for and keeps that.
    pub(crate) fn vouch(&mut self, as_seen: Vouched, deed: Deed) -> bool {
        let lives = &mut self.truth.lives;
        let is_other = |it: &&mut Vouched| it.run != as_seen.run && it.here;
        if deed == Deed::Join && lives.iter_mut().any(|it| is_other(&it)) {
            return false;
        }
        lives.iter_mut().filter(is_other).for_each(|it| it.here = false);
        if deed != Deed::Withdraw {
            lives.retain(|it| it.run != as_seen.run);
            lives.push(Vouched { here: true, ..as_seen });
            lives.sort_unstable_by_key(|it| it.run);
        }
        true
    }
}
