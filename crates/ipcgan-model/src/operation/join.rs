//! Feature maps put together.

use burn::tensor::Tensor;

use super::kernels_for;

/// The channels of `x`, then those of `y`: `[batch, channels, height, width]` each.
pub(crate) fn joined_channels(x: Tensor<4>, y: Tensor<4>) -> Tensor<4> {
    if kernels_for(&x).is_none() {
        return Tensor::cat(vec![x, y], 1);
    }
    // Where the kernels left the channels last, they are joined as they lie.
    let [x, y] = [x, y].map(|maps| maps.permute([0, 2, 3, 1]));
    Tensor::cat(vec![x, y], 3).permute([0, 3, 1, 2])
}

/// The batches one after another: `[batch, channels, height, width]` each.
pub(crate) fn joined_batches(batches: Vec<Tensor<4>>) -> Tensor<4> {
    if kernels_for(&batches[0]).is_none() {
        return Tensor::cat(batches, 0);
    }
    let batches = batches.into_iter().map(|maps| maps.permute([0, 2, 3, 1])).collect();
    Tensor::cat(batches, 0).permute([0, 3, 1, 2])
}
