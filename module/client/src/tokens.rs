//! Something known of each of a bounded number of tokens. Looking one up writes nothing that threads
//! share, however many look up the same one; whoever keeps something takes turns.
//!
//! The table has a fixed size: sets of six places, of which a token has two. So memory is known
//! beforehand, nothing ever grows or moves, and a reader meets a mark, a place and the token, no more.
//! A full table makes room as a clock does: a hand goes round, drops what is dead or was not looked up
//! since it last came by, and spares the rest once.

use std::hash::BuildHasher as _;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};

use arc_swap::ArcSwapAny;
use foldhash::fast::RandomState;
use triomphe::ThinArc;

/// So many bytes at the end of a token tell it from others; in a JWT they are its signature's.
const HASHED: usize = 32;
/// Places in a set, so that it is one cache line.
const WAYS: usize = 6;
/// So many are spared at most before one is dropped anyhow.
const PATIENCE: usize = 64;

/// What is known of tokens.
pub(crate) struct Tokens<T> {
    sets: Box<[Set<T>]>,
    keyed: RandomState,
    most: usize,
    turn: Mutex<Turn>,
}

#[repr(align(64))]
struct Set<T> {
    /// Some bits of the token at each place, so that few are looked at in vain; 0 where there is none.
    marks: [AtomicU16; WAYS],
    /// Most are empty, and to drop an empty one costs as much as to drop a full one: all threads are
    /// gone through. So it is left to the set, which knows the full ones by their marks.
    places: [ManuallyDrop<Place<T>>; WAYS],
}

type Place<T> = ArcSwapAny<Option<Held<T>>>;

/// A token's bytes and what is known of it, in one piece of memory.
type Held<T> = ThinArc<Head<T>, u8>;

struct Head<T> {
    value: T,
    /// Whether it was looked up since the hand came by.
    used: AtomicBool,
}

/// What whoever keeps something needs to know.
#[derive(Default)]
struct Turn {
    held: usize,
    hand: usize,
}

/// Where a token may be, and by which mark.
struct Spot {
    sets: [usize; 2],
    mark: u16,
}

impl<T: Send + Sync> Tokens<T> {
    /// Half as many places again as tokens, so that hardly ever both sets of one are full before the
    /// table is.
    pub(crate) fn new(most: usize) -> Self {
        let places = most.saturating_add(most / 2);
        let sets = places.div_ceil(WAYS).next_multiple_of(2).max(2);
        let sets = (0..sets).map(|_| Set::default()).collect();
        Self { sets, keyed: RandomState::default(), most, turn: Mutex::default() }
    }

    /// What is made of what is known of this token, all of whose bytes are compared.
    #[inline]
    pub(crate) fn find<R>(&self, token: &[u8], make: impl Fn(&T) -> R) -> Option<R> {
        let spot = self.spot(token);
        spot.sets.iter().find_map(|number| self.sets.get(*number)?.find(spot.mark, token, &make))
    }

    /// Keeps this of the token, in place of what was known of it. If there is no room, something
    /// goes, what `is_dead` first.
    pub(crate) fn keep(&self, token: &[u8], value: T, is_dead: impl Fn(&T) -> bool) {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let spot = self.spot(token);
        let used = AtomicBool::new(false);
        let held = ThinArc::from_header_and_slice(Head { value, used }, token);
        if let Some((set, way)) = self.place_of(&spot, token) {
            return self.put(set, way, spot.mark, Some(held));
        }
        if turn.held >= self.most {
            self.drop_one(&mut turn, &is_dead);
        }
        if let Some((set, way)) = self.free_place(&spot) {
            turn.held = turn.held.saturating_add(1);
            self.put(set, way, spot.mark, Some(held));
        } else if let Some((set, way)) = self.worst_place(&spot, &is_dead) {
            self.put(set, way, spot.mark, Some(held));
        }
    }

    /// Forgets all of them.
    pub(crate) fn clear(&self) {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.sets.iter().for_each(Set::clear);
        *turn = Turn::default();
    }

    pub(crate) fn len(&self) -> usize {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner).held
    }

    #[inline]
    fn spot(&self, token: &[u8]) -> Spot {
        let end = token.len().checked_sub(HASHED).and_then(|from| token.get(from..));
        let hash = self.keyed.hash_one(end.unwrap_or(token));
        // The upper half chooses one set and the lower the other, by their upper bits; the mark is of
        // the lower bits of both.
        let (one, other) = (hash >> 32, hash & 0xffff_ffff);
        let mark = (one & 0xff) << 8 | other & 0xff | 1;
        let mark = u16::try_from(mark).unwrap_or(1);
        let (first, second) = (self.scaled(one), self.scaled(other));
        // A token with both its places in one set would find less room than others.
        let second = if second == first { first ^ 1 } else { second };
        Spot { sets: [first, second], mark }
    }

    /// Thirty-two bits as the number of a set.
    #[inline]
    fn scaled(&self, bits: u64) -> usize {
        let sets = u64::try_from(self.sets.len()).unwrap_or(1);
        usize::try_from(bits.wrapping_mul(sets) >> 32).unwrap_or(0)
    }

    fn put(&self, set: usize, way: usize, mark: u16, held: Option<Held<T>>) {
        let Some(set) = self.sets.get(set) else { return };
        if let (Some(place), Some(old)) = (set.places.get(way), set.marks.get(way)) {
            place.store(held);
            old.store(mark, Ordering::Release);
        }
    }

    /// All places of a token.
    fn places(&self, spot: &Spot) -> impl Iterator<Item = (usize, usize, &Place<T>)> {
        spot.sets.into_iter().flat_map(|number| {
            let set = self.sets.get(number).into_iter();
            set.flat_map(move |set| {
                (0..).zip(&set.places).map(move |(way, it)| (number, way, &**it))
            })
        })
    }

    fn place_of(&self, spot: &Spot, token: &[u8]) -> Option<(usize, usize)> {
        let mut places = self.places(spot);
        let is_there =
            |place: &Place<T>| place.load().as_ref().is_some_and(|held| held.slice == *token);
        places.find_map(|(set, way, place)| is_there(place).then_some((set, way)))
    }

    fn free_place(&self, spot: &Spot) -> Option<(usize, usize)> {
        let mut places = self.places(spot);
        places.find_map(|(set, way, place)| place.load().is_none().then_some((set, way)))
    }

    /// Both sets are full though the table is not: one of theirs has to go.
    fn worst_place(&self, spot: &Spot, is_dead: &impl Fn(&T) -> bool) -> Option<(usize, usize)> {
        let mut first = None;
        for (set, way, place) in self.places(spot) {
            if place.load().as_ref().is_some_and(|held| !spares(held, is_dead)) {
                return Some((set, way));
            }
            first = first.or(Some((set, way)));
        }
        first
    }

    fn drop_one(&self, turn: &mut Turn, is_dead: &impl Fn(&T) -> bool) {
        let mut spared = 0;
        let all = self.sets.len().saturating_mul(WAYS);
        for _ in 0..all.saturating_mul(2) {
            let (number, way) = (turn.hand / WAYS, turn.hand % WAYS);
            turn.hand = turn.hand.saturating_add(1) % all;
            let place = self.sets.get(number).and_then(|set| set.places.get(way));
            let Some(held) = place.and_then(|place| place.load_full()) else { continue };
            if spares(&held, is_dead) && spared < PATIENCE {
                spared += 1;
                continue;
            }
            self.put(number, way, 0, None);
            turn.held = turn.held.saturating_sub(1);
            return;
        }
    }
}

impl<T> Set<T> {
    #[inline]
    fn find<R>(&self, mark: u16, token: &[u8], make: &impl Fn(&T) -> R) -> Option<R> {
        let all = self.marks.iter().zip(&self.places);
        let mut alike = all.filter(|(it, _)| it.load(Ordering::Acquire) == mark);
        alike.find_map(|(_, place)| {
            let kept = place.load();
            let Head { value, used } =
                &kept.as_ref().filter(|it| it.slice == *token)?.header.header;
            // Written once a round of the hand: a hit must not take the line from others.
            if !used.load(Ordering::Relaxed) {
                used.store(true, Ordering::Relaxed);
            }
            Some(make(value))
        })
    }

    /// What is empty is not touched.
    fn clear(&self) {
        for (mark, place) in self.marks.iter().zip(&self.places) {
            if mark.load(Ordering::Acquire) != 0 {
                place.store(None);
                mark.store(0, Ordering::Release);
            }
        }
    }
}

impl<T> Drop for Set<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Whether the hand goes on, having taken note.
fn spares<T>(held: &Held<T>, is_dead: &impl Fn(&T) -> bool) -> bool {
    let Head { value, used } = &held.header.header;
    !is_dead(value) && used.swap(false, Ordering::Relaxed)
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self { marks: Default::default(), places: std::array::from_fn(|_| ManuallyDrop::default()) }
    }
}

#[cfg(test)]
mod tests;
