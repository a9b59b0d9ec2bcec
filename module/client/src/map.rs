//! Which of several servers has which slot, as the watch believes. A map is never changed: there is
//! another one when slots go elsewhere.

use std::sync::Arc;

use portcullis_core::SLOTS;

use crate::lease::Lease;

/// Who has what.
#[derive(Clone, Default)]
pub(crate) struct Map {
    /// Of each server that has something.
    servers: Vec<Arc<Lease>>,
    /// Of each slot; empty at first.
    owners: Box<[Owner]>,
    /// Rises with every map.
    number: u32,
}

/// Who has a slot.
#[derive(Clone, Copy)]
struct Owner {
    /// By its place among the servers, or [`NOBODY`].
    server: u16,
    /// The number of the first map that says so.
    since: u32,
}

/// Or nobody knows who.
const NOBODY: u16 = u16::MAX;

impl Map {
    /// What counts in this slot, if a server is believed to have it.
    #[inline]
    pub(crate) fn lease(&self, slot: u16) -> Option<&Lease> {
        self.owner(slot).map(|lease| &**lease)
    }

    #[inline]
    pub(crate) fn owner(&self, slot: u16) -> Option<&Arc<Lease>> {
        let owner = self.owners.get(usize::from(slot))?;
        self.servers.get(usize::from(owner.server))
    }

    /// Since which map this server has had the slot; nothing if it has not.
    pub(crate) fn since(&self, lease: &Lease, slot: u16) -> Option<u32> {
        let is_its = self.lease(slot).is_some_and(|it| std::ptr::eq(it, lease));
        self.owners.get(usize::from(slot)).filter(|_| is_its).map(|owner| owner.since)
    }

    pub(crate) fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.servers.iter().map(|lease| &**lease)
    }

    /// Whether every slot has a server.
    pub(crate) fn is_whole(&self) -> bool {
        (0..SLOTS).all(|slot| self.lease(slot).is_some())
    }

    /// The map after this one, in which `owner` says who has a slot, and the slots that have another
    /// owner in it, or one for the first time.
    pub(crate) fn next(&self, owner: impl Fn(u16) -> Option<Arc<Lease>>) -> (Self, Vec<u16>) {
        let number = self.number.wrapping_add(1);
        let (mut servers, mut owners) = (Vec::<Arc<Lease>>::new(), Vec::new());
        let mut moved = Vec::new();
        for slot in 0..SLOTS {
            let lease = owner(slot);
            let since = lease.as_ref().and_then(|lease| self.since(lease, slot));
            let server = lease.map_or(NOBODY, |lease| place_in(&mut servers, lease));
            // Without an owner it has moved only if it had one.
            if since.is_none() && (server != NOBODY || self.lease(slot).is_some()) {
                moved.push(slot);
            }
            owners.push(Owner { server, since: since.unwrap_or(number) });
        }
        (Self { servers, owners: owners.into(), number }, moved)
    }
}

/// Where it stands among them, by now.
fn place_in(servers: &mut Vec<Arc<Lease>>, lease: Arc<Lease>) -> u16 {
    let place = servers.iter().position(|it| Arc::ptr_eq(it, &lease));
    let place = place.unwrap_or_else(|| {
        servers.push(lease);
        servers.len().saturating_sub(1)
    });
    u16::try_from(place).unwrap_or(NOBODY)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn lease(number: u32) -> Arc<Lease> {
        Arc::new(Lease::of_server(number, Duration::from_secs(1)))
    }

    #[test]
    fn only_slots_that_have_another_owner_have_moved() {
        let (one, other) = (lease(1), lease(2));
        let (map, moved) = Map::default().next(|slot| (slot < 10).then(|| Arc::clone(&one)));
        assert_eq!(moved, (0..10).collect::<Vec<_>>());
        let (next, moved) = map.next(|slot| match slot {
            0..5 => Some(Arc::clone(&one)),
            5..8 => Some(Arc::clone(&other)),
            _ => None,
        });
        assert_eq!(moved, [5, 6, 7, 8, 9]);
        assert_eq!((next.since(&one, 4), next.since(&other, 5)), (Some(1), Some(2)));
        assert_eq!((next.since(&one, 5), next.since(&one, 9)), (None, None));
        let (back, moved) = next.next(|slot| (slot < 10).then(|| Arc::clone(&one)));
        assert_eq!(moved, [5, 6, 7, 8, 9], "what comes back was somebody else's meanwhile");
        assert_eq!((back.since(&one, 0), back.since(&one, 5)), (Some(1), Some(3)));
        assert!(!back.is_whole() && back.leases().count() == 1);
    }
}
