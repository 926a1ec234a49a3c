//! Convolution with so few output channels that they would leave most of a SIMD vector empty.

use crate::convolution::PackedWeights;
use crate::epilogue::Epilogue;
use crate::implicit_gemm::ImplicitGemm;
use crate::output::fill_in_chunks;
use crate::{ConvParams, InstructionSet, Nhwc};

/// Computes each kernel column as separate output channels and adds them, each shifted by one pixel more.
#[derive(Debug)]
pub(crate) struct FewOutputs {
    columns: ImplicitGemm,
    kernel: usize,
    outputs: usize,
}

impl FewOutputs {
    /// Whether it supports the convolution, and the outputs fill at most half a SIMD vector.
    pub(crate) fn suits(instructions: InstructionSet, [outputs, _]: [usize; 2], params: &ConvParams) -> bool {
        params.stride == 1 && params.groups == 1 && params.kernel > 1 && 2 * outputs <= instructions.lanes()
    }

    /// Convolution with `weights` `[outputs][inputs][kernel][kernel]`.
    pub(crate) fn new(
        instructions: InstructionSet,
        weights: &[f32],
        [outputs, inputs]: [usize; 2],
        params: &ConvParams,
    ) -> Self {
        let kernel = params.kernel;
        let channels = [kernel * outputs, inputs];
        let pad_before = params.pad_before as isize;
        let columns =
            ImplicitGemm::with_taps(instructions, channels, [kernel, 1], pad_before, |channel, [row, _], input| {
                let (column, output) = (channel / outputs, channel % outputs);
                weights[((output * inputs + input) * kernel + row) * kernel + column]
            });
        Self { columns, kernel, outputs }
    }
}

impl PackedWeights for FewOutputs {
    fn run(
        &self,
        input: &[f32],
        input_shape: Nhwc,
        [height, width]: [usize; 2],
        epilogue: &Epilogue<'_>,
        output: &mut Vec<f32>,
    ) {
        let (kernel, outputs) = (self.kernel, self.outputs);
        let wide = width + kernel - 1;
        let mut columns = Vec::new();
        self.columns.run(input, input_shape, [height, wide], &Epilogue::default(), &mut columns);
        fill_in_chunks(output, input_shape.batch * height * width * outputs, width * outputs, |row, output| {
            let columns = &columns[row * wide * kernel * outputs..];
            for (pixel, values) in output.chunks_exact_mut(outputs).enumerate() {
                for column in 0..kernel {
                    let offset = ((pixel + column) * kernel + column) * outputs;
                    for (value, part) in values.iter_mut().zip(&columns[offset..offset + outputs]) {
                        *value += part;
                    }
                }
                for (channel, value) in values.iter_mut().enumerate() {
                    *value = epilogue.apply(*value, channel, (row * width + pixel) * outputs + channel);
                }
            }
        });
    }

    fn make_owned(&mut self) {
        self.columns.make_owned();
    }
}
