//! Depthwise convolution: one filter per channel.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::convolution::PackedWeights;
use crate::epilogue::Epilogue;
use crate::lanes::load;
use crate::output::fill_in_chunks;
use crate::{ConvParams, InstructionSet, Nhwc};

/// Whether a convolution of `outputs` and inputs of a group is depthwise.
pub(crate) fn is_depthwise([outputs, inputs]: [usize; 2], params: &ConvParams) -> bool {
    inputs == 1 && outputs == params.groups && outputs > 1
}

/// A depthwise convolution with its weights channels last, as its input.
#[derive(Debug)]
pub(crate) struct Depthwise {
    instructions: InstructionSet,
    params: ConvParams,
    /// `[kernel][kernel][channels]`.
    weights: Vec<f32>,
}

impl Depthwise {
    /// Convolution with `weights` `[channels][kernel][kernel]`.
    pub(crate) fn new(instructions: InstructionSet, weights: &[f32], params: &ConvParams) -> Self {
        let taps = params.kernel * params.kernel;
        let channels = params.groups;
        let offsets = (0..taps).flat_map(|tap| (0..channels).map(move |channel| channel * taps + tap));
        Self { instructions, params: *params, weights: offsets.map(|offset| weights[offset]).collect() }
    }
}

impl PackedWeights for Depthwise {
    fn run(
        &self,
        input: &[f32],
        shape: Nhwc,
        [height, width]: [usize; 2],
        epilogue: &Epilogue<'_>,
        output: &mut Vec<f32>,
    ) {
        let line = width * shape.channels;
        fill_in_chunks(output, shape.batch * height * line, line, |index, output| {
            let (image, y) = (index / height, index % height);
            let image = &input[image * shape.image_elements()..][..shape.image_elements()];
            let start = index * line;
            self.instructions.run(Row { depthwise: self, image, shape, y, start, output, epilogue });
        });
    }

    /// They are not in the buffer pool.
    fn make_owned(&mut self) {}
}

/// A row of the output.
struct Row<'a> {
    depthwise: &'a Depthwise,
    image: &'a [f32],
    shape: Nhwc,
    y: usize,
    /// Where `output` begins in the whole output.
    start: usize,
    output: &'a mut [f32],
    epilogue: &'a Epilogue<'a>,
}

/// The taps of a kernel that meet the input, along one axis.
#[derive(Clone, Copy)]
struct Taps {
    /// The first of them.
    first: usize,
    /// The input that the first one meets.
    first_input: usize,
    count: usize,
}

impl Taps {
    #[inline(always)]
    fn of(params: &ConvParams, output: usize, side: usize) -> Self {
        let begin = output * params.stride;
        let first = params.pad_before.saturating_sub(begin).min(params.kernel);
        let first_input = (begin + first).saturating_sub(params.pad_before).min(side);
        let end = (side + params.pad_before).saturating_sub(begin).min(params.kernel);
        Self { first, first_input, count: end.saturating_sub(first) }
    }
}

impl WithSimd for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let Nhwc { height, width, channels, .. } = self.shape;
        let params = self.depthwise.params;
        let rows = Taps::of(&params, self.y, height);
        let outputs = self.output.len() / channels;
        // Outputs whose patches are inside the input.
        let inner = if params.stride == 1 && params.kernel == 3 && rows.count == 3 && channels % S::F32_LANES == 0 {
            params.pad_before.min(outputs)
                ..(width + params.pad_before).saturating_sub(2).clamp(params.pad_before, outputs)
        } else {
            0..0
        };
        for x in (0..inner.start).chain(inner.end..outputs) {
            self.pixel(simd, x, rows);
        }
        if !inner.is_empty() {
            self.inner(simd, inner, rows);
        }
    }
}

impl Row<'_> {
    /// One output pixel.
    #[inline(always)]
    fn pixel<S: Simd>(&mut self, simd: S, x: usize, rows: Taps) {
        let Depthwise { params, weights, .. } = self.depthwise;
        let Nhwc { width, channels, .. } = self.shape;
        let columns = Taps::of(params, x, width);
        let offset = x * channels;
        for (index, output) in self.output[offset..offset + channels].chunks_mut(S::F32_LANES).enumerate() {
            let (channel, count) = (index * S::F32_LANES, output.len());
            let mut sum = simd.splat_f32s(0.0);
            for row in 0..rows.count {
                let values = ((rows.first_input + row) * width + columns.first_input) * channels + channel;
                let taps = ((rows.first + row) * params.kernel + columns.first) * channels + channel;
                for column in 0..columns.count {
                    let value = load(simd, &self.image[values + column * channels..][..count]);
                    let weight = load(simd, &weights[taps + column * channels..][..count]);
                    sum = simd.mul_add_e_f32s(value, weight, sum);
                }
            }
            self.epilogue.store(simd, &[sum], channel, output, self.start + offset + channel);
        }
    }

    /// Output pixels whose 3x3 patches are inside the input, for whole vectors of channels: the weights of a vector
    /// stay in registers.
    #[inline(always)]
    fn inner<S: Simd>(&mut self, simd: S, pixels: Range<usize>, rows: Taps) {
        let Depthwise { params, weights, .. } = self.depthwise;
        let Nhwc { width, channels, .. } = self.shape;
        let vectors = channels / S::F32_LANES;
        let (weights, _) = S::as_simd_f32s(weights);
        let line = |row: usize| {
            let (values, _) =
                S::as_simd_f32s(&self.image[(rows.first_input + row) * width * channels..][..width * channels]);
            &values[(pixels.start - params.pad_before) * vectors..(pixels.end + 2 - params.pad_before) * vectors]
        };
        let lines: [&[S::f32s]; 3] = std::array::from_fn(line);
        for vector in 0..vectors {
            let weights: [S::f32s; 9] = std::array::from_fn(|tap| weights[tap * vectors + vector]);
            for (index, x) in pixels.clone().enumerate() {
                let mut sum = simd.splat_f32s(0.0);
                for (line, weights) in lines.iter().zip(weights.as_chunks::<3>().0) {
                    for (column, &weight) in weights.iter().enumerate() {
                        sum = simd.mul_add_e_f32s(line[(index + column) * vectors + vector], weight, sum);
                    }
                }
                let offset = x * channels + vector * S::F32_LANES;
                let output = &mut self.output[offset..offset + S::F32_LANES];
                self.epilogue.store(simd, &[sum], vector * S::F32_LANES, output, self.start + offset);
            }
        }
    }
}
