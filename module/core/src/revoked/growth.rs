//! How the table grows and shrinks: by one bucket at a time, whatever its size.

use super::{Revoked, Row};
use crate::revoked::hash::mark;

impl Revoked {
    /// Adds a bucket and moves to it what belongs there from the bucket that stood in for it.
    pub(super) fn split(&mut self) {
        let added = self.width;
        self.width = added.saturating_add(1);
        let source = stand_in(added);
        let belongs = |row: &&Row| self.place(self.seeds.hash(&row.digest)) == added;
        let (moving, staying): (Vec<Row>, Vec<Row>) = self.bucket(source).iter().partition(belongs);
        self.buckets.push(Vec::new());
        if self.marks.is_empty() {
            self.marks.push(0);
        }
        self.marks.push(0);
        self.fill(source, exact(&staying));
        self.fill(added, exact(&moving));
    }

    /// Puts rows in place of those of a bucket.
    pub(super) fn fill(&mut self, place: usize, rows: Vec<Row>) {
        let all = rows.iter().fold(0, |all, row| all | mark(self.seeds.hash(&row.digest)));
        if let Some(marks) = self.marks.get_mut(place) {
            *marks = all;
        }
        if let Some(bucket) = self.buckets.get_mut(place) {
            *bucket = rows;
        }
    }

    /// Takes the last bucket away and gives its rows back to the bucket they came from.
    pub(super) fn merge(&mut self) {
        let last = self.width.saturating_sub(1);
        let rows = self.buckets.pop().unwrap_or_default();
        let all = self.marks.pop().unwrap_or_default();
        self.width = last;
        let target = stand_in(last);
        if let Some(bucket) = self.buckets.get_mut(target) {
            bucket.reserve_exact(rows.len());
            bucket.extend(rows);
        }
        if let Some(marks) = self.marks.get_mut(target) {
            *marks |= all;
        }
    }

    /// The bucket that a digest of this hash belongs to.
    pub(super) fn place(&self, hash: usize) -> usize {
        let mask = self.width.checked_next_power_of_two().unwrap_or(0).wrapping_sub(1);
        let place = hash & mask;
        if place < self.width { place } else { place & (mask >> 1) }
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

/// A copy without spare capacity.
fn exact(rows: &[Row]) -> Vec<Row> {
    rows.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UnixMs;
    use crate::revoked::FULL;
    use crate::revoked::tests::digest;

    /// Counters as digests share all their leading bytes; buckets must not care.
    #[test]
    fn no_bucket_grows_long() {
        let mut table = Revoked::new();
        for n in 0..100_000 {
            table.insert(digest(n), UnixMs(1), UnixMs(0));
        }
        let longest = (0..table.buckets()).map(|place| table.bucket(place).len()).max();
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

    /// Every row passes the filter, and hardly anybody else: no bit is missing and none is left over.
    #[test]
    fn marks_are_those_of_the_rows_however_these_came_and_went() {
        let mut table = Revoked::new();
        for n in 0..30_000 {
            table.insert(digest(n * 7919), UnixMs(20_000 + n % 9_000), UnixMs(0));
            table.sweep(UnixMs(n));
            assert!(n % 1_000 > 0 || marks_are_exact(&table), "after {n}");
        }
        assert!(table.buckets() > 100, "it has grown");
        while table.buckets() > 2 {
            table.sweep(UnixMs(40_000));
            assert!(marks_are_exact(&table), "with {} buckets", table.buckets());
        }
    }

    fn marks_are_exact(table: &Revoked) -> bool {
        (0..table.buckets()).all(|place| {
            let of_row = |row: &Row| mark(table.seeds.hash(&row.digest));
            let expected = table.bucket(place).iter().map(of_row).fold(0, |all, one| all | one);
            table.marks.get(place).is_none_or(|marks| *marks == expected)
        })
    }
}
