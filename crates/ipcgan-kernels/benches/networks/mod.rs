//! The convolutions of the published networks.

use ipcgan_kernels::{ConvParams, Nhwc};

/// Images in a batch.
pub(crate) const BATCH: usize = 4;

/// A convolution by name.
pub(crate) struct Layer {
    pub(crate) name: &'static str,
    pub(crate) input: Nhwc,
    pub(crate) output: Nhwc,
    pub(crate) params: ConvParams,
}

impl Layer {
    /// Outputs, and inputs of a group.
    pub(crate) fn channels(&self) -> [usize; 2] {
        [self.output.channels, self.input.channels / self.params.groups]
    }

    /// Number of weights.
    pub(crate) fn weights(&self) -> usize {
        self.channels().iter().product::<usize>() * self.params.kernel * self.params.kernel
    }

    /// Multiplications and additions of a direct convolution; either gradient has as many.
    pub(crate) fn operations(&self) -> u64 {
        2 * (self.weights() * self.output.pixels()) as u64
    }
}

/// All of them.
pub(crate) fn layers() -> Vec<Layer> {
    // Side of the input, channels in and out, and kernel, stride, padding before and after, groups.
    let layer =
        |name, side, [inputs, channels]: [usize; 2], [kernel, stride, pad_before, pad_after, groups]: [usize; 5]| {
            let params = ConvParams { kernel, stride, pad_before, pad_after, groups };
            let input = Nhwc { batch: BATCH, height: side, width: side, channels: inputs };
            let side = params.output_side(side);
            Layer { name, input, output: Nhwc { height: side, width: side, channels, ..input }, params }
        };
    vec![
        layer("generator stem", 128, [8, 32], [7, 1, 3, 3, 1]),
        layer("generator down1", 128, [32, 64], [3, 2, 0, 1, 1]),
        layer("generator down2", 64, [64, 128], [3, 2, 0, 1, 1]),
        layer("generator residual", 32, [128, 128], [3, 1, 1, 1, 1]),
        layer("generator head", 128, [32, 3], [7, 1, 3, 3, 1]),
        layer("discriminator stem", 128, [3, 64], [4, 2, 1, 1, 1]),
        layer("discriminator down1", 64, [69, 128], [4, 2, 1, 1, 1]),
        layer("discriminator down2", 32, [128, 256], [4, 2, 1, 1, 1]),
        layer("discriminator patch", 16, [256, 512], [4, 1, 1, 2, 1]),
        layer("discriminator head", 16, [512, 512], [4, 1, 1, 2, 1]),
        layer("alexnet conv1", 227, [3, 96], [11, 4, 0, 0, 1]),
        layer("alexnet conv2", 27, [96, 256], [5, 1, 2, 2, 2]),
        layer("alexnet conv3", 13, [256, 384], [3, 1, 1, 1, 1]),
        layer("alexnet conv4", 13, [384, 384], [3, 1, 1, 1, 2]),
        layer("alexnet conv5", 13, [384, 256], [3, 1, 1, 1, 2]),
    ]
}
