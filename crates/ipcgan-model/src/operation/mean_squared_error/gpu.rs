//! Squared errors on GPUs: two launches forwards, one backwards.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Cube, Dispatch, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::Target;
use crate::operation::gpu::channels_last_order;
use crate::operation::gpu::kernel::{contiguous, elementwise, empty, empty_like, total, workgroup_sum};
use crate::operation::gpu::tensor_list::{Grid, thread_stride};

/// As [`super::weighted_squared_error`], in float32.
pub(super) fn weighted_squared_error(x: CubeTensor, parts: &[Target]) -> CubeTensor {
    let ([x], _) = channels_last_order([x]);
    error(contiguous(x), parts)
}

pub(super) fn weighted_squared_error_autodiff<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Cube, C>>,
    parts: Vec<Target>,
) -> FloatTensor<Autodiff<Cube, C>> {
    let prepared = ErrorBackward.prepare::<C>([x.node()]).compute_bound().stateful();
    let x = x.into_primitive();
    let sum = weighted_squared_error(x.clone(), &parts);
    match prepared {
        OpsKind::Tracked(prepared) => prepared.finish((x, parts), sum),
        OpsKind::UnTracked(prepared) => prepared.finish(sum),
    }
}

/// As [`super::squared_distance`], in float32.
pub(super) fn squared_distance(x: Tensor<4>, other: Tensor<4>) -> Tensor<1> {
    let (x, other) = (x.into_dispatch(), other.into_dispatch());
    Tensor::from_dispatch(<Dispatch as SquaredDistanceOps>::squared_distance(x, other))
}

/// Squared distances on GPUs.
#[backend_extension(Cube, Autodiff)]
trait SquaredDistanceOps: Backend {
    /// The sum of the squared differences of two tensors of one shape.
    fn squared_distance(x: FloatTensor<Self>, other: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl SquaredDistanceOps for Cube {
    fn squared_distance(x: FloatTensor<Self>, other: FloatTensor<Self>) -> FloatTensor<Self> {
        let ([x, other], _) = channels_last_order([x, other]);
        distance(contiguous(x), contiguous(other))
    }
}

impl<C: CheckpointStrategy> SquaredDistanceOps for Autodiff<Cube, C> {
    fn squared_distance(x: FloatTensor<Self>, other: FloatTensor<Self>) -> FloatTensor<Self> {
        let prepared = DistanceBackward.prepare::<C>([x.node(), other.node()]).compute_bound().stateful();
        let [x, other] = [x, other].map(|tensor| tensor.into_primitive());
        let sum = <Cube as SquaredDistanceOps>::squared_distance(x.clone(), other.clone());
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish([x, other], sum),
            OpsKind::UnTracked(prepared) => prepared.finish(sum),
        }
    }
}

#[derive(Debug)]
struct ErrorBackward;

impl Backward<Cube, 1> for ErrorBackward {
    type State = (CubeTensor, Vec<Target>);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Cube>(&ops.node);
        let (x, parts) = ops.state;
        if let [Some(node)] = ops.parents {
            gradients.register::<Cube>(node.id, error_gradient(x, gradient, &parts));
        }
    }
}

#[derive(Debug)]
struct DistanceBackward;

impl Backward<Cube, 2> for DistanceBackward {
    type State = [CubeTensor; 2];

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Cube>(&ops.node);
        let [grad_x, grad_other] = ops.parents;
        let [x, other] = ops.state;
        if let Some(node) = grad_x {
            let grad = distance_gradient(x.clone(), other.clone(), gradient.clone());
            gradients.register::<Cube>(node.id, grad);
        }
        if let Some(node) = grad_other {
            gradients.register::<Cube>(node.id, distance_gradient(other, x, gradient));
        }
    }
}

/// Target of a part, and the factor of its squared differences.
#[derive(CubeLaunch, CubeType)]
struct Part {
    target: f32,
    factor: f32,
}

/// The parts of `values` values, as an argument of a launch; the factors include the mean over the part.
fn arguments(parts: &[Target], values: usize) -> SequenceArg<Part> {
    let length = (values / parts.len()) as f32;
    parts.iter().map(|part| PartLaunch::new(part.value, part.weight / length)).collect()
}

/// `x` is contiguous; a row of workgroups sums up a part.
fn error(x: CubeTensor, parts: &[Target]) -> CubeTensor {
    let (client, values) = (x.client.clone(), x.meta.num_elements());
    let length = values / parts.len();
    let grid = Grid::over(&client, parts.iter().map(|_| length));
    let partial = empty(&client, &x.device, &[parts.len() * grid.groups]);
    error_kernel::launch(
        &client,
        grid.count(),
        grid.dim(),
        x.into_buffer_arg(),
        partial.clone().into_buffer_arg(),
        arguments(parts, values),
        length,
        grid.threads,
    );
    total(partial)
}

fn error_gradient(x: CubeTensor, gradient: CubeTensor, parts: &[Target]) -> CubeTensor {
    let ([x], restore) = channels_last_order([x]);
    let x = contiguous(x);
    let (client, values, output) = (x.client.clone(), x.meta.num_elements(), empty_like(&x));
    let (count, dim) = elementwise(&client, values);
    error_gradient_kernel::launch(
        &client,
        count,
        dim,
        x.into_buffer_arg(),
        contiguous(gradient).into_buffer_arg(),
        output.clone().into_buffer_arg(),
        arguments(parts, values),
        values / parts.len(),
        values,
    );
    restore(output)
}

/// Both are contiguous.
fn distance(x: CubeTensor, other: CubeTensor) -> CubeTensor {
    let (client, length) = (x.client.clone(), x.meta.num_elements());
    let grid = Grid::over(&client, std::iter::once(length));
    let partial = empty(&client, &x.device, &[grid.groups]);
    distance_kernel::launch(
        &client,
        grid.count(),
        grid.dim(),
        x.into_buffer_arg(),
        other.into_buffer_arg(),
        partial.clone().into_buffer_arg(),
        length,
        grid.threads,
    );
    total(partial)
}

/// With respect to `x`.
fn distance_gradient(x: CubeTensor, other: CubeTensor, gradient: CubeTensor) -> CubeTensor {
    let ([x, other], restore) = channels_last_order([x, other]);
    let [x, other] = [x, other].map(contiguous);
    let (client, length, output) = (x.client.clone(), x.meta.num_elements(), empty_like(&x));
    let (count, dim) = elementwise(&client, length);
    distance_gradient_kernel::launch(
        &client,
        count,
        dim,
        x.into_buffer_arg(),
        other.into_buffer_arg(),
        contiguous(gradient).into_buffer_arg(),
        output.clone().into_buffer_arg(),
        length,
    );
    restore(output)
}

/// The part with this index.
#[cube]
fn part(parts: &Sequence<Part>, wanted: usize) -> Part {
    let count = comptime![parts.len()];
    let mut target = 0.0f32;
    let mut factor = 0.0f32;
    #[unroll]
    for index in 0..count {
        if wanted == index {
            let part = parts.index(index);
            target = part.target;
            factor = part.factor;
        }
    }
    Part { target, factor }
}

#[cube(launch)]
fn error_kernel(x: &[f32], partial: &mut [f32], parts: &Sequence<Part>, length: usize, #[comptime] threads: usize) {
    let row = CUBE_POS_Y as usize;
    let part = part(parts, row);
    let stride = thread_stride(length, threads);
    let mut sum = 0.0f32;
    for iteration in 0..stride.iterations {
        let place = stride.first + iteration * stride.step;
        if place < length {
            let difference = x[row * length + place] - part.target;
            sum += difference * difference;
        }
    }
    let sum = workgroup_sum(sum * part.factor, threads);
    if UNIT_POS == 0 {
        partial[row * CUBE_COUNT_X as usize + CUBE_POS_X as usize] = sum;
    }
}

#[cube(launch)]
fn error_gradient_kernel(
    x: &[f32],
    gradient: &[f32],
    output: &mut [f32],
    parts: &Sequence<Part>,
    length: usize,
    values: usize,
) {
    if ABSOLUTE_POS >= values {
        terminate!();
    }
    let part = part(parts, ABSOLUTE_POS / length);
    let grad = 2.0f32 * (x[ABSOLUTE_POS] - part.target) * part.factor * gradient[0];
    output[ABSOLUTE_POS] = grad;
}

#[cube(launch)]
fn distance_kernel(x: &[f32], other: &[f32], partial: &mut [f32], length: usize, #[comptime] threads: usize) {
    let stride = thread_stride(length, threads);
    let mut sum = 0.0f32;
    for iteration in 0..stride.iterations {
        let place = stride.first + iteration * stride.step;
        if place < length {
            let difference = x[place] - other[place];
            sum += difference * difference;
        }
    }
    let sum = workgroup_sum(sum, threads);
    if UNIT_POS == 0 {
        partial[CUBE_POS_X as usize] = sum;
    }
}

#[cube(launch)]
fn distance_gradient_kernel(x: &[f32], other: &[f32], gradient: &[f32], output: &mut [f32], length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let grad = 2.0f32 * (x[ABSOLUTE_POS] - other[ABSOLUTE_POS]) * gradient[0];
    output[ABSOLUTE_POS] = grad;
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::super::{squared_distance, weighted_squared_error};
    use super::*;
    use crate::operation::KernelLaunches;
    use crate::operation::gpu::tests::test_gpu;
    use crate::random_tensors::RandomTensors;
    use crate::relative_error::{componentwise_error, normwise_error};

    /// The loss of `run`, times three, and its gradients by `tensors`.
    fn results<const N: usize>(
        tensors: &[Tensor<4>; N],
        run: impl Fn([Tensor<4>; N]) -> Tensor<1>,
        device: &Device,
    ) -> (Tensor<1>, [Tensor<4>; N]) {
        let tensors = tensors.clone().map(|tensor| {
            // Channels last in memory, as convolutions leave maps.
            let permuted = tensor.permute([0, 2, 3, 1]).to_device(device);
            permuted.permute([0, 3, 1, 2]).autodiff().require_grad()
        });
        let loss = run(tensors.clone()) * 3.0;
        let gradients = loss.clone().backward();
        (loss.inner(), tensors.map(|tensor| tensor.grad(&gradients).unwrap()))
    }

    fn check<const N: usize>(tensors: [Tensor<4>; N], run: impl Fn([Tensor<4>; N]) -> Tensor<1>, gpu: &Device) {
        let (loss, gradients) = results(&tensors, &run, gpu);
        let (expected_loss, expected_gradients) = results(&tensors, &run, &Device::flex());
        assert!(componentwise_error(loss, expected_loss) < 1e-5);
        for (found, expected) in gradients.into_iter().zip(expected_gradients) {
            assert!(normwise_error(found, expected) < 1e-5);
        }
    }

    #[test]
    fn losses_and_gradients_equal_those_of_the_cpu() {
        let Some(gpu) = test_gpu() else { return };
        let target = |value, weight| Target { value, weight };
        for sides in [[2, 3], [130, 70]] {
            let mut random = RandomTensors::new(0);
            let [x, other] = [(); 2].map(|()| random.uniform([6, 4, sides[0], sides[1]], -2.0..2.0));
            let parts = [target(1.0, 0.5), target(0.0, 0.1), target(-0.5, 0.4)];
            check([x.clone()], |[x]| weighted_squared_error(x, parts), &gpu);
            check([x, other], |[x, other]| squared_distance(x, other), &gpu);
        }
    }

    #[test]
    fn a_loss_is_two_launches_and_its_gradient_one() {
        let Some(gpu) = test_gpu() else { return };
        let x = Tensor::<4>::ones([6, 1, 3, 4], &gpu) * 1.0;
        let parts = [Target { value: 1.0, weight: 0.5 }, Target { value: 0.0, weight: 0.5 }];

        let mut loss = None;
        let forward =
            KernelLaunches::of(|| loss = Some(weighted_squared_error(x.clone().autodiff().require_grad(), parts)));
        // The gradient of the loss itself, one, is a launch too.
        let backward = KernelLaunches::of(|| drop(loss.take().map(|loss| loss.backward())));

        assert_eq!([forward.total(), backward.total()], [2, 2], "{forward}\n{backward}");
    }
}
