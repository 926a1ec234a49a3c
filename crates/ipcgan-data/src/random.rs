//! Counter-based randomness: the numbers of item `index` in epoch `epoch` do not depend on earlier items.
//!
//! So a run that goes on at step `k` meets the very items that an unbroken run meets there, in any number of threads.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// A random number generator for `seed`, `epoch` and `index`.
pub fn random(seed: u64, epoch: u64, index: u64) -> impl Rng {
    Pcg64Mcg::seed_from_u64(mixed(mixed(mixed(seed) ^ epoch) ^ index))
}

/// Element `index` of a random permutation of `0..len`, different in each epoch.
///
/// A Feistel network on the next power of four, followed until it comes back below `len` (Black, Rogaway: Ciphers
/// with Arbitrary Finite Domains, 2002): the order needs neither memory nor the positions before this one.
///
/// # Panics
/// If `index` is not below `len`.
pub fn permuted_index(index: usize, len: usize, seed: u64, epoch: u64) -> usize {
    assert!(index < len, "position {index} is outside of an order of {len}");
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

/// A permutation of the numbers of `2 * half_bits` bits.
fn feistel(number: u64, half_bits: u32, key: u64) -> u64 {
    // Four rounds are enough for large halves, but leave traces of the order in halves of one or two bits.
    const ROUNDS: u64 = 8;
    let mask = (1 << half_bits) - 1;
    let [mut left, mut right] = [number >> half_bits, number & mask];
    for round in 0..ROUNDS {
        [left, right] = [right, left ^ (mixed(key ^ (round << 56) ^ right) & mask)];
    }
    left << half_bits | right
}

/// A number that shares no pattern with `number` (SplitMix64: Steele, Lea, Flood, OOPSLA 2014).
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
    fn an_order_holds_every_position_once() {
        for len in [1, 2, 3, 4, 5, 16, 17, 100, 1000] {
            let mut positions = order(len, 7, 3);

            positions.sort_unstable();

            assert_eq!(positions, (0..len).collect::<Vec<_>>());
        }
    }

    #[test]
    fn epochs_and_seeds_have_orders_of_their_own() {
        assert_eq!(order(50, 1, 0), order(50, 1, 0));
        assert_ne!(order(50, 1, 0), order(50, 1, 1));
        assert_ne!(order(50, 1, 0), order(50, 2, 0));
    }

    #[test]
    fn each_position_comes_first_about_equally_often() {
        let mut counts = [0_u32; 5];

        (0..5000).for_each(|epoch| counts[permuted_index(0, 5, 1, epoch)] += 1);

        // Five standard deviations of a binomial count of 5000 at 1/5.
        assert!(counts.iter().all(|&count| count.abs_diff(1000) < 142), "{counts:?}");
    }

    #[test]
    fn streams_repeat_and_differ_by_each_number() {
        let first = |seed, epoch, index| random(seed, epoch, index).next_u64();

        assert_eq!(first(1, 2, 3), first(1, 2, 3));
        assert_ne!(first(1, 2, 3), first(2, 2, 3));
        assert_ne!(first(1, 2, 3), first(1, 3, 3));
        assert_ne!(first(1, 2, 3), first(1, 2, 4));
        assert_ne!(first(1, 2, 3), first(1, 3, 2));
    }
}
