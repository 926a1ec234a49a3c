//! Faces resized for AlexNet.

#[cfg(feature = "gpu")]
mod gpu;
mod spec;

pub(crate) use spec::ResizeSpec;

#[cfg(feature = "gpu")]
use burn::backend::Cube;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{InstructionSet, Nhwc, Resize};

use super::engine::{Engine, f32_engine};
use super::nhwc_tensor::{NhwcTensor, nhwc_tensor};

/// `faces` resized bilinearly, with half-pixel centres, as `spec` says: `[batch, 3, height, width]` to
/// `[batch, 3, side, side]`; none if kernels do not apply.
pub(crate) fn resize(faces: &Tensor<4>, spec: ResizeSpec) -> Option<Tensor<4>> {
    match f32_engine([faces]) {
        Engine::Cpu | Engine::Gpu => {
            let faces = faces.clone().into_dispatch();
            Some(Tensor::from_dispatch(<Dispatch as ResizeOps>::resize(faces, spec)))
        }
        Engine::Burn => None,
    }
}

/// Bilinear resizing to squares on the CPU and on GPUs.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
trait ResizeOps: Backend {
    fn resize(faces: FloatTensor<Self>, spec: ResizeSpec) -> FloatTensor<Self>;
}

impl ResizeOps for Flex {
    fn resize(faces: FloatTensor<Self>, spec: ResizeSpec) -> FloatTensor<Self> {
        resize_kernel(faces, spec)
    }
}

#[cfg(feature = "gpu")]
impl ResizeOps for Cube {
    fn resize(faces: FloatTensor<Self>, spec: ResizeSpec) -> FloatTensor<Self> {
        gpu::resize(faces, spec)
    }
}

impl<C: CheckpointStrategy> ResizeOps for Autodiff<Flex, C> {
    fn resize(faces: FloatTensor<Self>, spec: ResizeSpec) -> FloatTensor<Self> {
        let prepared = ResizeBackward.prepare::<C>([faces.node()]).compute_bound().stateful();
        let faces = NhwcTensor::new(faces.into_primitive());
        let shape = faces.shape;
        let output = resize_kernel(faces.into_tensor(), spec);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((shape, spec), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[cfg(feature = "gpu")]
impl<C: CheckpointStrategy> ResizeOps for Autodiff<Cube, C> {
    fn resize(faces: FloatTensor<Self>, spec: ResizeSpec) -> FloatTensor<Self> {
        gpu::resize_autodiff::<C>(faces, spec)
    }
}

impl ResizeSpec {
    fn kernel(&self) -> Resize<3> {
        let instructions = InstructionSet::best();
        Resize { instructions, sides: [self.side; 2], scale: self.scale, shift: self.shift }
    }
}

fn resize_kernel(faces: FlexTensor, spec: ResizeSpec) -> FlexTensor {
    let faces = NhwcTensor::new(faces);
    let shape = Nhwc { height: spec.side, width: spec.side, ..faces.shape };
    nhwc_tensor(spec.kernel().run(faces.values(), faces.shape), shape)
}

#[derive(Debug)]
struct ResizeBackward;

impl Backward<Flex, 1> for ResizeBackward {
    /// Sizes of the input, and the form.
    type State = (Nhwc, ResizeSpec);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (shape, spec) = ops.state;
        let gradient = NhwcTensor::new(gradients.consume::<Flex>(&ops.node));
        if let [Some(node)] = ops.parents {
            let grad = spec.kernel().gradient(gradient.values(), shape);
            gradients.register::<Flex>(node.id, nhwc_tensor(grad, shape));
        }
    }
}
