//! Conversion between tensors of Burn's CPU backend and NHWC slices of the kernels.

use burn::backend::Flex;
use burn::tensor::{Bytes, DType, Shape, Tensor};
use burn_flex::{FlexTensor, Layout};
use ipcgan_kernels::Nhwc;

/// A tensor of feature maps in NHWC order.
#[derive(Clone, Debug)]
pub(super) struct NhwcTensor {
    /// `[batch, height, width, channels]`, contiguous.
    tensor: FlexTensor,
    pub(super) shape: Nhwc,
}

impl NhwcTensor {
    /// From `[batch, channels, height, width]` with any strides; copied only if it is not channels last in memory.
    pub(super) fn new(tensor: FlexTensor) -> Self {
        let tensor = contiguous(tensor.permute(&[0, 2, 3, 1]));
        let [batch, height, width, channels] = sizes(&tensor);
        Self { tensor, shape: Nhwc { batch, height, width, channels } }
    }

    pub(super) fn values(&self) -> &[f32] {
        values(&self.tensor)
    }

    /// `[batch, channels, height, width]`.
    pub(super) fn into_tensor(self) -> FlexTensor {
        self.tensor.permute(&[0, 3, 1, 2])
    }
}

/// A tensor `[batch, channels, height, width]` of `values` in channels-last order.
pub(super) fn nhwc_tensor(values: Vec<f32>, shape: Nhwc) -> FlexTensor {
    tensor(values, &[shape.batch, shape.height, shape.width, shape.channels]).permute(&[0, 3, 1, 2])
}

/// A contiguous tensor of `values`.
pub(super) fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    let layout = Layout::contiguous(Shape::from(shape.to_vec()));
    FlexTensor::new(Bytes::from_elems(values), layout, DType::F32)
}

pub(super) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }
}

/// The primitive of `tensor`, contiguous.
///
/// # Panics
/// If it is not on the CPU, without gradients.
pub(super) fn contiguous_flex<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    contiguous(tensor.try_into_primitive::<Flex>().expect("it is on the CPU, without gradients"))
}

/// The values of a contiguous tensor.
pub(super) fn values(tensor: &FlexTensor) -> &[f32] {
    let start = tensor.layout().start_offset();
    &tensor.storage::<f32>()[start..start + tensor.layout().num_elements()]
}

pub(super) fn sizes<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    tensor.layout().shape().dims()
}
