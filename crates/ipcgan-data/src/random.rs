//! Counter-based randomness: the numbers of item `index` in epoch `epoch` do not depend on earlier items.
//!
//! So a run resumed at step `k` sees the same items as an uninterrupted run, with any number of threads.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// A random number generator for `seed`, `epoch` and `index`.
pub fn random(seed: u64, epoch: u64, index: u64) -> impl Rng {
    Pcg64Mcg::seed_from_u64(mixed(mixed(mixed(seed) ^ epoch) ^ index))
}

/// Element `index` of a random permutation of `0..len`, different in each epoch.
///
/// Cycle walking with a Feistel network on the next power of four: it is repeated until the result is below `len`
/// (Black, Rogaway: Ciphers with Arbitrary Finite Domains, 2002). It needs neither memory nor earlier elements.
///
/// # Panics
/// If `index` is not below `len`.
pub fn permuted_index(index: usize, len: usize, seed: u64, epoch: u64) -> usize {
    assert!(index < len, "index {index} is outside of a permutation of {len}");
    let half_bits = (usize::BITS - (len - 1).leading_zeros()).div_ceil(2).max(1);
    let key = mixed(mixed(seed) ^ epoch);
    let mut place = index as u64;
    loop {
        place = feistel(place, half_bits, key);
        if place < len as u64 {
            return place as usize;
        }
    }
}

/// A permutation of the integers of `2 * half_bits` bits.
fn feistel(number: u64, half_bits: u32, key: u64) -> u64 {
    // Four rounds suffice for large halves, but leave patterns in halves of one or two bits.
    const ROUNDS: u64 = 8;
    let mask = (1 << half_bits) - 1;
    let [mut left, mut right] = [number >> half_bits, number & mask];
    for round in 0..ROUNDS {
        [left, right] = [right, left ^ (mixed(key ^ (round << 56) ^ right) & mask)];
    }
    left << half_bits | right
}

/// A well-mixed hash of `number` (SplitMix64: Steele, Lea, Flood, OOPSLA 2014).
pub(crate) fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(len: usize, seed: u64, epoch: u64) -> Vec<usize> {
        (0..len).map(|index| permuted_index(index, len, seed, epoch)).collect()
    }

    #[test]
    fn a_permutation_has_every_index_once() {
        for len in [1, 2, 3, 4, 5, 16, 17, 100, 1000] {
            let mut positions = order(len, 7, 3);

            positions.sort_unstable();

            assert_eq!(positions, (0..len).collect::<Vec<_>>());
        }
    }

    #[test]
    fn permutations_differ_by_epoch_and_seed() {
        assert_eq!(order(50, 1, 0), order(50, 1, 0));
        assert_ne!(order(50, 1, 0), order(50, 1, 1));
        assert_ne!(order(50, 1, 0), order(50, 2, 0));
    }

    #[test]
    fn each_index_comes_first_equally_often() {
        let mut counts = [0_u32; 5];

        (0..5000).for_each(|epoch| counts[permuted_index(0, 5, 1, epoch)] += 1);

        // Five standard deviations of a binomial count of 5000 at 1/5.
        assert!(counts.iter().all(|&count| count.abs_diff(1000) < 142), "{counts:?}");
    }

    #[test]
    fn generators_are_reproducible_and_differ_by_seed_epoch_and_index() {
        let first = |seed, epoch, index| random(seed, epoch, index).next_u64();

        assert_eq!(first(1, 2, 3), first(1, 2, 3));
        assert_ne!(first(1, 2, 3), first(2, 2, 3));
        assert_ne!(first(1, 2, 3), first(1, 3, 3));
        assert_ne!(first(1, 2, 3), first(1, 2, 4));
        assert_ne!(first(1, 2, 3), first(1, 3, 2));
    }
}
