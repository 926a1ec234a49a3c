//! Input preprocessing of AlexNet.

use burn::tensor::{Device, Tensor, TensorData, assert_shape};

use crate::operation::{ResizeSpec, resize};

/// Mean of each channel in 0..255 that the official code subtracts: the means of ImageNet in BGR order (Caffe's),
/// although its faces are RGB. We keep that order, because the published weights were trained with it.
const OFFICIAL_CHANNEL_MEANS: [f32; 3] = [104.0, 117.0, 124.0];

/// Half the range of a channel: faces come in [-1, 1].
const HALF_RANGE: f32 = 127.5;

/// Input of AlexNet: faces resized, in 0..255, minus the mean of each channel.
///
/// Resizing is bilinear with half-pixel centres.
///
/// # Shapes
/// - `faces`: `[batch, 3, height, width]`, RGB, in [-1, 1]
/// - returns: `[batch, 3, size, size]`
///
/// # Panics
/// If `faces` does not have three channels.
pub fn alexnet_input(faces: Tensor<4>, size: usize) -> Tensor<4> {
    assert_shape!(faces, [_, 3, _, _]);
    let spec =
        ResizeSpec { side: size, scale: HALF_RANGE, shift: OFFICIAL_CHANNEL_MEANS.map(|mean| HALF_RANGE - mean) };
    resized(faces, spec)
}

/// `faces` resized bilinearly, with half-pixel centres, as `spec` says.
pub(crate) fn resized(faces: Tensor<4>, spec: ResizeSpec) -> Tensor<4> {
    resize(&faces, spec).unwrap_or_else(|| resize_by_matmul(faces, spec))
}

/// The same as two products with constant matrices, because Burn's own resizing has no gradient on GPU backends.
fn resize_by_matmul(faces: Tensor<4>, ResizeSpec { side, scale, shift }: ResizeSpec) -> Tensor<4> {
    let [batch, channels, height, width] = faces.dims();
    let device = faces.device();

    let columns = interpolation(width, side, &device).transpose(); // [width, side]
    let x = faces.reshape([batch * channels * height, width]).matmul(columns);
    let x = x.reshape([batch * channels, height, side]).swap_dims(1, 2);
    let rows = interpolation(height, side, &device).transpose(); // [height, side]
    let x = x.reshape([batch * channels * side, height]).matmul(rows);
    let x = x.reshape([batch * channels, side, side]).swap_dims(1, 2);

    let shift = Tensor::<1>::from_data(shift, &device).reshape([1, 3, 1, 1]);
    x.reshape([batch, channels, side, side]) * scale + shift
}

/// Matrix `[outputs, inputs]` that resizes a line of `inputs` pixels to `outputs` pixels.
fn interpolation(inputs: usize, outputs: usize, device: &Device) -> Tensor<2> {
    let mut weights = vec![0.0; outputs * inputs];
    for output in 0..outputs {
        let centre = (output as f64 + 0.5) * inputs as f64 / outputs as f64 - 0.5;
        let centre = centre.clamp(0.0, (inputs - 1) as f64);
        let first = centre.floor() as usize;
        let share = (centre - first as f64) as f32;
        weights[output * inputs + first] += 1.0 - share;
        weights[output * inputs + (first + 1).min(inputs - 1)] += share;
    }
    Tensor::from_data(TensorData::new(weights, [outputs, inputs]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random_tensors::RandomTensors;
    use crate::relative_error::normwise_error;

    #[test]
    fn a_uniform_face_becomes_its_colour_minus_the_channel_means() {
        let faces = Tensor::<4>::ones([1, 3, 4, 4], &Device::flex());

        let seen = alexnet_input(faces, 6);

        let expected = OFFICIAL_CHANNEL_MEANS.map(|mean| 255.0 - mean);
        for (channel, value) in expected.into_iter().enumerate() {
            let plane = seen.clone().narrow(1, channel, 1);
            assert!((plane - value).abs().max().into_scalar::<f32>() < 1e-3);
        }
    }

    #[test]
    fn kernels_and_matrix_products_agree_on_resized_faces_and_their_gradient() {
        for (height, width, side) in [(8, 9, 13), (9, 7, 5)] {
            let spec = ResizeSpec { side, scale: 127.5, shift: [23.5, 10.5, 3.5] };
            let faces = RandomTensors::new(0).uniform([2, 3, height, width], -1.0..1.0);
            let results = |run: &dyn Fn(Tensor<4>) -> Tensor<4>| {
                let faces = faces.clone().autodiff().require_grad();
                let output = run(faces.clone());
                let gradients = output.clone().square().sum().backward();
                [output.inner(), faces.grad(&gradients).unwrap()]
            };

            let found = results(&|faces| resize(&faces, spec).unwrap());

            let expected = results(&|faces| resize_by_matmul(faces, spec));
            for (found, expected) in found.into_iter().zip(expected) {
                assert!(normwise_error(found, expected) < 1e-5);
            }
        }
    }

    #[test]
    fn resizing_interpolates_linearly_between_two_pixels() {
        let line = interpolation(2, 4, &Device::flex());

        let expected = [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]];
        line.into_data().assert_eq(&TensorData::from(expected), false);
    }
}
