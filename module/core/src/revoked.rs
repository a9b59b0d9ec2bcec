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
//! Rows leave only by expiring. Each write sweeps one bucket, in turn, and merges the last bucket
//! back when the table has become sparse.

use std::hash::{BuildHasher, RandomState};

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

/// Some rows, and a small filter over them: a digest whose mark is not set is not among the rows,
/// which spares most checks the walk to a far place of memory.
#[derive(Clone, Debug)]
struct Bucket {
    rows: Vec<Row>,
    marks: u64,
}

impl Bucket {
    const fn new() -> Self {
        Self { rows: Vec::new(), marks: 0 }
    }
}

/// Rows a bucket holds on average before the next one is split.
const FULL: usize = 8;
/// Average below which the last bucket is merged back.
const SPARSE: usize = 3;
/// Buckets in one piece of the directory, so that growing the directory moves little as well.
const PIECE: usize = 512;
/// Buckets looked at to estimate the memory of a large table.
const SAMPLE: usize = 1024;

/// The table. Never empty for long: the ledger drops it with its last row.
#[derive(Clone, Debug)]
pub(crate) struct Revoked {
    /// Bucket `i` is `pieces[i / PIECE][i % PIECE]`.
    pieces: Vec<Vec<Bucket>>,
    buckets: usize,
    rows: usize,
    /// The latest expiry ever stored. Rows leave only by expiring, so while any row is alive the
    /// row that brought this is alive too.
    latest: UnixMs,
    swept: usize,
    /// Random, so that nobody can choose digests that share a bucket.
    seeds: [u64; 2],
}

impl Revoked {
    pub(crate) fn new() -> Self {
        let random = RandomState::new();
        Self {
            pieces: vec![vec![Bucket::new()]],
            buckets: 1,
            rows: 0,
            latest: UnixMs(0),
            swept: 0,
            seeds: [random.hash_one(0), random.hash_one(1)],
        }
    }

    /// Stored rows, expired ones that are not swept yet included.
    pub(crate) const fn len(&self) -> usize {
        self.rows
    }

    pub(crate) const fn buckets(&self) -> usize {
        self.buckets
    }

    /// From here on no row is alive.
    pub(crate) const fn latest(&self) -> UnixMs {
        self.latest
    }

    pub(crate) fn contains(&self, digest: &Digest, now: impl Now) -> bool {
        let hash = self.hash(digest);
        let bucket = self.bucket(self.place(hash));
        let mut rows = bucket.rows.iter();
        bucket.marks & mark(hash) != 0
            && rows.any(|row| row.digest == *digest && !now.has_reached(row.expires))
    }

    /// Revokes until `expires`; never shortens.
    pub(crate) fn insert(&mut self, digest: Digest, expires: UnixMs, now: UnixMs) -> Revocation {
        let hash = self.hash(&digest);
        let Some(bucket) = self.bucket_mut(self.place(hash)) else { return Revocation::Unchanged };
        if expires <= now {
            return Revocation::Unchanged;
        }
        let change = match bucket.rows.iter_mut().find(|row| row.digest == digest) {
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
                push(&mut bucket.rows, Row { digest, expires });
                bucket.marks |= mark(hash);
                self.rows = self.rows.saturating_add(1);
                Revocation::New
            }
        };
        self.latest = self.latest.max(expires);
        if self.rows > self.buckets.saturating_mul(FULL) {
            self.split();
        }
        change
    }

    /// Drops the expired rows of the next bucket in turn.
    pub(crate) fn sweep(&mut self, now: UnixMs) {
        let turn = if self.swept < self.buckets { self.swept } else { 0 };
        self.swept = turn.saturating_add(1);
        let Some(bucket) = self.bucket_mut(turn) else { return };
        let mut rows = core::mem::take(&mut bucket.rows);
        let before = rows.len();
        rows.retain(|row| now < row.expires);
        let dropped = before.saturating_sub(rows.len());
        if dropped > 0 {
            rows.shrink_to_fit();
        }
        self.fill(turn, rows);
        self.rows = self.rows.saturating_sub(dropped);
        if self.buckets > 1 && self.rows < self.buckets.saturating_mul(SPARSE) {
            self.merge();
        }
    }

    /// Every stored row, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.pieces.iter().flatten().flat_map(|bucket| &bucket.rows)
    }

    /// Bytes allocated, where `usable` tells what the allocator really takes for a request.
    /// Large tables are sampled evenly, because split and unsplit buckets differ in size.
    pub(crate) fn allocated(&self, usable: fn(usize) -> usize) -> usize {
        let step = self.buckets.div_ceil(SAMPLE).max(1);
        let sampled = || (0..self.buckets).step_by(step);
        let in_sample: usize =
            sampled().map(|place| usable(bytes_of(&self.bucket(place).rows))).sum();
        let directory: usize = self.pieces.iter().map(|piece| usable(bytes_of(piece))).sum();
        let rows =
            in_sample.saturating_mul(self.buckets).checked_div(sampled().count()).unwrap_or(0);
        rows.saturating_add(directory).saturating_add(usable(bytes_of(&self.pieces)))
    }

    /// Hands the allocations from bucket `from` on to `relocate` until it has had enough; answers
    /// where to go on, or `None` when all were handed over.
    pub(crate) fn relocate(&mut self, from: usize, relocate: &mut impl Relocate) -> Option<usize> {
        if from == 0 {
            relocate.buffer(&mut self.pieces);
            self.pieces.iter_mut().for_each(|piece| relocate.buffer(piece));
        }
        for place in from..self.buckets {
            if let Some(bucket) = self.bucket_mut(place) {
                relocate.buffer(&mut bucket.rows);
            }
            let next = place.saturating_add(1);
            if next < self.buckets && relocate.enough() {
                return Some(next);
            }
        }
        None
    }

    /// Adds a bucket and moves to it what belongs there from the bucket that stood in for it.
    fn split(&mut self) {
        let added = self.buckets;
        self.buckets = added.saturating_add(1);
        let source = stand_in(added);
        let belongs = |row: &&Row| self.place(self.hash(&row.digest)) == added;
        let (moving, staying): (Vec<Row>, Vec<Row>) =
            self.bucket(source).rows.iter().partition(belongs);
        match self.pieces.last_mut() {
            Some(piece) if piece.len() < PIECE => piece.push(Bucket::new()),
            _ => self.pieces.push(vec![Bucket::new()]),
        }
        self.fill(source, exact(&staying));
        self.fill(added, exact(&moving));
    }

    /// Puts rows in place of those of a bucket.
    fn fill(&mut self, place: usize, rows: Vec<Row>) {
        let marks = rows.iter().fold(0, |marks, row| marks | mark(self.hash(&row.digest)));
        if let Some(bucket) = self.bucket_mut(place) {
            *bucket = Bucket { rows, marks };
        }
    }

    /// Takes the last bucket away and gives its rows back to the bucket they came from.
    fn merge(&mut self) {
        let last = self.buckets.saturating_sub(1);
        let merged = self.pieces.last_mut().and_then(Vec::pop).unwrap_or(Bucket::new());
        if self.pieces.last().is_some_and(Vec::is_empty) {
            self.pieces.pop();
        }
        self.buckets = last;
        if let Some(target) = self.bucket_mut(stand_in(last)) {
            target.rows.reserve_exact(merged.rows.len());
            target.rows.extend(merged.rows);
            target.marks |= merged.marks;
        }
    }

    /// The bucket that a digest of this hash belongs to.
    fn place(&self, hash: usize) -> usize {
        let mask = self.buckets.checked_next_power_of_two().unwrap_or(0).wrapping_sub(1);
        let place = hash & mask;
        if place < self.buckets { place } else { place & (mask >> 1) }
    }

    /// Two folded multiplications over the four words of a digest, keyed by the seeds.
    fn hash(&self, digest: &Digest) -> usize {
        let (words, _) = digest.as_bytes().as_chunks::<8>();
        let word = |at: usize| words.get(at).map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let [first, second] = self.seeds;
        let hash = fold(word(0) ^ first, word(1) ^ second)
            ^ fold(word(2) ^ second.rotate_left(32), word(3) ^ first.rotate_left(32));
        usize::try_from(hash).unwrap_or(0)
    }

    fn bucket(&self, place: usize) -> &Bucket {
        static NONE: Bucket = Bucket::new();
        self.pieces.get(place / PIECE).and_then(|piece| piece.get(place % PIECE)).unwrap_or(&NONE)
    }

    fn bucket_mut(&mut self, place: usize) -> Option<&mut Bucket> {
        self.pieces.get_mut(place / PIECE)?.get_mut(place % PIECE)
    }
}

/// Where the rows of bucket `place` are while it does not exist: the same place without its
/// highest bit.
const fn stand_in(place: usize) -> usize {
    match place.checked_ilog2() {
        Some(highest) => place ^ 1_usize.wrapping_shl(highest),
        None => 0,
    }
}

/// The mark of a hash, by bits that do not choose its bucket.
fn mark(hash: usize) -> u64 {
    let highest = hash.wrapping_shr(usize::BITS.saturating_sub(6));
    1_u64.wrapping_shl(u32::try_from(highest).unwrap_or(0))
}

/// The two halves of the 128-bit product, folded onto each other.
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left).wrapping_mul(u128::from(right)).to_le_bytes();
    let (halves, _) = product.as_chunks::<8>();
    halves.iter().fold(0, |folded, half| folded ^ u64::from_le_bytes(*half))
}

/// A copy without spare capacity.
fn exact(rows: &[Row]) -> Vec<Row> {
    rows.to_vec()
}

/// Adds a row, growing by two: a bucket is small and there are many of them.
fn push(rows: &mut Vec<Row>, row: Row) {
    if rows.len() == rows.capacity() {
        rows.reserve_exact(2);
    }
    rows.push(row);
}

fn bytes_of<T>(buffer: &Vec<T>) -> usize {
    buffer.capacity().saturating_mul(size_of::<T>())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn digest(n: u64) -> Digest {
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

    /// Counters as digests share all their leading bytes; buckets must not care.
    #[test]
    fn no_bucket_grows_long() {
        let mut table = Revoked::new();
        for n in 0..100_000 {
            table.insert(digest(n), UnixMs(1), UnixMs(0));
        }
        let longest = (0..table.buckets()).map(|place| table.bucket(place).rows.len()).max();
        assert!(longest.is_some_and(|rows| rows < 64), "{longest:?} rows in one bucket");
        assert_eq!(table.buckets(), 100_000 / FULL);
    }

    #[test]
    fn sweeping_gives_everything_back_in_time() {
        let mut table = Revoked::new();
        for n in 0..10_000 {
            table.insert(digest(n), UnixMs(100), UnixMs(0));
        }
        table.insert(digest(1 << 40), UnixMs(200), UnixMs(0));
        let mut sweeps = 0;
        while table.len() > 1 {
            table.sweep(UnixMs(100));
            sweeps += 1;
            assert!(sweeps <= 2 * 10_000 / FULL, "still {} rows", table.len());
        }
        for _ in 0..2 * 10_000 / FULL {
            table.sweep(UnixMs(100));
        }
        assert_eq!(table.buckets(), 1);
        assert!(table.contains(&digest(1 << 40), UnixMs(100)));
    }

    #[test]
    fn memory_is_told_within_a_few_percent() {
        let mut table = Revoked::new();
        for n in 0..30_000 {
            table.insert(digest(n), UnixMs(1), UnixMs(0));
        }
        let rows: usize = table.pieces.iter().flatten().map(|bucket| bytes_of(&bucket.rows)).sum();
        let directory: usize =
            table.pieces.iter().map(bytes_of).sum::<usize>() + bytes_of(&table.pieces);
        let truth = rows + directory;
        let told = table.allocated(|bytes| bytes);
        assert!(told.abs_diff(truth) * 20 < truth, "told {told}, is {truth}");
        assert!(truth / table.len() <= 56, "{} bytes a row", truth / table.len());
    }
}
