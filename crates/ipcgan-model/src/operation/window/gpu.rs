//! Windows on GPUs, in one launch forwards and one backwards.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Cube};
use burn::tensor::{Device, Tensor};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use crate::operation::gpu::capture::Purpose;
use crate::operation::gpu::kernel::{contiguous, elementwise, empty, uploaded};
use crate::operation::gpu::{channels_last_order, cube_device, dims};

/// `pixels` as float32 values, `[2]`; `None` if `device` is not a GPU of Burn's runtime.
pub(super) fn offset(pixels: [usize; 2], device: &Device) -> Option<Tensor<1>> {
    let gpu = cube_device(device)?;
    let values = pixels.map(|pixel| pixel as f32);
    Some(Tensor::from_primitive::<Cube>(uploaded(&gpu.client(), gpu, &values, Purpose::Window)))
}

/// As [`super::window`], in float32.
pub(super) fn window(faces: CubeTensor, offset: CubeTensor, sides: [usize; 2]) -> CubeTensor {
    let ([faces], restore) = channels_last_order([faces]);
    let faces = contiguous(faces);
    let (client, [batch, height, width, channels]) = (faces.client.clone(), dims::<Cube, 4>(&faces));
    let output = empty(&client, &faces.device, &[batch, sides[0], sides[1], channels]);
    let length = batch * sides[0] * sides[1] * channels;
    let (count, dim) = elementwise(&client, length);
    window_kernel::launch(
        &client,
        count,
        dim,
        faces.into_buffer_arg(),
        offset.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        WindowLaunch::new(length, channels, height, width, sides[0], sides[1]),
    );
    restore(output)
}

pub(super) fn window_autodiff<C: CheckpointStrategy>(
    faces: FloatTensor<Autodiff<Cube, C>>,
    offset: FloatTensor<Autodiff<Cube, C>>,
    sides: [usize; 2],
) -> FloatTensor<Autodiff<Cube, C>> {
    let prepared = WindowBackward.prepare::<C>([faces.node()]).compute_bound().stateful();
    let (faces, offset) = (faces.into_primitive(), offset.into_primitive());
    let [.., height, width] = dims::<Cube, 4>(&faces);
    let output = window(faces, offset.clone(), sides);
    match prepared {
        OpsKind::Tracked(prepared) => prepared.finish((offset, [height, width]), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}

#[derive(Debug)]
struct WindowBackward;

impl Backward<Cube, 1> for WindowBackward {
    /// The offset, and height and width of the faces.
    type State = (CubeTensor, [usize; 2]);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Cube>(&ops.node);
        let (offset, sides) = ops.state;
        if let [Some(node)] = ops.parents {
            gradients.register::<Cube>(node.id, window_gradient(gradient, offset, sides));
        }
    }
}

/// The gradient with respect to faces of `[height, width]`: zero outside of the window.
fn window_gradient(gradient: CubeTensor, offset: CubeTensor, [height, width]: [usize; 2]) -> CubeTensor {
    let ([gradient], restore) = channels_last_order([gradient]);
    let gradient = contiguous(gradient);
    let (client, [batch, rows, columns, channels]) = (gradient.client.clone(), dims::<Cube, 4>(&gradient));
    let output = empty(&client, &gradient.device, &[batch, height, width, channels]);
    let length = batch * height * width * channels;
    let (count, dim) = elementwise(&client, length);
    window_gradient_kernel::launch(
        &client,
        count,
        dim,
        gradient.into_buffer_arg(),
        offset.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        WindowLaunch::new(length, channels, height, width, rows, columns),
    );
    restore(output)
}

/// Sizes of faces and of their window.
#[derive(CubeLaunch, CubeType)]
struct Window {
    /// Number of values of the output of the kernel.
    length: usize,
    channels: usize,
    height: usize,
    width: usize,
    /// Height of the window.
    rows: usize,
    /// Width of the window.
    columns: usize,
}

#[cube(launch)]
fn window_kernel(faces: &[f32], offset: &[f32], output: &mut [f32], window: &Window) {
    if ABSOLUTE_POS >= window.length {
        terminate!();
    }
    let (down, right) = (usize::cast_from(offset[0]), usize::cast_from(offset[1]));
    let channel = ABSOLUTE_POS % window.channels;
    let pixel = ABSOLUTE_POS / window.channels;
    let line = pixel / window.columns;
    let row = line / window.rows * window.height + line % window.rows + down;
    let place = (row * window.width + pixel % window.columns + right) * window.channels + channel;
    output[ABSOLUTE_POS] = faces[place];
}

#[cube(launch)]
fn window_gradient_kernel(gradient: &[f32], offset: &[f32], output: &mut [f32], window: &Window) {
    if ABSOLUTE_POS >= window.length {
        terminate!();
    }
    let (down, right) = (usize::cast_from(offset[0]), usize::cast_from(offset[1]));
    let channel = ABSOLUTE_POS % window.channels;
    let pixel = ABSOLUTE_POS / window.channels;
    let column = pixel % window.width;
    let line = pixel / window.width;
    let row = line % window.height;
    let mut value = 0.0f32;
    if row >= down && row < down + window.rows && column >= right && column < right + window.columns {
        let image = line / window.height * window.rows;
        let place = ((image + row - down) * window.columns + column - right) * window.channels + channel;
        value = gradient[place];
    }
    output[ABSOLUTE_POS] = value;
}

#[cfg(test)]
mod tests {
    use super::super::{WindowOffset, window as window_anywhere};
    use super::*;
    use crate::operation::gpu::tests::test_gpu;
    use crate::random_tensors::RandomTensors;

    /// The window on `device`, and the gradient of the faces.
    fn results(faces: &Tensor<4>, weights: &Tensor<4>, device: &Device) -> [Vec<f32>; 2] {
        let offset = WindowOffset::new([2, 1], device);
        let faces = faces.clone().to_device(device).autodiff().require_grad();
        let [_, _, height, width] = weights.dims();
        let output = window_anywhere(faces.clone(), &offset, [height, width]);
        let gradients = (output.clone() * weights.clone().to_device(device).autodiff()).sum().backward();
        [output.inner(), faces.grad(&gradients).unwrap()].map(|maps| maps.into_data().iter().collect())
    }

    #[test]
    fn windows_and_their_gradients_equal_views_on_the_cpu() {
        let Some(gpu) = test_gpu() else { return };
        let mut random = RandomTensors::new(0);
        let faces = random.uniform([2, 3, 9, 8], -1.0..1.0);
        let weights = random.uniform([2, 3, 6, 5], -1.0..1.0);

        assert_eq!(results(&faces, &weights, &gpu), results(&faces, &weights, &Device::flex()));
    }
}
