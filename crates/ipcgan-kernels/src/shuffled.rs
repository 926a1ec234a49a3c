//! Adjoint of a convolution with a stride whose inputs are so few that they would leave most of a vector empty.

use crate::correlation::Correlation;
use crate::epilogue::Epilogue;
use crate::output::fill_in_chunks;
use crate::{Instructions, Maps, Window};

/// Computes the pixels of a square of `stride * stride` as channels of one, then puts them in their places.
#[derive(Debug)]
pub(crate) struct Shuffled {
    squares: Correlation,
    stride: usize,
    /// Channels of the result.
    channels: usize,
}

impl Shuffled {
    /// Whether the channels of the convolution's input fill less than half a vector.
    pub(crate) fn suits(instructions: Instructions, [_, inputs]: [usize; 2], window: &Window) -> bool {
        window.stride > 1 && window.groups == 1 && 2 * inputs <= instructions.lanes()
    }

    /// Adjoint of the convolution with `weights` `[outputs][inputs][kernel][kernel]`.
    pub(crate) fn new(
        instructions: Instructions,
        weights: &[f32],
        [outputs, inputs]: [usize; 2],
        window: &Window,
    ) -> Self {
        let Window { kernel, stride, before, .. } = *window;
        // Pixel `p` of square `q` meets output pixel `o` through tap `p + before + stride * (q - o)`.
        let last = before.div_ceil(stride);
        let taps = last + (kernel - 1).saturating_sub(before).div_ceil(stride) + 1;
        let tap = |pixel: usize, index: usize| {
            let tap =
                (pixel + before) as isize + (taps - 1 - index) as isize * stride as isize - (last * stride) as isize;
            usize::try_from(tap).ok().filter(|&tap| tap < kernel)
        };
        let channels = [stride * stride * inputs, outputs];
        let before = (taps - 1 - last) as isize;
        let squares =
            Correlation::of_taps(instructions, channels, [taps, taps], before, |channel, [row, column], output| {
                let (pixel, input) = (channel / inputs, channel % inputs);
                match (tap(pixel / stride, row), tap(pixel % stride, column)) {
                    (Some(row), Some(column)) => weights[((output * inputs + input) * kernel + row) * kernel + column],
                    _ => 0.0,
                }
            });
        Self { squares, stride, channels: inputs }
    }

    /// Takes memory of its own, because it will stay.
    pub(crate) fn settle(&mut self) {
        self.squares.settle();
    }

    /// The result's values, for a result of `[height, width]`.
    pub(crate) fn run(
        &self,
        input: &[f32],
        input_maps: Maps,
        [height, width]: [usize; 2],
        epilogue: &Epilogue<'_>,
        output: &mut Vec<f32>,
    ) {
        let (stride, channels) = (self.stride, self.channels);
        let [rows, columns] = [height.div_ceil(stride), width.div_ceil(stride)];
        let mut squares = Vec::new();
        self.squares.run(input, input_maps, [rows, columns], &Epilogue::default(), &mut squares);
        fill_in_chunks(output, input_maps.batch * height * width * channels, width * channels, |line, output| {
            let (picture, y) = (line / height, line % height);
            let row = (picture * rows + y / stride) * columns;
            for (x, values) in output.chunks_exact_mut(channels).enumerate() {
                let pixel = (y % stride) * stride + x % stride;
                let place = ((row + x / stride) * stride * stride + pixel) * channels;
                for (channel, value) in values.iter_mut().enumerate() {
                    let position = (line * width + x) * channels + channel;
                    *value = epilogue.of_one(squares[place + channel], channel, position);
                }
            }
        });
    }
}
