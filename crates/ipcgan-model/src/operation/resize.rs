//! Faces resized for AlexNet.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch, Flex};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{Maps, Resize};

use super::extension::KernelOperations;
use super::kernels_for;
use super::memory::{FeatureMaps, feature_maps};

/// How to resize three channels to squares, and what happens to their values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resized {
    /// Side of the output.
    pub(crate) side: usize,
    /// What values are multiplied by.
    pub(crate) scale: f32,
    /// What is then added to each channel.
    pub(crate) shift: [f32; 3],
}

/// `faces` resized bilinearly, with half-pixel centres, as `form` says: `[batch, 3, height, width]` to
/// `[batch, 3, side, side]`; none if kernels do not apply.
pub(crate) fn resized(faces: &Tensor<4>, form: Resized) -> Option<Tensor<4>> {
    kernels_for(faces)?;
    let faces = faces.clone().into_dispatch();
    Some(Tensor::from_dispatch(<Dispatch as KernelOperations>::resized(faces, form)))
}

impl Resized {
    fn kernel(&self) -> Resize<'_> {
        Resize { sides: [self.side; 2], scale: self.scale, shift: &self.shift }
    }
}

pub(super) fn resize(faces: FlexTensor, form: Resized) -> FlexTensor {
    let faces = FeatureMaps::new(faces);
    let maps = Maps { height: form.side, width: form.side, ..faces.maps };
    feature_maps(form.kernel().run(faces.values(), faces.maps), maps)
}

pub(super) fn recorded_resize<C: CheckpointStrategy>(
    faces: FloatTensor<Autodiff<Flex, C>>,
    form: Resized,
) -> FloatTensor<Autodiff<Flex, C>> {
    let prepared = ResizeBack.prepare::<C>([faces.node()]).compute_bound().stateful();
    let faces = FeatureMaps::new(faces.into_primitive());
    let maps = faces.maps;
    let output = resize(faces.into_tensor(), form);
    match prepared {
        OpsKind::Tracked(prepared) => prepared.finish((maps, form), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}

#[derive(Debug)]
struct ResizeBack;

impl Backward<Flex, 1> for ResizeBack {
    /// Sizes of the input, and the form.
    type State = (Maps, Resized);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (maps, form) = ops.state;
        let gradient = FeatureMaps::new(gradients.consume::<Flex>(&ops.node));
        if let [Some(node)] = ops.parents {
            let towards = form.kernel().gradient(gradient.values(), maps);
            gradients.register::<Flex>(node.id, feature_maps(towards, maps));
        }
    }
}
