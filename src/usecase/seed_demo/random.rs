//! Chance that can be repeated: the same seed gives the same network. Not for secrets: those come from the operating
//! system.

/// SplitMix64.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// A stream of its own for each part of the seed, so that one part can change without moving the others.
    pub(super) fn new(seed: u64, part: &str) -> Self {
        let start = part.bytes().fold(seed ^ 0x9e37_79b9_7f4a_7c15, |state, byte| {
            (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(start)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `end` - 1; 0 for an `end` of 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        // The remainder favours small numbers by less than one in a billion here.
        usize::try_from(self.next() >> 1)
            .unwrap_or(0)
            .checked_rem(end)
            .unwrap_or(0)
    }

    /// `first` to `last`, both included.
    pub(super) fn between(&mut self, first: i64, last: i64) -> i64 {
        let width = usize::try_from(last - first + 1).unwrap_or(1);
        first + i64::try_from(self.below(width)).unwrap_or(0)
    }

    /// True so many times in a thousand.
    pub(super) fn per_mille(&mut self, chance: usize) -> bool {
        self.below(1_000) < chance
    }

    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// The index of one of these weights, as often as it weighs.
    pub(super) fn weighted(&mut self, weights: impl Iterator<Item = usize> + Clone) -> usize {
        let mut left = self.below(weights.clone().sum());
        for (index, weight) in weights.enumerate() {
            if left < weight {
                return index;
            }
            left -= weight;
        }
        0
    }

    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.below(end + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_each_part_its_own() {
        let numbers = |seed, part| {
            let mut random = Random::new(seed, part);
            [random.next(), random.next(), random.next()]
        };
        assert_eq!(numbers(1, "readers"), numbers(1, "readers"));
        assert_ne!(numbers(1, "readers"), numbers(2, "readers"));
        assert_ne!(numbers(1, "readers"), numbers(1, "items"));
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        let mut random = Random::new(7, "bounds");
        for _ in 0..1_000 {
            assert!((3..=5).contains(&random.between(3, 5)));
            assert!(random.below(3) < 3);
            assert_eq!(random.weighted([0, 4, 0].into_iter()), 1);
        }
        assert_eq!(random.below(0), 0);
    }
}
