//! Gradient towards the weights of a convolution.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::convolution::{Arithmetic, winograd_possible};
use crate::frame::Frame;
use crate::outer::{Add, Before, Outer, Side};
use crate::winograd::{self, Weights};
use crate::{Instructions, Maps, Window};

/// Pixels over which sums are kept in registers, at least.
const RUN_PIXELS: usize = 64;

/// Steps of a task, at most, where the rows of a window are too few to share: a multiple of the blocks that registers hold.
const TASK_STEPS: usize = 96;

/// Gradient towards a convolution's weights `[outputs][inputs of a group][kernel][kernel]`, from its input and
/// the gradient of its output, both channels last.
///
/// # Panics
/// If values and sizes do not belong together.
pub fn weight_gradient(
    instructions: Instructions,
    arithmetic: Arithmetic,
    (input, input_maps): (&[f32], Maps),
    (gradient, maps): (&[f32], Maps),
    window: &Window,
) -> Vec<f32> {
    assert_eq!(input.len(), input_maps.values(), "values of the input");
    assert_eq!(gradient.len(), maps.values(), "values of the gradient");
    let channels = [maps.channels, input_maps.channels / window.groups];
    let fast = arithmetic == Arithmetic::Fast && winograd_possible(channels, window);
    if fast && winograd::saves(window.kernel, maps, Weights::New) {
        return winograd::weight_gradient(instructions, (input, input_maps), (gradient, maps), window);
    }
    let (input, input_maps) = padded((input, input_maps), maps, window);
    let parts = parts(input_maps.channels, window);
    let pass =
        Pass { input: &input, input_maps, gradient, maps, window, swapped: maps.channels < instructions.lanes() };
    let sums: Vec<Vec<f32>> = parts.par_iter().map(|part| pass.sums(instructions, part)).collect();
    pass.assembled(&parts, &sums)
}

/// The input with zeros around it, of just the size that the windows see.
fn padded<'a>((input, input_maps): (&'a [f32], Maps), maps: Maps, window: &Window) -> (Cow<'a, [f32]>, Maps) {
    let extent = |side: usize| (side - 1) * window.stride + window.kernel;
    let (height, width) = (extent(maps.height), extent(maps.width));
    if window.before == 0 && height <= input_maps.height && width <= input_maps.width {
        return (Cow::Borrowed(input), input_maps);
    }
    let before = -(window.before as isize);
    let frame = Frame { top: before, left: before, height, width };
    let padded_maps = Maps { height, width, ..input_maps };
    let mut padded = vec![0.0; padded_maps.values()];
    let pictures = input.par_chunks(input_maps.picture());
    padded.par_chunks_mut(padded_maps.picture()).zip(pictures).for_each(|(copy, picture)| {
        frame.copy(picture, input_maps, 0..input_maps.channels, copy);
    });
    (Cow::Owned(padded), padded_maps)
}

/// Neighbouring values in one row of the windows of one group.
struct Part {
    group: usize,
    row: usize,
    /// Column of the window and channel of the group that come first, as `column * channels + channel`.
    first: usize,
    length: usize,
    /// Where they begin, from the window's first pixel in that row.
    offset: usize,
}

fn parts(channels: usize, window: &Window) -> Vec<Part> {
    let inputs = channels / window.groups;
    // The columns of a window are neighbours unless channels of other groups lie between them.
    let (runs, run) = if window.groups == 1 { (1, window.kernel * inputs) } else { (window.kernel, inputs) };
    let mut parts = Vec::new();
    for group in 0..window.groups {
        for row in 0..window.kernel {
            for column in 0..runs {
                for start in (0..run).step_by(TASK_STEPS) {
                    parts.push(Part {
                        group,
                        row,
                        first: column * inputs + start,
                        length: TASK_STEPS.min(run - start),
                        offset: column * channels + group * inputs + start,
                    });
                }
            }
        }
    }
    parts
}

struct Pass<'a> {
    input: &'a [f32],
    input_maps: Maps,
    gradient: &'a [f32],
    maps: Maps,
    window: &'a Window,
    /// Whether vectors run over the inputs, because the outputs do not fill one.
    swapped: bool,
}

impl Pass<'_> {
    fn outputs(&self) -> usize {
        self.maps.channels / self.window.groups
    }

    /// `[length][outputs]`, or the other way round if swapped.
    fn sums(&self, instructions: Instructions, part: &Part) -> Vec<f32> {
        let (stride, maps, input_maps) = (self.window.stride, self.maps, self.input_maps);
        let input_row = input_maps.width * input_maps.channels;
        let gradient_row = maps.width * maps.channels;
        let width = |length: usize| length.next_multiple_of(instructions.lanes());
        let mut sums = match self.swapped {
            false => vec![0.0; part.length * width(self.outputs())],
            true => vec![0.0; self.outputs() * width(part.length)],
        };
        let rows = RUN_PIXELS.div_ceil(maps.width);
        for picture in 0..maps.batch {
            for top in (0..maps.height).step_by(rows) {
                let start = picture * input_maps.picture() + (top * stride + part.row) * input_row + part.offset;
                let input = Side {
                    values: &self.input[start..],
                    strides: [stride * input_row, stride * input_maps.channels],
                    length: part.length,
                };
                let start = picture * maps.picture() + top * gradient_row + part.group * self.outputs();
                let gradient = Side {
                    values: &self.gradient[start..],
                    strides: [gradient_row, maps.channels],
                    length: self.outputs(),
                };
                let (left, right) = if self.swapped { (gradient, input) } else { (input, gradient) };
                let grid = [rows.min(maps.height - top), maps.width];
                let outer = Outer { left, right, grid };
                instructions.run(Add { outer, sums: &mut sums, before: Before::Sums });
            }
        }
        sums
    }

    fn assembled(&self, parts: &[Part], sums: &[Vec<f32>]) -> Vec<f32> {
        let (kernel, outputs) = (self.window.kernel, self.outputs());
        let inputs = self.input_maps.channels / self.window.groups;
        let mut weights = vec![0.0; self.maps.channels * inputs * kernel * kernel];
        weights.par_chunks_mut(inputs * kernel * kernel).enumerate().for_each(|(channel, weights)| {
            let (group, output) = (channel / outputs, channel % outputs);
            for (part, sums) in parts.iter().zip(sums).filter(|(part, _)| part.group == group) {
                let width = sums.len() / if self.swapped { outputs } else { part.length };
                for step in 0..part.length {
                    let (column, input) = ((part.first + step) / inputs, (part.first + step) % inputs);
                    let place = if self.swapped { output * width + step } else { step * width + output };
                    weights[(input * kernel + part.row) * kernel + column] = sums[place];
                }
            }
        });
        weights
    }
}
