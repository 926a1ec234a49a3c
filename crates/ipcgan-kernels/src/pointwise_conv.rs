//! 1x1 convolutions: a matrix product on the feature maps as they are.

use pulp::{Simd, WithSimd};

use crate::convolution::PackedWeights;
use crate::epilogue::Epilogue;
use crate::output::fill_in_chunks;
use crate::panels::{Panel, Panels, Patches, Sink};
use crate::{ConvParams, InstructionSet, Nhwc};

/// Pixels that a task computes.
const TASK_PIXELS: usize = 256;

/// A 1x1 convolution.
#[derive(Debug)]
pub(crate) struct PointwiseConv {
    instructions: InstructionSet,
    inputs: usize,
    outputs: usize,
    panels: Panels,
}

impl PointwiseConv {
    /// Whether `params` is one pixel, and no pixel is left out or added.
    pub(crate) fn suits(params: &ConvParams) -> bool {
        *params == ConvParams { kernel: 1, stride: 1, pad_before: 0, pad_after: 0, groups: 1 }
    }

    /// Convolution with `weights` `[outputs][inputs]`.
    pub(crate) fn new(instructions: InstructionSet, weights: &[f32], [outputs, inputs]: [usize; 2]) -> Self {
        let panels =
            Panels::new(instructions, outputs, [1, inputs], |output, _, input| weights[output * inputs + input]);
        Self { instructions, inputs, outputs, panels }
    }
}

impl PackedWeights for PointwiseConv {
    /// Height and width of the output are those of the input.
    fn run(&self, input: &[f32], shape: Nhwc, _: [usize; 2], epilogue: &Epilogue<'_>, output: &mut Vec<f32>) {
        let starts: Vec<usize> = (0..TASK_PIXELS).map(|pixel| pixel * self.inputs).collect();
        let chunk = TASK_PIXELS * self.outputs;
        fill_in_chunks(output, shape.pixels() * self.outputs, chunk, |index, output| {
            let starts = &starts[..output.len() / self.outputs];
            let input = &input[index * TASK_PIXELS * self.inputs..];
            self.instructions.run(Task { layer: self, input, starts, start: index * chunk, output, epilogue });
        });
    }

    fn make_owned(&mut self) {
        self.panels.make_owned();
    }
}

/// Some pixels.
struct Task<'a> {
    layer: &'a PointwiseConv,
    input: &'a [f32],
    /// Where each pixel begins in `input`.
    starts: &'a [usize],
    /// Where `output` begins in the whole output.
    start: usize,
    output: &'a mut [f32],
    epilogue: &'a Epilogue<'a>,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { layer: PointwiseConv { inputs, outputs, panels, .. }, input, starts, start, output, epilogue } =
            self;
        let patches = Patches { input, starts, row_stride: 0, run: *inputs };
        let mut sink = OutputSink { outputs: *outputs, start, output, epilogue };
        for panel in panels.of_matrix(0) {
            patches.multiply(simd, &panel, &mut sink);
        }
    }
}

/// Stores the sums of each pixel in the output.
struct OutputSink<'a> {
    outputs: usize,
    start: usize,
    output: &'a mut [f32],
    epilogue: &'a Epilogue<'a>,
}

impl Sink for OutputSink<'_> {
    #[inline(always)]
    fn take<S: Simd>(&mut self, simd: S, pixel: usize, panel: &Panel<'_>, sums: &[S::f32s]) {
        let offset = pixel * self.outputs + panel.first;
        let values = &mut self.output[offset..offset + panel.outputs];
        self.epilogue.store(simd, sums, panel.first, values, self.start + offset);
    }
}
