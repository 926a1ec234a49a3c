//! Bilinear resizing to squares on GPUs, in one launch forwards and one backwards.
//!
//! Burn has no gradient of it there.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Cube};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::spec::ResizeSpec;
use crate::operation::gpu::kernel::{contiguous, elementwise, empty};
use crate::operation::gpu::{channels_last_order, dims};

/// As [`super::resize`], in float32.
pub(super) fn resize(faces: CubeTensor, ResizeSpec { side, scale, shift }: ResizeSpec) -> CubeTensor {
    let ([faces], restore) = channels_last_order([faces]);
    let faces = contiguous(faces);
    let (client, [batch, height, width, channels]) = (faces.client.clone(), dims::<Cube, 4>(&faces));
    let output = empty(&client, &faces.device, &[batch, side, side, channels]);
    let (count, dim) = elementwise(&client, batch * side * side * channels);
    resize_kernel::launch(
        &client,
        count,
        dim,
        faces.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        SidesLaunch::new(batch * side * side * channels, channels, height, width, side),
        scale,
        shift[0],
        shift[1],
        shift[2],
    );
    restore(output)
}

pub(super) fn resize_autodiff<C: CheckpointStrategy>(
    faces: FloatTensor<Autodiff<Cube, C>>,
    spec: ResizeSpec,
) -> FloatTensor<Autodiff<Cube, C>> {
    let prepared = ResizeBackward.prepare::<C>([faces.node()]).compute_bound().stateful();
    let faces = faces.into_primitive();
    let [.., height, width] = dims::<Cube, 4>(&faces);
    let output = resize(faces, spec);
    match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(([height, width], spec), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}

#[derive(Debug)]
struct ResizeBackward;

impl Backward<Cube, 1> for ResizeBackward {
    /// Height and width of the input, and how it was resized.
    type State = ([usize; 2], ResizeSpec);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Cube>(&ops.node);
        let (sides, spec) = ops.state;
        if let [Some(node)] = ops.parents {
            gradients.register::<Cube>(node.id, resize_gradient(gradient, sides, spec));
        }
    }
}

/// The gradient with respect to faces of `[height, width]`.
fn resize_gradient(
    gradient: CubeTensor,
    [height, width]: [usize; 2],
    ResizeSpec { side, scale, .. }: ResizeSpec,
) -> CubeTensor {
    let ([gradient], restore) = channels_last_order([gradient]);
    let gradient = contiguous(gradient);
    let (client, [batch, _, _, channels]) = (gradient.client.clone(), dims::<Cube, 4>(&gradient));
    let output = empty(&client, &gradient.device, &[batch, height, width, channels]);
    let (count, dim) = elementwise(&client, batch * height * width * channels);
    resize_gradient_kernel::launch(
        &client,
        count,
        dim,
        gradient.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        SidesLaunch::new(batch * height * width * channels, channels, height, width, side),
        scale,
    );
    restore(output)
}

/// Sizes of faces and of resized faces.
#[derive(CubeLaunch, CubeType)]
struct Sides {
    /// Number of values of the output of the kernel.
    length: usize,
    channels: usize,
    height: usize,
    width: usize,
    side: usize,
}

/// The two pixels of a line that an output pixel lies between, and the share of the second one.
#[derive(CubeType)]
struct Neighbours {
    first: usize,
    second: usize,
    share: f32,
}

/// The neighbours of pixel `output` of `outputs` in a line of `inputs` pixels, with half-pixel centres.
///
/// Coordinates are in units of `1 / (2 outputs)` pixels, so that they are whole numbers.
#[cube]
fn neighbours(output: usize, inputs: usize, outputs: usize) -> Neighbours {
    let unit = 2 * outputs;
    let centre = (2 * output + 1) * inputs;
    let mut coordinate = 0usize;
    if centre > outputs {
        coordinate = centre - outputs;
    }
    let last = (inputs - 1) * unit;
    if coordinate > last {
        coordinate = last;
    }
    let first = coordinate / unit;
    let mut second = first + 1;
    if second >= inputs {
        second = first;
    }
    Neighbours { first, second, share: f32::cast_from(coordinate - first * unit) / f32::cast_from(unit) }
}

/// The share of input pixel `input` in an output pixel.
#[cube]
fn share_of(neighbours: &Neighbours, input: usize) -> f32 {
    let mut share = 0.0f32;
    if neighbours.first == input {
        share += 1.0f32 - neighbours.share;
    }
    if neighbours.second == input {
        share += neighbours.share;
    }
    share
}

/// The first output pixel in which `input` may have a share.
#[cube]
fn first_output(input: usize, inputs: usize, outputs: usize) -> usize {
    let mut first = 0usize;
    if input > 0 {
        let output = (2 * input - 1) * outputs / (2 * inputs);
        if output > 1 {
            first = output - 1;
        }
    }
    first
}

/// The end of the output pixels in which `input` may have a share.
#[cube]
fn last_output(input: usize, inputs: usize, outputs: usize) -> usize {
    let mut end = (2 * input + 3) * outputs / (2 * inputs) + 1;
    if end > outputs || input + 1 == inputs {
        end = outputs;
    }
    end
}

#[allow(clippy::too_many_arguments, reason = "a kernel takes each number by itself")]
#[cube(launch)]
fn resize_kernel(
    faces: &[f32],
    output: &mut [f32],
    sides: &Sides,
    scale: f32,
    shift_0: f32,
    shift_1: f32,
    shift_2: f32,
) {
    if ABSOLUTE_POS >= sides.length {
        terminate!();
    }
    let channels = sides.channels;
    let channel = ABSOLUTE_POS % channels;
    let pixel = ABSOLUTE_POS / channels;
    let line = pixel / sides.side;
    let columns = neighbours(pixel % sides.side, sides.width, sides.side);
    let rows = neighbours(line % sides.side, sides.height, sides.side);
    let image = line / sides.side * sides.height;

    let above = (image + rows.first) * sides.width;
    let below = (image + rows.second) * sides.width;
    let left = columns.share;
    let upper = faces[(above + columns.first) * channels + channel] * (1.0f32 - left)
        + faces[(above + columns.second) * channels + channel] * left;
    let lower = faces[(below + columns.first) * channels + channel] * (1.0f32 - left)
        + faces[(below + columns.second) * channels + channel] * left;
    let mut shift = shift_0;
    if channel == 1 {
        shift = shift_1;
    }
    if channel == 2 {
        shift = shift_2;
    }
    let value = (upper * (1.0f32 - rows.share) + lower * rows.share) * scale + shift;
    output[ABSOLUTE_POS] = value;
}

#[cube(launch)]
fn resize_gradient_kernel(gradient: &[f32], output: &mut [f32], sides: &Sides, scale: f32) {
    if ABSOLUTE_POS >= sides.length {
        terminate!();
    }
    let channels = sides.channels;
    let channel = ABSOLUTE_POS % channels;
    let pixel = ABSOLUTE_POS / channels;
    let column = pixel % sides.width;
    let line = pixel / sides.width;
    let row = line % sides.height;
    let image = line / sides.height * sides.side;

    let first_column = first_output(column, sides.width, sides.side);
    let last_column = last_output(column, sides.width, sides.side);
    let first_row = first_output(row, sides.height, sides.side);
    let last_row = last_output(row, sides.height, sides.side);
    let mut sum = 0.0f32;
    for output_row in first_row..last_row {
        let rows = neighbours(output_row, sides.height, sides.side);
        let of_row = share_of(&rows, row);
        let start = (image + output_row) * sides.side;
        for output_column in first_column..last_column {
            let columns = neighbours(output_column, sides.width, sides.side);
            let of_column = share_of(&columns, column);
            sum += gradient[(start + output_column) * channels + channel] * of_row * of_column;
        }
    }
    output[ABSOLUTE_POS] = sum * scale;
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::super::resize as resize_anywhere;
    use super::*;
    use crate::operation::KernelLaunches;
    use crate::operation::gpu::tests::test_gpu;
    use crate::random_tensors::RandomTensors;
    use crate::relative_error::componentwise_error;

    /// Faces resized on `device`, and the gradient by them.
    fn results(faces: &Tensor<4>, weights: &Tensor<4>, spec: ResizeSpec, device: &Device) -> [Tensor<4>; 2] {
        let faces = faces.clone().to_device(device).autodiff().require_grad();
        let output = resize_anywhere(&faces, spec).unwrap();
        let gradients = (output.clone() * weights.clone().to_device(device).autodiff()).sum().backward();
        [output.inner(), faces.grad(&gradients).unwrap()].map(|maps| maps.to_device(&Device::flex()))
    }

    #[test]
    fn enlarged_and_reduced_faces_and_their_gradients_equal_those_of_the_cpu() {
        let Some(gpu) = test_gpu() else { return };
        for (height, width, side) in [(8, 8, 13), (9, 7, 5), (4, 6, 4), (1, 2, 3), (64, 64, 67)] {
            let mut random = RandomTensors::new(0);
            let faces = random.uniform([2, 3, height, width], -1.0..1.0);
            let weights = random.uniform([2, 3, side, side], -1.0..1.0);
            let spec = ResizeSpec { side, scale: 127.5, shift: [23.5, 10.5, 3.5] };

            let [expected, found] = [&Device::flex(), &gpu].map(|device| results(&faces, &weights, spec, device));

            for (found, expected) in found.into_iter().zip(expected) {
                assert!(componentwise_error(found, expected) < 1e-4, "{height} x {width} to {side}");
            }
        }
    }

    #[test]
    fn resizing_takes_one_launch_forward_and_one_backward() {
        let Some(gpu) = test_gpu() else { return };
        let faces = Tensor::<4>::ones([1, 4, 4, 3], &gpu).permute([0, 3, 1, 2]).try_into_primitive::<Cube>().unwrap();
        let spec = ResizeSpec { side: 4, scale: 1.0, shift: [0.0; 3] };

        let forward = KernelLaunches::of(|| drop(resize(faces.clone(), spec)));
        let backward = KernelLaunches::of(|| drop(resize_gradient(faces, [4, 4], spec)));

        assert_eq!([forward.total(), backward.total()], [1, 1], "{forward}\n{backward}");
    }
}
