//! Gradient with respect to the weights of a convolution.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::convolution::{ConvAlgorithm, supports_winograd};
use crate::outer_product::{Accumulate, Accumulation, Operand, OuterProducts};
use crate::padded_region::PaddedRegion;
use crate::winograd::{self, WeightState};
use crate::{ConvParams, InstructionSet, Nhwc};

/// Minimum number of pixels over which sums are kept in registers.
const RUN_PIXELS: usize = 64;

/// Maximum number of values of a task: the rows of a kernel alone are too few tasks for all threads. A multiple of the
/// blocks that fit the registers.
const TASK_STEPS: usize = 96;

/// Gradient with respect to a convolution's weights `[outputs][inputs of a group][kernel][kernel]`, from its input and
/// the gradient of its output, both channels last.
///
/// # Panics
/// If the lengths do not match the shapes, `shape` is not the shape of the output for an input of `input_shape`, or the
/// groups do not divide the channels.
pub fn weight_gradient(
    instructions: InstructionSet,
    algorithm: ConvAlgorithm,
    (input, input_shape): (&[f32], Nhwc),
    (gradient, shape): (&[f32], Nhwc),
    params: &ConvParams,
) -> Vec<f32> {
    assert_eq!(input.len(), input_shape.num_elements(), "values of the input");
    assert_eq!(gradient.len(), shape.num_elements(), "values of the gradient");
    let sides = [input_shape.height, input_shape.width].map(|side| params.output_side(side));
    assert_eq!((shape.batch, [shape.height, shape.width]), (input_shape.batch, sides), "batch and sides of the output");
    let divides = [shape.channels, input_shape.channels].iter().all(|count| count.is_multiple_of(params.groups));
    assert!(divides, "{} inputs and {} outputs in {} groups", input_shape.channels, shape.channels, params.groups);
    let channels = [shape.channels, input_shape.channels / params.groups];
    let fast = algorithm == ConvAlgorithm::Winograd && supports_winograd(channels, params);
    if fast && winograd::is_faster(params.kernel, shape, WeightState::Raw) {
        return winograd::weight_gradient(instructions, (input, input_shape), (gradient, shape), params);
    }
    let (input, input_shape) = padded((input, input_shape), shape, params);
    let parts = parts(input_shape.channels, params);
    let pass =
        Pass { input: &input, input_shape, gradient, shape, params, swapped: shape.channels < instructions.lanes() };
    let sums: Vec<Vec<f32>> = parts.par_iter().map(|part| pass.sums(instructions, part)).collect();
    pass.assembled(&parts, &sums)
}

/// The input, padded with zeros to exactly the size that the patches cover.
fn padded<'a>((input, input_shape): (&'a [f32], Nhwc), shape: Nhwc, params: &ConvParams) -> (Cow<'a, [f32]>, Nhwc) {
    let extent = |side: usize| (side - 1) * params.stride + params.kernel;
    let (height, width) = (extent(shape.height), extent(shape.width));
    if params.pad_before == 0 && height <= input_shape.height && width <= input_shape.width {
        return (Cow::Borrowed(input), input_shape);
    }
    let pad_before = -(params.pad_before as isize);
    let region = PaddedRegion { top: pad_before, left: pad_before, height, width };
    let padded_shape = Nhwc { height, width, ..input_shape };
    let mut padded = vec![0.0; padded_shape.num_elements()];
    let images = input.par_chunks(input_shape.image_elements());
    padded.par_chunks_mut(padded_shape.image_elements()).zip(images).for_each(|(copy, image)| {
        region.copy(image, input_shape, 0..input_shape.channels, copy);
    });
    (Cow::Owned(padded), padded_shape)
}

/// Contiguous values in one row of the patches of one group.
struct Part {
    group: usize,
    row: usize,
    /// First value, as `column * inputs + input` with the column of the patch and the input channel of the group.
    first: usize,
    length: usize,
    /// Distance of the first value from the patch's first pixel in that row.
    offset: usize,
}

fn parts(channels: usize, params: &ConvParams) -> Vec<Part> {
    let inputs = channels / params.groups;
    // The columns of a patch are contiguous unless channels of other groups lie between them.
    let (runs, run) = if params.groups == 1 { (1, params.kernel * inputs) } else { (params.kernel, inputs) };
    let mut parts = Vec::new();
    for group in 0..params.groups {
        for row in 0..params.kernel {
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

/// The operands of a weight gradient, with a padded input.
struct Pass<'a> {
    input: &'a [f32],
    input_shape: Nhwc,
    gradient: &'a [f32],
    shape: Nhwc,
    params: &'a ConvParams,
    /// Whether vectors run over the inputs, because the outputs do not fill one.
    swapped: bool,
}

impl Pass<'_> {
    fn outputs(&self) -> usize {
        self.shape.channels / self.params.groups
    }

    /// Sums of one part: `[length][outputs]`, or `[outputs][length]` if swapped.
    fn sums(&self, instructions: InstructionSet, part: &Part) -> Vec<f32> {
        let (stride, shape, input_shape) = (self.params.stride, self.shape, self.input_shape);
        let input_row = input_shape.width * input_shape.channels;
        let gradient_row = shape.width * shape.channels;
        let width = |length: usize| length.next_multiple_of(instructions.lanes());
        let mut sums = match self.swapped {
            false => vec![0.0; part.length * width(self.outputs())],
            true => vec![0.0; self.outputs() * width(part.length)],
        };
        let rows = RUN_PIXELS.div_ceil(shape.width);
        for image in 0..shape.batch {
            for top in (0..shape.height).step_by(rows) {
                let start = image * input_shape.image_elements() + (top * stride + part.row) * input_row + part.offset;
                let input = Operand {
                    values: &self.input[start..],
                    strides: [stride * input_row, stride * input_shape.channels],
                    length: part.length,
                };
                let start = image * shape.image_elements() + top * gradient_row + part.group * self.outputs();
                let gradient = Operand {
                    values: &self.gradient[start..],
                    strides: [gradient_row, shape.channels],
                    length: self.outputs(),
                };
                let (left, right) = if self.swapped { (gradient, input) } else { (input, gradient) };
                let grid = [rows.min(shape.height - top), shape.width];
                let outer = OuterProducts { left, right, grid };
                instructions.run(Accumulate { outer, sums: &mut sums, accumulation: Accumulation::Add });
            }
        }
        sums
    }

    fn assembled(&self, parts: &[Part], sums: &[Vec<f32>]) -> Vec<f32> {
        let (kernel, outputs) = (self.params.kernel, self.outputs());
        let inputs = self.input_shape.channels / self.params.groups;
        let mut weights = vec![0.0; self.shape.channels * inputs * kernel * kernel];
        weights.par_chunks_mut(inputs * kernel * kernel).enumerate().for_each(|(channel, weights)| {
            let (group, output) = (channel / outputs, channel % outputs);
            for (part, sums) in parts.iter().zip(sums).filter(|(part, _)| part.group == group) {
                let width = sums.len() / if self.swapped { outputs } else { part.length };
                for step in 0..part.length {
                    let (column, input) = ((part.first + step) / inputs, (part.first + step) % inputs);
                    let offset = if self.swapped { output * width + step } else { step * width + output };
                    weights[(input * kernel + part.row) * kernel + column] = sums[offset];
                }
            }
        });
        weights
    }
}
