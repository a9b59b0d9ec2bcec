//! Chance that is the same on every machine and in every version: a seed is a replay.

/// `SplitMix64`. A library's default generator may change, and with it what the page says.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From this seed on.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to below 1, all alike.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// How long until what happens this often on average, at random, happens.
    pub fn wait(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.share()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_have_their_mean_and_a_seed_its_row() {
        let mut random = Random::new(7);
        let sum: f64 = (0..100_000).map(|_| random.wait(3.0)).sum();
        assert!((sum / 100_000.0 - 3.0).abs() < 0.03, "{}", sum / 100_000.0);
        let row = |seed| {
            let mut random = Random::new(seed);
            [(); 3].map(|()| random.share().to_bits())
        };
        assert_eq!(row(1), row(1));
        assert_ne!(row(1), row(2));
    }
}
