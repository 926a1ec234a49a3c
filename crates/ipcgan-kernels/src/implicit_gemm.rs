//! Direct convolution and its adjoint as implicit GEMM: no im2col buffer.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::convolution::PackedWeights;
use crate::epilogue::Epilogue;
use crate::output::fill_in_chunks;
use crate::padded_region::PaddedRegion;
use crate::panels::{Panel, Panels, Patches, Sink};
use crate::scratch::Scratch;
use crate::{ConvParams, InstructionSet, Nhwc};

/// Maximum number of pixels of a task: enough work for a thread, few enough that the input stays in cache.
const TASK_PIXELS: usize = 256;

/// Minimum number of pixels of a task: with fewer, reading the weights takes longer than the rest.
const MIN_PIXELS: usize = 48;

/// Implicit GEMM over patches of the input, once for each phase of the output.
///
/// A convolution has one phase. The adjoint of a convolution of stride `s` has `s * s`: outputs whose
/// rows and columns have the same remainder modulo `s` use the same weights, and each such phase is a convolution of
/// stride one.
#[derive(Debug)]
pub(crate) struct ImplicitGemm {
    instructions: InstructionSet,
    groups: usize,
    /// Input channels of a group.
    inputs: usize,
    /// Output channels of a group.
    outputs: usize,
    input_stride: usize,
    output_stride: usize,
    phases: Vec<Phase>,
}

#[derive(Debug)]
struct Phase {
    rows: Taps,
    columns: Taps,
    /// One for each group.
    panels: Vec<Panels>,
}

/// Inputs of the outputs of one phase, along one axis.
///
/// Output `phase + output_stride * j` depends on `count` inputs from `first + input_stride * j` on.
#[derive(Clone, Copy, Debug)]
struct Taps {
    phase: usize,
    first: isize,
    count: usize,
}

impl ImplicitGemm {
    /// Convolution with `weights` `[outputs][inputs of a group][kernel][kernel]`.
    pub(crate) fn forward(
        instructions: InstructionSet,
        weights: &[f32],
        [outputs, inputs]: [usize; 2],
        params: &ConvParams,
    ) -> Self {
        let kernel = params.kernel;
        let outputs = outputs / params.groups;
        let panels = |group: usize| {
            Panels::new(instructions, outputs, [kernel * kernel, inputs], |output, tap, input| {
                weights[((group * outputs + output) * inputs + input) * kernel * kernel + tap]
            })
        };
        let taps = Taps { phase: 0, first: -(params.pad_before as isize), count: kernel };
        let phase = Phase { rows: taps, columns: taps, panels: (0..params.groups).map(panels).collect() };
        Self {
            instructions,
            groups: params.groups,
            inputs,
            outputs,
            input_stride: params.stride,
            output_stride: 1,
            phases: vec![phase],
        }
    }

    /// Convolution of stride one with `[rows, columns]` taps, the first `pad_before` pixels above and left of the
    /// output, and the weights `weight(output, [row, column], input)`.
    pub(crate) fn with_taps(
        instructions: InstructionSet,
        [outputs, inputs]: [usize; 2],
        [rows, columns]: [usize; 2],
        pad_before: isize,
        weight: impl Fn(usize, [usize; 2], usize) -> f32 + Sync,
    ) -> Self {
        let panels = Panels::new(instructions, outputs, [rows * columns, inputs], |output, tap, input| {
            weight(output, [tap / columns, tap % columns], input)
        });
        let taps = |count| Taps { phase: 0, first: -pad_before, count };
        let phase = Phase { rows: taps(rows), columns: taps(columns), panels: vec![panels] };
        Self { instructions, groups: 1, inputs, outputs, input_stride: 1, output_stride: 1, phases: vec![phase] }
    }

    /// Adjoint of the convolution with `weights` `[outputs][inputs of a group][kernel][kernel]`: from the shape of its
    /// output to the shape of its input.
    pub(crate) fn adjoint(
        instructions: InstructionSet,
        weights: &[f32],
        [outputs, inputs]: [usize; 2],
        params: &ConvParams,
    ) -> Self {
        let (kernel, stride) = (params.kernel, params.stride);
        let outputs = outputs / params.groups;
        // `tap` connects input pixel `p` with output pixel `(p + pad_before - tap) / stride` if that is an integer.
        let taps = |phase: usize| {
            let first_tap = (phase + params.pad_before) % stride;
            let count = kernel.saturating_sub(first_tap).div_ceil(stride);
            Taps { phase, first: ((phase + params.pad_before) / stride) as isize - count as isize + 1, count }
        };
        // Taps in the order of their output pixels, which is descending.
        let tap =
            |taps: Taps, index: usize| (taps.phase + params.pad_before) % stride + stride * (taps.count - 1 - index);
        let phase = |(row, column): (usize, usize)| {
            let (rows, columns) = (taps(row), taps(column));
            let kernel_taps: Vec<usize> = (0..rows.count * columns.count)
                .map(|index| tap(rows, index / columns.count) * kernel + tap(columns, index % columns.count))
                .collect();
            let panels = |group: usize| {
                Panels::new(instructions, inputs, [kernel_taps.len(), outputs], |input, index, output| {
                    weights[((group * outputs + output) * inputs + input) * kernel * kernel + kernel_taps[index]]
                })
            };
            Phase { rows, columns, panels: (0..params.groups).map(panels).collect() }
        };
        let phases = (0..stride).flat_map(|row| (0..stride).map(move |column| (row, column)));
        Self {
            instructions,
            groups: params.groups,
            inputs: outputs,
            outputs: inputs,
            input_stride: 1,
            output_stride: stride,
            phases: phases.map(phase).collect(),
        }
    }
}

impl PackedWeights for ImplicitGemm {
    fn run(
        &self,
        input: &[f32],
        input_shape: Nhwc,
        [height, width]: [usize; 2],
        epilogue: &Epilogue<'_>,
        output: &mut Vec<f32>,
    ) {
        let output_shape = Nhwc { height, width, channels: self.groups * self.outputs, ..input_shape };
        let share = (output_shape.pixels() / rayon::current_num_threads()).clamp(MIN_PIXELS, TASK_PIXELS);
        let rows = share.div_ceil(width.max(1)).next_multiple_of(self.output_stride).min(height.max(1));
        let row_values = width * output_shape.channels;
        fill_in_chunks(output, output_shape.num_elements(), output_shape.image_elements(), |image, values| {
            values.par_chunks_mut(rows * row_values).enumerate().for_each(|(block, values)| {
                self.instructions.run(Task {
                    implicit_gemm: self,
                    image: &input[image * input_shape.image_elements()..][..input_shape.image_elements()],
                    input_shape,
                    top: block * rows,
                    width,
                    start: image * output_shape.image_elements() + block * rows * row_values,
                    output: values,
                    epilogue,
                });
            });
        });
    }

    fn make_owned(&mut self) {
        self.phases.iter_mut().flat_map(|phase| &mut phase.panels).for_each(Panels::make_owned);
    }
}

/// Some rows of one image's output.
struct Task<'a> {
    implicit_gemm: &'a ImplicitGemm,
    image: &'a [f32],
    input_shape: Nhwc,
    /// First row of the output.
    top: usize,
    width: usize,
    /// Where `output` begins in the whole output.
    start: usize,
    output: &'a mut [f32],
    epilogue: &'a Epilogue<'a>,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for phase in &self.implicit_gemm.phases {
            for group in 0..self.implicit_gemm.groups {
                self.phase(simd, phase, group);
            }
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn phase<S: Simd>(&mut self, simd: S, phase: &Phase, group: usize) {
        let ImplicitGemm { inputs, outputs, input_stride, output_stride, groups, .. } = *self.implicit_gemm;
        let channels = groups * outputs;
        let height = self.output.len() / (self.width * channels);
        // Rows and columns of this phase; `top` is a multiple of the output's stride.
        let first_row = self.top / output_stride;
        let rows = (height.saturating_sub(phase.rows.phase)).div_ceil(output_stride);
        let columns = (self.width.saturating_sub(phase.columns.phase)).div_ceil(output_stride);
        if rows == 0 || columns == 0 {
            return;
        }
        let extent = |count: usize, taps: Taps| (count - 1) * input_stride + taps.count;
        let region = PaddedRegion {
            top: (first_row * input_stride) as isize + phase.rows.first,
            left: phase.columns.first,
            height: extent(rows, phase.rows),
            width: extent(columns, phase.columns),
        };
        let pixels = (0..rows * columns).map(|index| (index / columns, index % columns));
        let starts: Vec<usize> =
            pixels.clone().map(|(row, column)| (row * region.width + column) * input_stride * inputs).collect();
        let offset = |(row, column): (usize, usize)| {
            let (y, x) = (row * output_stride + phase.rows.phase, column * output_stride + phase.columns.phase);
            (y * self.width + x) * channels + group * outputs
        };
        let offsets: Vec<usize> = pixels.map(offset).collect();
        let (start, epilogue, output) = (self.start, self.epilogue, &mut *self.output);
        let mut scratch = Scratch::new(region.height * region.width * inputs);
        region.copy(self.image, self.input_shape, group * inputs..(group + 1) * inputs, &mut scratch);
        let patches = Patches {
            input: &scratch,
            starts: &starts,
            row_stride: region.width * inputs,
            run: phase.columns.count * inputs,
        };
        let mut sink = OutputSink { offsets: &offsets, channel: group * outputs, start, output, epilogue };
        for panel in phase.panels[group].of_matrix(0) {
            patches.multiply(simd, &panel, &mut sink);
        }
    }
}

/// Stores the sums of each pixel in the output.
struct OutputSink<'a> {
    /// Where the channels of each pixel begin in `output`.
    offsets: &'a [usize],
    /// First channel of the group.
    channel: usize,
    /// Where `output` begins in the whole output.
    start: usize,
    output: &'a mut [f32],
    epilogue: &'a Epilogue<'a>,
}

impl Sink for OutputSink<'_> {
    #[inline(always)]
    fn take<S: Simd>(&mut self, simd: S, pixel: usize, panel: &Panel<'_>, sums: &[S::f32s]) {
        let offset = self.offsets[pixel] + panel.first;
        let values = &mut self.output[offset..offset + panel.outputs];
        self.epilogue.store(simd, sums, self.channel + panel.first, values, self.start + offset);
    }
}
