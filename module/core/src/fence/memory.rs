//! The endings of the last while: two sets, of which the older one is forgotten as a whole.
//!
//! Names are kept as keyed hashes, 16 bytes each however long they are. The sets are trees, which
//! never stop the server to grow.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::{Beginning, MonotonicMs, REMEMBERED_MS};
use crate::UnixMs;

/// A name, or a name within a subject.
type Name = u128;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Memory {
    secret: u64,
    /// When `young` began.
    turned: MonotonicMs,
    young: Endings,
    old: Endings,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Endings {
    sessions: BTreeSet<Name>,
    /// By subject.
    floors: BTreeMap<Name, Vec<Floor>>,
    floor_count: usize,
}

/// All that began at or before an instant has ended, but for one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Floor {
    until: UnixMs,
    except: Option<Name>,
}

impl Memory {
    pub(super) const fn new(secret: u64) -> Self {
        Self { secret, turned: MonotonicMs(0), young: Endings::new(), old: Endings::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.young.len().saturating_add(self.old.len())
    }

    pub(super) fn forget_all(&mut self) {
        (self.young, self.old) = (Endings::new(), Endings::new());
    }

    /// Forgets what is old enough.
    pub(super) fn turn(&mut self, now: MonotonicMs) {
        let age = now.0.saturating_sub(self.turned.0);
        if age < REMEMBERED_MS {
            return;
        }
        let young = core::mem::replace(&mut self.young, Endings::new());
        self.old = if age < REMEMBERED_MS.saturating_mul(2) { young } else { Endings::new() };
        self.turned = now;
    }

    pub(super) fn remember(&mut self, key: &[u8], id: &[u8]) {
        let name = self.session(key, id);
        self.young.sessions.insert(name);
    }

    pub(super) fn remembers(&self, key: &[u8], id: &[u8]) -> bool {
        if self.len() == 0 {
            return false;
        }
        let name = self.session(key, id);
        self.young.sessions.contains(&name) || self.old.sessions.contains(&name)
    }

    pub(super) fn raise_floor(&mut self, key: &[u8], except: Option<&[u8]>, until: UnixMs) {
        let except = except.map(|id| self.session(key, id));
        let subject = self.subject(key);
        self.young.raise_floor(subject, Floor { until, except });
    }

    pub(super) fn floor_covers(&self, beginning: &Beginning<'_>, created: UnixMs) -> bool {
        if self.young.floor_count == 0 && self.old.floor_count == 0 {
            return false;
        }
        let subject = self.subject(beginning.key);
        let session = self.session(beginning.key, beginning.id);
        let floors = [&self.young, &self.old];
        floors
            .into_iter()
            .flat_map(|endings| endings.floors.get(&subject).into_iter().flatten())
            .any(|floor| created <= floor.until && floor.except != Some(session))
    }

    fn subject(&self, key: &[u8]) -> Name {
        self.name(&[key])
    }

    fn session(&self, key: &[u8], id: &[u8]) -> Name {
        self.name(&[key, id])
    }

    /// Lengths go in, so that no two lists of parts read alike.
    fn name(&self, parts: &[&[u8]]) -> Name {
        let mut hash = Sha256::new();
        hash.update(self.secret.to_le_bytes());
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part);
        }
        let hash = hash.finalize();
        let (halves, _) = hash.as_chunks::<16>();
        halves.first().map_or(0, |half| u128::from_le_bytes(*half))
    }
}

impl Endings {
    const fn new() -> Self {
        Self { sessions: BTreeSet::new(), floors: BTreeMap::new(), floor_count: 0 }
    }

    fn len(&self) -> usize {
        self.sessions.len().saturating_add(self.floor_count)
    }

    fn raise_floor(&mut self, subject: Name, floor: Floor) {
        let floors = self.floors.entry(subject).or_default();
        if let Some(known) = floors.iter_mut().find(|known| known.except == floor.except) {
            known.until = known.until.max(floor.until);
        } else {
            floors.push(floor);
            self.floor_count = self.floor_count.saturating_add(1);
        }
    }
}
