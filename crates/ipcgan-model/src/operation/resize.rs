//! Faces resized for AlexNet.

#[cfg(feature = "gpu")]
mod gpu;
mod spec;

pub(crate) use spec::ResizeSpec;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{Nhwc, Resize};

use super::engine::{Engine, engine};
use super::nhwc_tensor::{NhwcTensor, nhwc_tensor};

/// `faces` resized bilinearly, with half-pixel centres, as `spec` says: `[batch, 3, height, width]` to
/// `[batch, 3, side, side]`; none if kernels do not apply.
pub(crate) fn resize(faces: &Tensor<4>, spec: ResizeSpec) -> Option<Tensor<4>> {
    match engine(faces) {
        Engine::Cpu(_) => {
            let faces = faces.clone().into_dispatch();
            Some(Tensor::from_dispatch(<Dispatch as ResizeOps>::resize(faces, spec)))
        }
        #[cfg(feature = "gpu")]
        Engine::Gpu if faces.dtype() == burn::tensor::DType::F32 => Some(gpu::resize(faces.clone(), spec)),
        Engine::Gpu | Engine::Burn => None,
    }
}

/// Bilinear resizing to squares on the CPU.
#[backend_extension(Flex, Autodiff)]
trait ResizeOps: Backend {
    fn resize(faces: FloatTensor<Self>, spec: ResizeSpec) -> FloatTensor<Self>;
}

impl ResizeOps for Flex {
    fn resize(faces: FloatTensor<Self>, spec: ResizeSpec) -> FloatTensor<Self> {
        resize_kernel(faces, spec)
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

impl ResizeSpec {
    fn kernel(&self) -> Resize<'_> {
        Resize { sides: [self.side; 2], scale: self.scale, shift: &self.shift }
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
