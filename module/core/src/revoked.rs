//! The revoked digests of a ledger, each with the instant its revocation may be forgotten.
//!
//! A blacklist of millions lives in one value inside a server that must never pause, so a table
//! that doubles and moves everything at once is out. This one grows by **linear hashing**: buckets
//! of about eight rows; whenever the average is exceeded one bucket, always the next in turn, is
//! split in two. One insertion moves a dozen rows at most, at any size, and no power of two is
//! ever half empty: a row costs its 40 bytes and a little slack.
//!
//! ```text
//! buckets 0 … n-1      row → hash & mask, where mask is the smallest 2^k - 1 ≥ n - 1;
//!                      a place not there yet (≥ n) → the bucket it will be split from
//! ```
//!
//! Beside the buckets lie their **marks**, 64 bits for each: a small filter that says of nearly every
//! digest that is not there that it is not there. All marks together are a fiftieth of the table and
//! stay in a near cache, which spares a check the walk to its bucket's rows, far away in memory.
//!
//! Rows leave only by expiring. Each write sweeps one bucket, in turn, and merges the last bucket
//! back when the table has become sparse.

mod growth;
mod hash;

use self::hash::{Seeds, mark};
use crate::pieces::{Pieces, bytes_of};
use crate::{Digest, Now, Relocate, UnixMs};

/// A revoked token and the instant from which its revocation no longer matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Whose it is.
    pub digest: Digest,
    /// The token is dead by its own expiry from here on.
    pub expires: UnixMs,
}

/// What a revocation changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The token was good until now.
    New,
    /// It was revoked already and stays so for longer now.
    Extended,
    /// It was revoked for at least as long already, or the given instant has passed.
    Unchanged,
}

/// Rows a bucket holds on average before the next one is split.
const FULL: usize = 8;
/// Average below which the last bucket is merged back.
const SPARSE: usize = 3;
/// Buckets looked at to estimate the memory of a large table.
const SAMPLE: usize = 1024;

/// The table. Never empty for long: the ledger drops it with its last row.
#[derive(Clone, Debug)]
pub(crate) struct Revoked {
    buckets: Pieces<Vec<Row>>,
    /// How many buckets there are.
    width: usize,
    /// The marks of each bucket; none while there is one bucket only, whose rows are as near.
    marks: Pieces<u64>,
    rows: usize,
    /// The latest expiry ever stored. Rows leave only by expiring, so while any row is alive the
    /// row that brought this is alive too.
    latest: UnixMs,
    swept: usize,
    seeds: Seeds,
}

impl Revoked {
    pub(crate) fn new() -> Self {
        let mut buckets = Pieces::new();
        buckets.push(Vec::new());
        Self {
            buckets,
            width: 1,
            marks: Pieces::new(),
            rows: 0,
            latest: UnixMs(0),
            swept: 0,
            seeds: Seeds::random(),
        }
    }

    /// Stored rows, expired ones that are not swept yet included.
    pub(crate) const fn len(&self) -> usize {
        self.rows
    }

    pub(crate) const fn buckets(&self) -> usize {
        self.width
    }

    /// From here on no row is alive.
    pub(crate) const fn latest(&self) -> UnixMs {
        self.latest
    }

    #[cfg(test)]
    pub(crate) fn contains(&self, digest: &Digest, now: impl Now) -> bool {
        self.find(digest, now).is_some()
    }

    /// The row of a token that is revoked now.
    pub(crate) fn find(&self, digest: &Digest, now: impl Now) -> Option<&Row> {
        let hash = self.seeds.hash(digest);
        let place = self.place(hash);
        let may_be_there =
            self.marks.get(place).is_none_or(|marks| marks & mark(hash) == mark(hash));
        if !may_be_there {
            return None;
        }
        let mut rows = self.bucket(place).iter();
        rows.find(|row| row.digest == *digest && !now.has_reached(row.expires))
    }

    /// Revokes until `expires`; never shortens.
    pub(crate) fn insert(&mut self, digest: Digest, expires: UnixMs, now: UnixMs) -> Revocation {
        let hash = self.seeds.hash(&digest);
        let place = self.place(hash);
        let Some(bucket) = self.buckets.get_mut(place) else { return Revocation::Unchanged };
        if expires <= now {
            return Revocation::Unchanged;
        }
        let change = match bucket.iter_mut().find(|row| row.digest == digest) {
            Some(row) if row.expires <= now => {
                row.expires = expires;
                Revocation::New
            }
            Some(row) if row.expires < expires => {
                row.expires = expires;
                Revocation::Extended
            }
            Some(_) => return Revocation::Unchanged,
            None => {
                push(bucket, Row { digest, expires });
                if let Some(marks) = self.marks.get_mut(place) {
                    *marks |= mark(hash);
                }
                self.rows = self.rows.saturating_add(1);
                Revocation::New
            }
        };
        self.latest = self.latest.max(expires);
        if self.rows > self.width.saturating_mul(FULL) {
            self.split();
        }
        change
    }

    /// Drops the expired rows of the next bucket in turn.
    pub(crate) fn sweep(&mut self, now: UnixMs) {
        let turn = if self.swept < self.width { self.swept } else { 0 };
        self.swept = turn.saturating_add(1);
        let Some(bucket) = self.buckets.get_mut(turn) else { return };
        let mut rows = core::mem::take(bucket);
        let before = rows.len();
        rows.retain(|row| now < row.expires);
        let dropped = before.saturating_sub(rows.len());
        if dropped > 0 {
            rows.shrink_to_fit();
        }
        self.fill(turn, rows);
        self.rows = self.rows.saturating_sub(dropped);
        if self.width > 1 && self.rows < self.width.saturating_mul(SPARSE) {
            self.merge();
        }
    }

    /// Every stored row, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.buckets.iter().flatten()
    }

    /// Bytes allocated, where `usable` tells what the allocator really takes for a request.
    /// Large tables are sampled evenly, because split and unsplit buckets differ in size.
    pub(crate) fn allocated(&self, usable: fn(usize) -> usize) -> usize {
        let step = self.width.div_ceil(SAMPLE).max(1);
        let sampled = || (0..self.width).step_by(step);
        let in_sample: usize = sampled().map(|place| usable(bytes_of(self.bucket(place)))).sum();
        let rows = in_sample.saturating_mul(self.width).checked_div(sampled().count()).unwrap_or(0);
        rows.saturating_add(self.buckets.allocated(usable))
            .saturating_add(self.marks.allocated(usable))
    }

    /// Hands the allocations from bucket `from` on to `relocate` until it has had enough; answers
    /// where to go on, or `None` when all were handed over.
    pub(crate) fn relocate(&mut self, from: usize, relocate: &mut impl Relocate) -> Option<usize> {
        if from == 0 {
            self.buckets.relocate(relocate);
            self.marks.relocate(relocate);
        }
        for place in from..self.width {
            if let Some(bucket) = self.buckets.get_mut(place) {
                relocate.buffer(bucket);
            }
            let next = place.saturating_add(1);
            if next < self.width && relocate.enough() {
                return Some(next);
            }
        }
        None
    }

    fn bucket(&self, place: usize) -> &Vec<Row> {
        static NONE: Vec<Row> = Vec::new();
        self.buckets.get(place).unwrap_or(&NONE)
    }
}

/// Adds a row, growing by two: a bucket is small and there are many of them.
fn push(rows: &mut Vec<Row>, row: Row) {
    if rows.len() == rows.capacity() {
        rows.reserve_exact(2);
    }
    rows.push(row);
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    pub(super) fn digest(n: u64) -> Digest {
        let mut bytes = [0; 32];
        bytes[24..].copy_from_slice(&n.to_be_bytes());
        Digest::from_bytes(bytes)
    }

    #[test]
    fn a_table_of_any_size_agrees_with_a_map() {
        let mut table = Revoked::new();
        let mut map = HashMap::new();
        for n in 0..20_000_u64 {
            let (key, expires) = (digest(n * 7919 % 15_000), UnixMs(1 + n % 1000));
            table.insert(key, expires, UnixMs(0));
            let known = map.entry(key).or_insert(expires);
            *known = (*known).max(expires);
        }
        assert_eq!(table.len(), map.len());
        assert_eq!(
            table.iter().map(|row| (row.digest, row.expires)).collect::<HashMap<_, _>>(),
            map
        );
        for now in [0, 500, 999, 1000].map(UnixMs) {
            for (key, expires) in &map {
                assert_eq!(table.contains(key, now), now < *expires);
            }
        }
        assert!(!table.contains(&digest(1 << 60), UnixMs(0)));
    }

    #[test]
    fn the_filter_turns_nearly_every_stranger_away() {
        let mut table = Revoked::new();
        for n in 0..100_000 {
            table.insert(digest(n), UnixMs(1), UnixMs(0));
        }
        let is_let_through = |n: &u64| {
            let hash = table.seeds.hash(&digest(*n));
            table.marks.get(table.place(hash)).is_some_and(|marks| marks & mark(hash) == mark(hash))
        };
        assert!((0..100_000).all(|n| is_let_through(&n)));
        let strangers = (100_000..200_000).filter(is_let_through).count();
        // One in twenty is expected where half of the buckets wait for their split.
        assert!(strangers < 8_000, "{strangers} of 100,000");
    }

    #[test]
    fn memory_is_told_within_a_few_percent() {
        let mut table = Revoked::new();
        for n in 0..30_000 {
            table.insert(digest(n), UnixMs(1), UnixMs(0));
        }
        let rows: usize = table.buckets.iter().map(bytes_of).sum();
        let bytes = |bytes| bytes;
        let truth = rows + table.buckets.allocated(bytes) + table.marks.allocated(bytes);
        let told = table.allocated(|bytes| bytes);
        assert!(told.abs_diff(truth) * 20 < truth, "told {told}, is {truth}");
        assert!(truth / table.len() <= 56, "{} bytes a row", truth / table.len());
    }
}
