//! Where a digest belongs: a keyed hash, because digests are chosen by whoever revokes tokens.

use std::hash::{BuildHasher, RandomState};

use crate::Digest;

/// The key of a table. Random, so that nobody can choose digests that share a bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seeds([u64; 2]);

impl Seeds {
    pub(super) fn random() -> Self {
        let random = RandomState::new();
        Self([random.hash_one(0), random.hash_one(1)])
    }

    /// Two folded multiplications over the four words of a digest, keyed by the seeds. The third spreads
    /// what they leave close together: of digests that differ in a few bits, under a seed with few.
    pub(super) fn hash(&self, digest: &Digest) -> usize {
        let (words, _) = digest.as_bytes().as_chunks::<8>();
        let word = |at: usize| words.get(at).map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let [first, second] = self.0;
        let hash = fold(word(0) ^ first, word(1) ^ second)
            ^ fold(word(2) ^ second.rotate_left(32), word(3) ^ first.rotate_left(32));
        usize::try_from(fold(hash, SPREAD)).unwrap_or(0)
    }
}

/// An odd number with bits set and clear all over (the golden ratio).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The mark of a hash: three bits, chosen by what does not choose its bucket. Of eight rows' marks
/// it passes one in thirty by chance; a single bit would pass one in eight.
pub(super) fn mark(hash: usize) -> u64 {
    let bit =
        |shift: u32| 1_u64.wrapping_shl(u32::try_from(hash.wrapping_shr(shift) & 63).unwrap_or(0));
    bit(58) | bit(52) | bit(46)
}

/// The two halves of the 128-bit product, folded onto each other.
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left).wrapping_mul(u128::from(right)).to_le_bytes();
    let (halves, _) = product.as_chunks::<8>();
    halves.iter().fold(0, |folded, half| folded ^ u64::from_le_bytes(*half))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revoked::tests::digest;

    #[test]
    fn digests_that_are_close_together_are_spread_under_a_seed_with_few_bits() {
        let seeds = Seeds([1 << 20, 1 << 40]);
        let mut rows = vec![0_u32; 4_096];
        for n in 0..32_768 {
            rows[seeds.hash(&digest(n)) & 4_095] += 1;
        }
        assert!(rows.iter().all(|rows| *rows < 40), "{:?} rows in one bucket", rows.iter().max());
    }
}
