//! All servers that ledgers are on, and which of them has whom: one, or the primaries of a cluster.
//!
//! Which slot is whose, the servers say themselves: whoever claims one with the greatest epoch has it.
//! So an old primary that was cut off loses its users to the new one as soon as that one is seen
//! (`roster.rs`). A slot whose owner is not known, not believed or about to give it away is one about
//! which Redis is not asked. `MOVED`, `ASK`, `TRYAGAIN` and `CLUSTERDOWN` are never verdicts.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use portcullis_core::{Claim, SLOTS, Slots, slot_of};
use redis::RedisResult;
use tokio::sync::Notify;

use super::belief::{Behind, Delivery};
use super::kept;
use super::line::{Condition, Line, Lines, Manner};
use super::redis_fault::unavailable;
use super::way::Way;
use crate::settings::{Host, Invalid, Stores};

/// All servers, and for whom none is believed.
pub(crate) struct Shards {
    pub(super) way: Way,
    pub(super) deadline: Duration,
    manner: Manner,
    /// On how many tokens verdicts are kept, if any are.
    keeps: Option<usize>,
    map: RwLock<Map>,
    behind: RwLock<Behind>,
    /// Rung when a server is believed, for whoever has something to tell.
    pub(crate) up: Arc<Notify>,
    /// Rung when somebody heard that a slot is elsewhere.
    pub(crate) moved: Notify,
}

/// Who may be asked about a user.
pub(crate) struct Believed {
    pub(crate) lines: Arc<Lines>,
    pub(crate) line: Arc<Line>,
    /// About which life of the ledgers.
    pub(crate) life: Option<i64>,
}

/// Which server has which slot.
#[derive(Default)]
struct Map {
    /// By what they are called.
    shards: BTreeMap<String, Arc<Lines>>,
    /// For each slot; nothing where one server has all.
    owners: Vec<Option<Arc<Lines>>>,
}

impl Shards {
    /// Nothing is asked yet.
    pub(crate) fn new(stores: &Stores) -> Result<Self, Invalid> {
        let (way, deadline, up) =
            (Way::new(stores)?, stores.redis_deadline, Arc::<Notify>::default());
        let manner = Manner::new(stores, up.clone());
        let keeps = kept::options(stores).map(|options| options.most_tokens);
        let mut map = Map::default();
        if way.is_cluster() {
            map.owners = vec![None; usize::from(SLOTS)];
        } else {
            let one = Lines::to_one(Way::new(stores)?, manner.clone());
            map.shards.insert(String::new(), Arc::new(one));
        }
        let (map, behind) = (RwLock::new(map), RwLock::default());
        Ok(Self { way, deadline, manner, keeps, map, behind, up, moved: Notify::new() })
    }

    // --- servers ---

    /// Whether there are several, or could be.
    pub(crate) fn is_cluster(&self) -> bool {
        self.way.is_cluster()
    }

    /// All of them, as far as they are known.
    pub(crate) fn all(&self) -> Vec<Arc<Lines>> {
        self.map().shards.values().cloned().collect()
    }

    /// In which slot a key is; it does not matter where one server has all.
    pub(crate) fn slot(&self, key: &[u8]) -> u16 {
        if self.is_cluster() { slot_of(key) } else { 0 }
    }

    /// Who has this key.
    pub(crate) fn of(&self, key: &[u8]) -> RedisResult<Arc<Lines>> {
        self.with(self.slot(key))
    }

    fn with(&self, slot: u16) -> RedisResult<Arc<Lines>> {
        self.owner(slot).ok_or_else(|| unavailable("no known server has this slot"))
    }

    fn owner(&self, slot: u16) -> Option<Arc<Lines>> {
        let map = self.map();
        if self.is_cluster() {
            map.owners.get(usize::from(slot)).cloned().flatten()
        } else {
            map.shards.values().next().cloned()
        }
    }

    /// Whoever listens there.
    pub(crate) fn at(&self, host: &str) -> Option<Arc<Lines>> {
        self.all().into_iter().find(|lines| lines.listens_at(host))
    }

    /// A node that was not known.
    pub(crate) fn add(&self, name: &str, host: &Host) -> RedisResult<Arc<Lines>> {
        let way = self.way.to_node(host)?;
        let lines = Lines::to_node(way, name, self.manner.clone());
        let lines = Arc::new(lines);
        self.map_mut().shards.insert(name.to_owned(), lines.clone());
        Ok(lines)
    }

    /// A node that is none any more, or no primary.
    pub(crate) fn remove(&self, name: &str) {
        self.map_mut().shards.remove(name);
        self.share_out();
    }

    /// Finds out anew who has which slot.
    pub(crate) fn share_out(&self) {
        let mut map = self.map_mut();
        if map.owners.is_empty() {
            return;
        }
        let mut claims: Vec<_> =
            map.shards.values().map(|lines| (lines.claim(), lines.clone())).collect();
        claims.sort_by_key(|(claim, _)| claim.epoch);
        map.owners.fill(None);
        // Whoever comes last has it.
        for (claim, lines) in claims {
            for slot in claim.slots.iter() {
                map.owners[usize::from(slot)] = Some(lines.clone());
            }
        }
    }

    /// What a server claims, as far as nobody else is known to have more right to it.
    pub(crate) fn claim_of(&self, lines: &Arc<Lines>) -> Claim {
        let mut claim = lines.claim();
        if !self.is_cluster() {
            return claim;
        }
        let map = self.map();
        for slot in claim.slots.clone().iter() {
            let owner = map.owners.get(usize::from(slot)).and_then(Option::as_ref);
            if !owner.is_some_and(|owner| Arc::ptr_eq(owner, lines)) {
                claim.slots.remove(slot);
            }
        }
        claim
    }

    /// Whether some of these slots are on their way, or claimed by somebody else who is as new as their owner.
    pub(crate) fn are_on_their_way(&self, slots: &Slots, owner: &Arc<Lines>) -> bool {
        let epoch = owner.claim().epoch;
        self.all().iter().any(|lines| {
            let claim = lines.claim();
            let is_rival = !Arc::ptr_eq(lines, owner) && claim.epoch >= epoch;
            let rivals = if is_rival { claim.slots } else { Slots::default() };
            !rivals.with(&claim.leaving).with(&claim.arriving).also_in(slots).is_empty()
        })
    }

    /// Those who have users.
    pub(crate) fn holders(&self) -> Vec<Arc<Lines>> {
        if !self.is_cluster() {
            return self.all();
        }
        let mut holders: Vec<Arc<Lines>> = Vec::new();
        for owner in self.map().owners.iter().flatten() {
            if !holders.iter().rev().any(|holder| Arc::ptr_eq(holder, owner)) {
                holders.push(owner.clone());
            }
        }
        holders
    }

    /// Somebody heard that a slot is elsewhere: whoever seemed to have it is asked.
    pub(crate) fn doubt_slot(&self, slot: u16) {
        if let Some(owner) = self.owner(slot) {
            owner.doubt_slot(slot);
        }
        self.all().iter().for_each(|lines| lines.hurry());
        self.moved.notify_one();
    }

    // --- belief ---

    /// A line on which this user may be asked about, and whose it is. Where one server has all, nobody
    /// needs the key.
    pub(crate) fn believed_about(
        &self,
        user_id: u64,
        key: impl FnOnce() -> String,
    ) -> RedisResult<Believed> {
        let slot = if self.is_cluster() { slot_of(key().as_bytes()) } else { 0 };
        let lines = self.with(slot)?;
        let (line, ledgers) = lines.believed_about(user_id, slot, &self.behind())?;
        Ok(Believed { lines, line, life: ledgers })
    }

    /// On how many tokens verdicts are kept, if any are.
    pub(crate) fn keeps(&self) -> Option<usize> {
        self.keeps
    }

    /// Whether Redis is there and lacks nothing, for every user there could be.
    pub(crate) fn is_believed(&self) -> bool {
        self.is_whole() && self.holders().iter().all(|lines| lines.is_believed())
    }

    /// Whether whoever has this key is believed about what is in its slot.
    pub(crate) fn is_believed_of(&self, key: &[u8]) -> bool {
        self.of(key).is_ok_and(|lines| lines.is_believed_of(self.slot(key)))
    }

    /// Whether every slot is somebody's.
    pub(crate) fn is_whole(&self) -> bool {
        let map = self.map();
        !map.shards.is_empty() && map.owners.iter().all(Option::is_some)
    }

    /// The worst that can be said of any of them.
    pub(crate) fn condition(&self) -> Condition {
        let worst = self.holders().iter().map(|lines| lines.condition()).max();
        match worst {
            Some(worst) if self.is_whole() => worst,
            Some(_) | None => Condition::Unreachable,
        }
    }

    // --- users ---

    /// A delivery begins; until it has succeeded Redis is not believed about this user.
    pub(crate) fn begin_delivery(&self, user_id: u64) -> Delivery {
        self.behind_mut().begin_delivery(user_id)
    }

    /// The same for a change that goes by itself, if nothing else may wait.
    pub(crate) fn begin_delivery_of_own(&self, user_id: u64) -> (Delivery, bool) {
        let mut behind = self.behind_mut();
        let may_go_alone = !behind.is_behind(user_id);
        (behind.begin_delivery(user_id), may_go_alone)
    }

    /// Redis is not believed about these users until a delivery has succeeded.
    pub(crate) fn doubt_about(&self, users: &[u64]) {
        self.behind_mut().doubt_about(users);
    }

    /// Whether this instance knows for whom something waits that it has answered for.
    pub(crate) fn knows_all_who_wait(&self) -> bool {
        self.behind().knows_all_who_wait()
    }

    /// Redis is not believed about anybody for whom something waited when this was asked.
    pub(crate) fn note_all_who_wait(&self) {
        self.behind_mut().note_all_who_wait();
    }

    /// Redis has confirmed everything, unless a later delivery is on its way.
    pub(crate) fn delivered(&self, user_id: u64, delivery: Delivery) {
        // First: a change that was answered here is not answered from before it, whoever has the user.
        self.all().iter().for_each(|lines| lines.kept.forget(user_id));
        self.behind_mut().delivered(user_id, delivery);
    }

    /// Users whose ledger may lack something.
    pub(crate) fn behind_now(&self) -> Vec<u64> {
        self.behind().behind()
    }

    fn map(&self) -> RwLockReadGuard<'_, Map> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn map_mut(&self) -> RwLockWriteGuard<'_, Map> {
        self.map.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn behind(&self) -> RwLockReadGuard<'_, Behind> {
        self.behind.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn behind_mut(&self) -> RwLockWriteGuard<'_, Behind> {
        self.behind.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
