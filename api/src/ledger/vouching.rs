//! The judge between two primaries: what follows from who is vouched for in which slots. No I/O, no lock
//! and no clock, so that the checker of the protocol (`tests/protocol`) asks the very judge that the service
//! asks. Where the rows come from, and why it is so, is in `lives.rs`.

use portcullis_core::{Claim, Slots};

use crate::base::clock::Timestamp;

/// A life of a server, and where it is vouched for.
#[derive(Clone, Debug)]
pub struct Row {
    /// Names the life of the server.
    pub run_id: String,
    /// Names the life of its ledgers when it was brought up to date.
    pub ledgers_life: String,
    /// Where it is vouched for.
    pub slots: Slots,
    /// Of its claim when it was.
    pub epoch: u64,
    /// When it was brought up to date last, all of it or slots that came.
    pub vouched_at: Timestamp,
}

/// A life as somebody sees it.
#[derive(Clone, Copy, Debug)]
pub struct Life<'s> {
    /// Names the life of the server.
    pub run_id: &'s str,
    /// Names the life of its ledgers.
    pub ledgers: &'s str,
    /// Which slots it says are its own.
    pub claim: &'s Claim,
    /// Whether others have other slots.
    pub is_of_a_cluster: bool,
}

/// What is to be said of a life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Where it has been brought up to date, and nobody else since.
    pub vouched: Slots,
    /// Where somebody else took its place.
    pub replaced: Slots,
    /// Whether it was vouched for when its ledgers had another life.
    pub is_outdated: bool,
}

impl Standing {
    /// Of this life, by these rows.
    pub fn of(life: Life<'_>, rows: &[Row]) -> Self {
        let Life { run_id, ledgers, claim, is_of_a_cluster } = life;
        let own = rows.iter().find(|row| row.run_id == run_id);
        let vouched = own.map(|row| row.slots.clone()).unwrap_or_default();
        let is_same_life = own.is_some_and(|row| row.ledgers_life == ledgers);
        let replaced = if is_of_a_cluster {
            let others = rows.iter().filter(|row| row.run_id != run_id);
            let newer = others.filter(|row| row.epoch > claim.epoch);
            newer.fold(Slots::default(), |taken, row| taken.with(&row.slots))
        } else if vouched.is_empty() && is_same_life {
            Slots::all()
        } else {
            Slots::default()
        };
        let is_outdated = !vouched.is_empty() && !is_same_life;
        Self { vouched: vouched.without(&replaced), replaced, is_outdated }
    }

    /// Whether it has nothing left that it claims.
    pub fn is_replaced(&self, claim: &Claim) -> bool {
        !claim.slots.is_empty() && claim.slots.without(&self.replaced).is_empty()
    }

    /// What it claims and nobody vouches for. What is leaving is brought up to date where it arrives, or
    /// here if it stays after all.
    pub(crate) fn lacking(&self, claim: &Claim) -> Slots {
        claim.kept().without(&self.replaced).without(&self.vouched)
    }
}

/// Whether this life had all of these slots up to date before that instant, and has given none of them away.
pub fn had(rows: &[Row], run_id: &str, slots: &Slots, before: Timestamp) -> bool {
    let own = rows.iter().find(|row| row.run_id == run_id && row.vouched_at < before);
    own.is_some_and(|row| slots.without(&row.slots).is_empty())
}

/// Whether what this life was told about a ledger in this slot counts. A life that nobody knows may
/// be the first one; it is none if somebody else is vouched for.
pub fn counts(rows: &[Row], run_id: &str, slot: u16) -> bool {
    let own = rows.iter().find(|row| row.run_id == run_id);
    match own {
        Some(row) => row.slots.has(slot),
        None => !rows.iter().any(|row| row.slots.has(slot)),
    }
}
