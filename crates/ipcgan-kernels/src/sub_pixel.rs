//! Transposed convolution with few output channels, as a sub-pixel convolution.

use crate::convolution::PackedWeights;
use crate::epilogue::Epilogue;
use crate::implicit_gemm::ImplicitGemm;
use crate::output::fill_in_chunks;
use crate::{ConvParams, InstructionSet, Nhwc};

/// Computes blocks of `stride * stride` pixels as channels, then shuffles them to their positions (pixel shuffle).
#[derive(Debug)]
pub(crate) struct SubPixel {
    sub_pixels: ImplicitGemm,
    stride: usize,
    /// Channels of the result.
    channels: usize,
}

impl SubPixel {
    /// Whether the channels of the convolution's input fill less than half a vector.
    pub(crate) fn suits(instructions: InstructionSet, [_, inputs]: [usize; 2], params: &ConvParams) -> bool {
        params.stride > 1 && params.groups == 1 && 2 * inputs <= instructions.lanes()
    }

    /// Adjoint of the convolution with `weights` `[outputs][inputs][kernel][kernel]`.
    pub(crate) fn new(
        instructions: InstructionSet,
        weights: &[f32],
        [outputs, inputs]: [usize; 2],
        params: &ConvParams,
    ) -> Self {
        let ConvParams { kernel, stride, pad_before, .. } = *params;
        // Pixel `p` of square `q` meets output pixel `o` through tap `p + pad_before + stride * (q - o)`.
        let last = pad_before.div_ceil(stride);
        let taps = last + (kernel - 1).saturating_sub(pad_before).div_ceil(stride) + 1;
        let tap = |pixel: usize, index: usize| {
            let tap = (pixel + pad_before) as isize + (taps - 1 - index) as isize * stride as isize
                - (last * stride) as isize;
            usize::try_from(tap).ok().filter(|&tap| tap < kernel)
        };
        let channels = [stride * stride * inputs, outputs];
        let pad_before = (taps - 1 - last) as isize;
        let sub_pixels = ImplicitGemm::with_taps(
            instructions,
            channels,
            [taps, taps],
            pad_before,
            |channel, [row, column], output| {
                let (pixel, input) = (channel / inputs, channel % inputs);
                match (tap(pixel / stride, row), tap(pixel % stride, column)) {
                    (Some(row), Some(column)) => weights[((output * inputs + input) * kernel + row) * kernel + column],
                    _ => 0.0,
                }
            },
        );
        Self { sub_pixels, stride, channels: inputs }
    }
}

impl PackedWeights for SubPixel {
    fn run(
        &self,
        input: &[f32],
        input_shape: Nhwc,
        [height, width]: [usize; 2],
        epilogue: &Epilogue<'_>,
        output: &mut Vec<f32>,
    ) {
        let (stride, channels) = (self.stride, self.channels);
        let [rows, columns] = [height.div_ceil(stride), width.div_ceil(stride)];
        let mut sub_pixels = Vec::new();
        self.sub_pixels.run(input, input_shape, [rows, columns], &Epilogue::default(), &mut sub_pixels);
        fill_in_chunks(output, input_shape.batch * height * width * channels, width * channels, |line, output| {
            let (image, y) = (line / height, line % height);
            let row = (image * rows + y / stride) * columns;
            for (x, values) in output.chunks_exact_mut(channels).enumerate() {
                let pixel = (y % stride) * stride + x % stride;
                let offset = ((row + x / stride) * stride * stride + pixel) * channels;
                for (channel, value) in values.iter_mut().enumerate() {
                    let position = (line * width + x) * channels + channel;
                    *value = epilogue.apply(sub_pixels[offset + channel], channel, position);
                }
            }
        });
    }

    fn make_owned(&mut self) {
        self.sub_pixels.make_owned();
    }
}
