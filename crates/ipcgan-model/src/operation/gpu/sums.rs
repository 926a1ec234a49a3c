//! Reductions of long axes, split into short ones.

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;

use super::{dims, reshaped};

/// Maximum number of values that one thread sums, if the length of the axis has a divisor up to it.
const MAX_TERMS: usize = 64;

/// `[parts, values, channels]` to `[parts, channels]`, the sums over the values.
pub(in crate::operation) fn sums<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let [parts, mut values, channels] = dims::<B, 3>(&x);
    let mut x = x;
    // Burn (0.22.1) sums an axis of length one wrongly in some layouts.
    while values > 1 {
        let together = short(values);
        values /= together;
        x = B::float_sum_dim(reshaped::<B, 3>(x, [parts * values, together, channels]), 1);
    }
    reshaped::<B, 2>(x, [parts, channels])
}

/// Number of values that one thread sums: the largest divisor of `values` up to [`MAX_TERMS`], or all of them.
fn short(values: usize) -> usize {
    (2..=MAX_TERMS.min(values)).rev().find(|together| values.is_multiple_of(*together)).unwrap_or(values)
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::Tensor;

    use super::*;
    use crate::random_tensors::RandomTensors;

    #[test]
    fn partial_sums_add_up_to_the_total() {
        for values in [1, 2, 67, 64, 4096, 6144, 3 * 67] {
            let x = RandomTensors::new(0).uniform([2, values, 3], -1.0..1.0);

            let found = sums::<Flex>(x.clone().try_into_primitive::<Flex>().unwrap());
            let found: Vec<f32> = Tensor::<2>::from_primitive::<Flex>(found).into_data().iter().collect();

            let x: Vec<f64> = x.into_data().iter().collect();
            for (place, found) in found.into_iter().enumerate() {
                let first = place / 3 * 3 * values + place % 3;
                let expected: f64 = (0..values).map(|value| x[first + 3 * value]).sum();
                assert!((f64::from(found) - expected).abs() < 1e-4, "{values}: {found} instead of {expected}");
            }
        }
    }

    #[test]
    fn each_thread_sums_few_values_where_the_count_can_be_divided() {
        assert_eq!([short(524_288), short(8), short(100), short(67)], [64, 8, 50, 67]);
    }
}
