//! Softmax cross entropy on GPUs: three launches forwards, one backwards.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Cube, Dispatch, backend_extension};
use burn::tensor::{DType, Int, Tensor};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use crate::operation::gpu::dims;
use crate::operation::gpu::kernel::{
    contiguous, elementwise, empty, empty_like, max_of_threads, sum_of_threads, summing_threads, total,
};

/// As [`super::cross_entropy`], in float32.
pub(super) fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    // A number format that every device has, and that is exact for any number of classes.
    let labels = labels.float().cast(DType::F32);
    let (logits, labels) = (logits.into_dispatch(), labels.into_dispatch());
    Tensor::from_dispatch(<Dispatch as GpuCrossEntropyOps>::cross_entropy(logits, labels))
}

/// Cross entropy on GPUs.
#[backend_extension(Cube, Autodiff)]
trait GpuCrossEntropyOps: Backend {
    /// The mean over the batch; `labels` are whole numbers.
    fn cross_entropy(logits: FloatTensor<Self>, labels: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl GpuCrossEntropyOps for Cube {
    fn cross_entropy(logits: FloatTensor<Self>, labels: FloatTensor<Self>) -> FloatTensor<Self> {
        let (_, loss) = SavedForBackward::forward(logits, labels);
        loss
    }
}

impl<C: CheckpointStrategy> GpuCrossEntropyOps for Autodiff<Cube, C> {
    fn cross_entropy(logits: FloatTensor<Self>, labels: FloatTensor<Self>) -> FloatTensor<Self> {
        let prepared = CrossEntropyBackward.prepare::<C>([logits.node()]).compute_bound().stateful();
        let (saved, loss) = SavedForBackward::forward(logits.into_primitive(), labels.into_primitive());
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(saved, loss),
            OpsKind::UnTracked(prepared) => prepared.finish(loss),
        }
    }
}

/// Tensors saved for the backward pass.
#[derive(Clone, Debug)]
struct SavedForBackward {
    logits: CubeTensor,
    labels: CubeTensor,
    /// Logarithm of the sum of the exponentials of each row.
    log_sums: CubeTensor,
}

impl SavedForBackward {
    /// Runs the forward pass; returns the saved tensors and the loss.
    fn forward(logits: CubeTensor, labels: CubeTensor) -> (Self, CubeTensor) {
        let [logits, labels] = [logits, labels].map(contiguous);
        let [batch, classes] = dims::<Cube, 2>(&logits);
        let client = logits.client.clone();
        let threads = summing_threads(&client).min(classes.next_power_of_two());
        let [log_sums, losses] = [(); 2].map(|()| empty(&client, &logits.device, &[batch]));
        cross_entropy_kernel::launch(
            &client,
            CubeCount::new_1d(batch as u32),
            CubeDim::new_1d(threads as u32),
            logits.clone().into_buffer_arg(),
            labels.clone().into_buffer_arg(),
            log_sums.clone().into_buffer_arg(),
            losses.clone().into_buffer_arg(),
            classes,
            1.0 / batch as f32,
            threads,
        );
        (Self { logits, labels, log_sums }, total(losses))
    }

    /// The gradient with respect to the logits.
    fn gradient(self, gradient: CubeTensor) -> CubeTensor {
        let Self { logits, labels, log_sums } = self;
        let [batch, classes] = dims::<Cube, 2>(&logits);
        let (client, output) = (logits.client.clone(), empty_like(&logits));
        let (count, dim) = elementwise(&client, batch * classes);
        cross_entropy_gradient_kernel::launch(
            &client,
            count,
            dim,
            logits.into_buffer_arg(),
            labels.into_buffer_arg(),
            log_sums.into_buffer_arg(),
            contiguous(gradient).into_buffer_arg(),
            output.clone().into_buffer_arg(),
            batch * classes,
            classes,
            1.0 / batch as f32,
        );
        output
    }
}

#[derive(Debug)]
struct CrossEntropyBackward;

impl Backward<Cube, 1> for CrossEntropyBackward {
    type State = SavedForBackward;

    fn backward(self, ops: Ops<SavedForBackward, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Cube>(&ops.node);
        if let [Some(node)] = ops.parents {
            gradients.register::<Cube>(node.id, ops.state.gradient(gradient));
        }
    }
}

/// A workgroup a row: its loss times `factor`, and the logarithm of the sum of its exponentials.
#[cube(launch)]
fn cross_entropy_kernel(
    logits: &[f32],
    labels: &[f32],
    log_sums: &mut [f32],
    losses: &mut [f32],
    classes: usize,
    factor: f32,
    #[comptime] threads: usize,
) {
    let row = CUBE_POS_X as usize;
    let unit = UNIT_POS as usize;
    let first = row * classes;
    let iterations = classes.div_ceil(threads);
    let mut shared = Shared::<[f32]>::new_slice(threads);

    let mut largest = logits[first];
    for iteration in 0..iterations {
        let class = iteration * threads + unit;
        if class < classes {
            largest = max(largest, logits[first + class]);
        }
    }
    shared[unit] = largest;
    max_of_threads(&mut shared, threads);
    let largest = shared[0];
    sync_cube();

    let mut sum = 0.0f32;
    for iteration in 0..iterations {
        let class = iteration * threads + unit;
        if class < classes {
            sum += f32::exp(logits[first + class] - largest);
        }
    }
    shared[unit] = sum;
    sum_of_threads(&mut shared, threads);
    if unit == 0 {
        let log_sum = largest + f32::ln(shared[0]);
        log_sums[row] = log_sum;
        losses[row] = (log_sum - logits[first + labels[row] as usize]) * factor;
    }
}

#[cube(launch)]
fn cross_entropy_gradient_kernel(
    logits: &[f32],
    labels: &[f32],
    log_sums: &[f32],
    gradient: &[f32],
    output: &mut [f32],
    length: usize,
    classes: usize,
    factor: f32,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let row = ABSOLUTE_POS / classes;
    let probability = f32::exp(logits[ABSOLUTE_POS] - log_sums[row]);
    let mut label = 0.0f32;
    if labels[row] as usize == ABSOLUTE_POS % classes {
        label = 1.0f32;
    }
    output[ABSOLUTE_POS] = (probability - label) * factor * gradient[0];
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::super::cross_entropy;
    use super::*;
    use crate::operation::gpu::tests::test_gpu;
    use crate::random_tensors::RandomTensors;
    use crate::relative_error::componentwise_error;

    #[test]
    fn the_loss_and_its_gradient_equal_those_of_the_cpu() {
        let Some(gpu) = test_gpu() else { return };
        for [batch, classes] in [[1, 1], [4, 5], [3, 1000]] {
            // Exponentials of such logits overflow.
            let logits = RandomTensors::new(0).uniform([batch, classes], -200.0..200.0);
            let labels: Vec<i64> = (0..batch as i64).map(|row| row * 7 % classes as i64).collect();
            let results = |device: &Device| {
                let logits: Tensor<2> = logits.clone().to_device(device).autodiff().require_grad();
                let labels = Tensor::<1, Int>::from_data(labels.as_slice(), &device.clone().autodiff());
                let loss = cross_entropy(logits.clone(), labels);
                let gradients = (loss.clone() * 3.0).backward();
                (loss.inner(), logits.grad(&gradients).unwrap())
            };

            let ((expected, expected_gradient), (found, gradient)) = (results(&Device::flex()), results(&gpu));

            assert!(componentwise_error(found, expected) < 1e-5);
            assert!(componentwise_error(gradient, expected_gradient) < 1e-5);
        }
    }
}
