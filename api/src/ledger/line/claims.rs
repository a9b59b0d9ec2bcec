//! What a server has of the ledgers, as it is asked and told from outside.

use portcullis_core::{Claim, Slots, View};

use super::Lines;
use super::ground::Ground;

impl Lines {
    /// Which slots it says are its own.
    pub(crate) fn claim(&self) -> Claim {
        self.read().ground.claim.clone()
    }

    /// What it said last of all nodes.
    pub(crate) fn last_view(&self) -> View {
        self.read().ground.view.clone()
    }

    /// The same, while there is a line to it.
    pub(crate) fn view(&self) -> Option<View> {
        let state = self.read();
        state.line.as_ref().map(|_| state.ground.view.clone())
    }

    /// In which slots its ledgers have been brought up to date, as MySQL says.
    pub(crate) fn vouched(&self, slots: Slots) {
        self.change_ground(|ground| ground.vouched = slots);
    }

    /// Where more is firm than before, nothing counts that was kept before: a slot that comes back was
    /// somebody else's meanwhile.
    pub(super) fn change_ground(&self, change: impl FnOnce(&mut Ground)) {
        let mut state = self.write();
        let before = state.ground.firm();
        change(&mut state.ground);
        if !state.ground.firm().without(&before).is_empty() {
            self.kept.forget_all();
        }
    }

    /// Somebody heard that this slot is, or is about to be, elsewhere.
    pub(crate) fn doubt_slot(&self, slot: u16) {
        self.write().ground.doubt(slot);
    }

    /// Has its claim looked at soon: somebody heard that a slot is elsewhere.
    pub(crate) fn hurry(&self) {
        self.write().ground.is_doubted = true;
        self.trouble.notify_one();
    }

    /// Whether somebody heard so since its claim was seen.
    pub(crate) fn is_doubted_somewhere(&self) -> bool {
        self.read().ground.is_doubted
    }

    #[cfg(test)]
    pub(crate) fn claims(&self, claim: Claim) {
        self.write().ground.seen(claim, View::default());
    }
}
