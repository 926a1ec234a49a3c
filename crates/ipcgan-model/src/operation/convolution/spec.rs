//! The windows of convolutions, as kernels take them, and the algorithm of those on the CPU.

use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use ipcgan_kernels::{ConvAlgorithm, ConvParams};

/// The algorithm of all convolutions on the CPU: Winograd's where it applies and is faster.
pub(in super::super) const CONV_ALGORITHM: ConvAlgorithm = ConvAlgorithm::Winograd;

/// The window of the convolution whose adjoint doubles the sides: SAME pads an even number of pixels for a window of
/// three by one pixel, right and below.
pub(in super::super) const UPSAMPLE_PARAMS: ConvParams =
    ConvParams { kernel: 3, stride: 2, pad_before: 0, pad_after: 1, groups: 1 };

/// The layer's window over maps of `[height, width]`, if the kernels know its like: square, the same along both axes.
pub(in super::super) fn conv_params(layer: &Conv2d, [height, width]: [usize; 2]) -> Option<ConvParams> {
    let (kernel, stride) = (layer.kernel_size[0], layer.stride[0]);
    let same = |side: usize| {
        let total = ((side.div_ceil(stride) - 1) * stride + kernel).saturating_sub(side);
        (total / 2, total - total / 2)
    };
    let [rows, columns] = match layer.padding {
        PaddingConfig2d::Same => [same(height), same(width)],
        PaddingConfig2d::Valid => [(0, 0); 2],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
    };
    let square = layer.kernel_size == [kernel; 2] && layer.stride == [stride; 2] && layer.dilation == [1; 2];
    let params = ConvParams { kernel, stride, pad_before: rows.0, pad_after: rows.1, groups: layer.groups };
    (square && rows == columns).then_some(params)
}
