//! Copies of tensors into others on GPUs, of several in one launch.

use burn::backend::Cube;
use burn::tensor::{Int, Tensor};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::capture::in_place;
use super::kernel::{contiguous, empty_like, fixed};
use super::tensor_list::{for_each_launch, thread_stride};

/// Buffers of a copy.
const BUFFERS: usize = 2;
/// Bytes that a thread copies at once.
const WORD: usize = size_of::<u32>();

/// Copies of tensors on one GPU, in as few launches as possible.
#[derive(Default)]
pub struct TensorCopies(Vec<[CubeTensor; 2]>);

impl TensorCopies {
    /// Copies the values of `from` to the memory of `to`, which is contiguous.
    ///
    /// # Panics
    /// If one of them is not on a GPU, or they differ in shape or type.
    pub fn add<const D: usize>(&mut self, from: Tensor<D>, to: &Tensor<D>) {
        self.push(primitive(from), primitive(to.clone()));
    }

    /// As [`TensorCopies::add`].
    ///
    /// # Panics
    /// As there.
    pub fn add_int<const D: usize>(&mut self, from: Tensor<D, Int>, to: &Tensor<D, Int>) {
        self.push(int_primitive(from), int_primitive(to.clone()));
    }

    /// A copy of `tensor` in new memory, on the same device, with values after [`TensorCopies::launch`].
    ///
    /// # Panics
    /// If it is not on a GPU.
    pub fn duplicate<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
        let autodiff = tensor.device().is_autodiff();
        let duplicate = Tensor::from_primitive::<Cube>(self.push_duplicate(primitive(tensor)));
        if autodiff { duplicate.autodiff() } else { duplicate }
    }

    /// As [`TensorCopies::duplicate`].
    ///
    /// # Panics
    /// As there.
    pub fn duplicate_int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int> {
        let autodiff = tensor.device().is_autodiff();
        let duplicate = Tensor::from_primitive::<Cube>(self.push_duplicate(int_primitive(tensor)));
        if autodiff { duplicate.autodiff() } else { duplicate }
    }

    fn push_duplicate(&mut self, from: CubeTensor) -> CubeTensor {
        let to = empty_like(&from);
        self.push(from, to.clone());
        to
    }

    fn push(&mut self, from: CubeTensor, to: CubeTensor) {
        assert!(from.dtype == to.dtype && from.meta.shape() == to.meta.shape(), "both have one shape and type");
        self.0.push([contiguous(from), fixed(to)]);
    }

    /// Makes the copies.
    pub fn launch(self) {
        let Some([first, _]) = self.0.first() else { return };
        let client = first.client.clone();
        let words = |[from, _]: &[CubeTensor; 2]| (from.meta.num_elements() * from.dtype.size()).div_ceil(WORD);
        for_each_launch(&client, &self.0, BUFFERS, words, |grid, copies| {
            let argument = |pair: &[CubeTensor; 2]| {
                let [from, to] = pair.each_ref().map(|tensor| tensor.clone().into_buffer_arg());
                CopyTensorsLaunch::new(from, to, words(pair))
            };
            copy_kernel::launch(&client, grid.count(), grid.dim(), copies.iter().map(argument).collect(), grid.threads);
        });
    }
}

/// `new`; in a captured step its values in the memory of `old`. Both are without gradients.
pub(crate) fn in_memory_of<const D: usize>(old: Tensor<D>, new: Tensor<D>) -> Tensor<D> {
    if !in_place() {
        return new;
    }
    let mut copies = TensorCopies::default();
    copies.add(new, &old);
    copies.launch();
    old
}

fn primitive<const D: usize>(tensor: Tensor<D>) -> CubeTensor {
    tensor.without_autodiff().try_into_primitive::<Cube>().expect("it is on a GPU")
}

fn int_primitive<const D: usize>(tensor: Tensor<D, Int>) -> CubeTensor {
    tensor.without_autodiff().try_into_primitive::<Cube>().expect("it is on a GPU")
}

#[derive(CubeLaunch, CubeType)]
struct CopyTensors {
    from: Box<[u32]>,
    to: Box<[u32]>,
    length: usize,
}

#[cube(launch)]
fn copy_kernel(tensors: &mut Sequence<CopyTensors>, #[comptime] threads: usize) {
    let count = comptime![tensors.len()];
    #[unroll]
    for index in 0..count {
        if CUBE_POS_Y as usize == index {
            let tensor = tensors.index_mut(index);
            copy(tensor, threads);
        }
    }
}

#[cube]
fn copy(tensor: &mut CopyTensors, #[comptime] threads: usize) {
    let stride = thread_stride(tensor.length, threads);
    for iteration in 0..stride.iterations {
        let place = stride.first + iteration * stride.step;
        if place < tensor.length {
            let word = tensor.from[place];
            tensor.to[place] = word;
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Int;

    use super::super::tests::test_gpu;
    use super::*;
    use crate::operation::KernelLaunches;

    #[test]
    fn copies_of_several_tensors_share_a_launch_and_keep_every_bit() {
        let Some(gpu) = test_gpu() else { return };
        let values = Tensor::<1>::from_data([1.5, f32::NAN, -0.0], &gpu);
        let labels = Tensor::<1, Int>::from_data([7, -1], &gpu);
        let to = Tensor::<1>::zeros([3], &gpu);
        let (mut copy, mut labels_copy) = (None, None);

        let launches = KernelLaunches::of(|| {
            let mut copies = TensorCopies::default();
            copies.add(values.clone(), &to);
            copy = Some(copies.duplicate(values.clone()));
            labels_copy = Some(copies.duplicate_int(labels));
            copies.launch();
        });

        let bits = |tensor: Tensor<1>| tensor.into_data().iter::<f32>().map(f32::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(to), bits(values.clone()));
        assert_eq!(bits(copy.unwrap()), bits(values));
        assert_eq!(labels_copy.unwrap().into_data().iter::<i64>().collect::<Vec<_>>(), [7, -1]);
        assert_eq!(launches.total(), 1, "{launches}");
    }
}
