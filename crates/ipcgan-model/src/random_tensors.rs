//! Random tensors of tests, the same in every run: the seed of a device is shared by all threads.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// A sequence of random tensors on the CPU.
pub(crate) struct RandomTensors(Pcg64Mcg);

impl RandomTensors {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed))
    }

    /// The next tensor, of values in `range`.
    pub(crate) fn uniform<const D: usize>(&mut self, shape: [usize; D], range: Range<f32>) -> Tensor<D> {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| self.0.random_range(range.clone())).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }
}
