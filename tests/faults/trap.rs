//! A wound that waits for a certain packet of a certain MySQL transaction.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::proxy::Wound;

/// Where in a transaction MySQL is lost, and how. Meant are those of requests; what goes on beside them
/// begins its own by `start transaction`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trap {
    /// How many transactions begin before the one that is meant.
    pub(crate) earlier: usize,
    /// Which packet of it, `BEGIN` being the first, 0.
    pub(crate) packet: usize,
    /// Whether MySQL still hears that packet, and only its answer is lost.
    pub(crate) is_heard: bool,
    pub(crate) wound: Wound,
}

/// The trap of one proxy.
#[derive(Clone, Default)]
pub(crate) struct Traps(Arc<Mutex<Armed>>);

#[derive(Default)]
struct Armed {
    trap: Option<Trap>,
    begun: usize,
    /// Of the transaction that is meant.
    passed: usize,
    has_sprung: bool,
}

impl Traps {
    pub(crate) fn set(&self, trap: Trap) {
        *self.armed() = Armed { trap: Some(trap), ..Armed::default() };
    }

    pub(crate) fn disarm(&self) {
        self.armed().trap = None;
    }

    pub(crate) fn have_sprung(&self) -> bool {
        self.armed().has_sprung
    }

    /// How many packets the transaction had.
    pub(crate) fn passed(&self) -> usize {
        self.armed().passed
    }

    /// What happens to a packet for MySQL. `place` counts the packets of the connection's
    /// transaction, if that is the one that is meant; the trap is given back when it springs.
    pub(crate) fn pass(&self, place: &mut Option<usize>, packet: &[u8]) -> Option<Trap> {
        let mut armed = self.armed();
        let trap = armed.trap?;
        *place = place.map(|packets| packets + 1);
        if packet.ends_with(b"\x03BEGIN") {
            *place = (armed.begun == trap.earlier).then_some(0);
            armed.begun += 1;
        }
        armed.passed = place.map_or(armed.passed, |packets| packets + 1);
        if *place == Some(trap.packet) {
            (armed.trap, armed.has_sprung, *place) = (None, true, None);
            return Some(trap);
        }
        let commits = [b"\x03COMMIT".as_slice(), b"\x03commit and chain"];
        if commits.iter().any(|end| packet.ends_with(end)) {
            *place = None;
        }
        None
    }

    fn armed(&self) -> MutexGuard<'_, Armed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
