//! Convolution to so few channels that they would leave most of a vector empty.

use crate::correlation::Correlation;
use crate::epilogue::Epilogue;
use crate::output::fill_in_chunks;
use crate::{Instructions, Maps, Window};

/// Gives each column of the window channels of its own, and adds these up a column apart.
#[derive(Debug)]
pub(crate) struct Narrow {
    columns: Correlation,
    kernel: usize,
    outputs: usize,
}

impl Narrow {
    /// Whether its outputs fill less than half a vector.
    pub(crate) fn suits(instructions: Instructions, [outputs, _]: [usize; 2], window: &Window) -> bool {
        window.stride == 1 && window.groups == 1 && window.kernel > 1 && 2 * outputs <= instructions.lanes()
    }

    /// Convolution with `weights` `[outputs][inputs][kernel][kernel]`.
    pub(crate) fn new(
        instructions: Instructions,
        weights: &[f32],
        [outputs, inputs]: [usize; 2],
        window: &Window,
    ) -> Self {
        let kernel = window.kernel;
        let channels = [kernel * outputs, inputs];
        let before = window.before as isize;
        let columns = Correlation::of_taps(instructions, channels, [kernel, 1], before, |channel, [row, _], input| {
            let (column, output) = (channel / outputs, channel % outputs);
            weights[((output * inputs + input) * kernel + row) * kernel + column]
        });
        Self { columns, kernel, outputs }
    }

    /// Takes memory of its own, because it will stay.
    pub(crate) fn settle(&mut self) {
        self.columns.settle();
    }

    /// The output's values, for an output of `[height, width]`.
    pub(crate) fn run(
        &self,
        input: &[f32],
        input_maps: Maps,
        [height, width]: [usize; 2],
        epilogue: &Epilogue<'_>,
        output: &mut Vec<f32>,
    ) {
        let (kernel, outputs) = (self.kernel, self.outputs);
        let wide = width + kernel - 1;
        let mut columns = Vec::new();
        self.columns.run(input, input_maps, [height, wide], &Epilogue::default(), &mut columns);
        fill_in_chunks(output, input_maps.batch * height * width * outputs, width * outputs, |row, output| {
            let columns = &columns[row * wide * kernel * outputs..];
            for (pixel, values) in output.chunks_exact_mut(outputs).enumerate() {
                for column in 0..kernel {
                    let place = ((pixel + column) * kernel + column) * outputs;
                    for (value, part) in values.iter_mut().zip(&columns[place..place + outputs]) {
                        *value += part;
                    }
                }
                for (channel, value) in values.iter_mut().enumerate() {
                    *value = epilogue.of_one(*value, channel, (row * width + pixel) * outputs + channel);
                }
            }
        });
    }
}
