//! What a server has of the ledgers, and where it may be believed: in slots that are its own by its
//! own account, that stay where they are, and in which its ledgers were brought up to date.

use portcullis_core::{Claim, Slots, View, tag_of};

/// What a server has.
#[derive(Default)]
pub(super) struct Ground {
    /// What it says is its own.
    pub(super) claim: Claim,
    /// Where its ledgers were brought up to date.
    pub(super) vouched: Slots,
    /// What it said of all nodes when it said so.
    pub(super) view: View,
    /// Of which somebody heard otherwise since.
    doubted: Slots,
    /// Whether somebody heard anything else since.
    pub(super) is_doubted: bool,
    /// What is in the first of its slots; nothing where there are no slots.
    tag: Option<String>,
}

impl Ground {
    /// Everything, where there is no cluster: what is believed of the line is believed of all users.
    pub(super) fn all() -> Self {
        let claim = Claim { slots: Slots::all(), ..Claim::default() };
        Self { claim, vouched: Slots::all(), ..Self::default() }
    }

    /// Whether it has this slot and is not known to give it away.
    pub(super) fn has(&self, slot: u16) -> bool {
        self.claim.kept().has(slot) && !self.doubted.has(slot)
    }

    pub(super) fn is_firm(&self, slot: u16) -> bool {
        self.claim.is_firm(&self.vouched, slot) && !self.doubted.has(slot)
    }

    /// Where it may be believed.
    pub(super) fn firm(&self) -> Slots {
        self.claim.kept().also_in(&self.vouched).without(&self.doubted)
    }

    pub(super) fn is_all_firm(&self) -> bool {
        self.claim.slots.without(&self.firm()).is_empty()
    }

    pub(super) fn seen(&mut self, claim: Claim, view: View) {
        let first = |claim: &Claim| claim.kept().iter().next();
        if self.tag.is_none() || first(&claim) != first(&self.claim) {
            self.tag = Some(first(&claim).map(tag_of).unwrap_or_default());
        }
        (self.claim, self.view, self.is_doubted) = (claim, view, false);
        self.doubted = Slots::default();
    }

    /// Until its claim is seen again.
    pub(super) fn doubt(&mut self, slot: u16) {
        self.doubted.add(slot);
        self.is_doubted = true;
    }

    /// What stands in the braces of keys that must be on this server.
    pub(super) fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(slots: &str, leaving: &str) -> Claim {
        Claim {
            epoch: 1,
            slots: Slots::parse(slots),
            leaving: Slots::parse(leaving),
            ..Claim::default()
        }
    }

    #[test]
    fn a_slot_is_firm_if_it_is_claimed_vouched_for_and_stays() {
        let mut ground = Ground::default();
        ground.seen(claim("0-9", "3"), View::default());
        assert!(!ground.is_firm(1), "nobody vouches");
        ground.vouched = Slots::parse("0-20");
        assert!(ground.is_firm(1) && !ground.is_firm(3) && !ground.is_firm(10));
        assert!(!ground.is_all_firm());
        ground.seen(claim("0-9", ""), View::default());
        assert!(ground.is_firm(3) && ground.is_all_firm());
        ground.doubt(5);
        assert!(!ground.is_firm(5) && ground.is_firm(4) && ground.is_doubted);
        ground.seen(claim("0-9", ""), View::default());
        assert!(ground.is_firm(5) && !ground.is_doubted);
    }

    #[test]
    fn where_there_is_no_cluster_everything_is_firm() {
        assert!(Ground::all().is_all_firm() && Ground::all().tag().is_none());
    }
}
