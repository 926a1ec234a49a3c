//! A window of faces whose offset is a value on the device, so that a captured step can move it.

#[cfg(feature = "gpu")]
mod gpu;

#[cfg(feature = "gpu")]
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
#[cfg(feature = "gpu")]
use burn::backend::tensor::FloatTensor;
#[cfg(feature = "gpu")]
use burn::backend::{Autodiff, Backend, Cube, Dispatch, backend_extension};
use burn::tensor::{Device, Tensor};

#[cfg(feature = "gpu")]
use super::engine::{Engine, f32_engine};

/// Offset of a window, in pixels down and to the right, for any number of windows on one device.
#[derive(Clone, Debug)]
pub struct WindowOffset {
    pixels: [usize; 2],
    /// Both numbers, `[2]`; for GPUs only.
    #[cfg(feature = "gpu")]
    on_device: Option<Tensor<1>>,
}

impl WindowOffset {
    /// `pixels` down and to the right, for faces on `device`.
    #[cfg_attr(not(feature = "gpu"), expect(unused_variables, reason = "only GPUs need the device"))]
    pub fn new(pixels: [usize; 2], device: &Device) -> Self {
        Self {
            pixels,
            #[cfg(feature = "gpu")]
            on_device: gpu::offset(pixels, device),
        }
    }
}

/// In [`StepGraph::renew`](crate::StepGraph::renew): the offset for the next replay, in place of
/// [`WindowOffset::new`] in the recorded step.
pub fn renew_window_offset(pixels: [usize; 2], device: &Device) {
    let _written = WindowOffset::new(pixels, device);
}

/// The window of `sides` (height, width) at `offset` of `faces`.
///
/// # Shapes
/// - `faces`: `[batch, channels, height, width]`
/// - returns: `[batch, channels, sides[0], sides[1]]`
///
/// # Panics
/// If the window reaches beyond the faces.
pub fn window(faces: Tensor<4>, offset: &WindowOffset, sides: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = faces.dims();
    let [down, right] = offset.pixels;
    assert!(down + sides[0] <= height && right + sides[1] <= width, "the window reaches beyond the faces");
    #[cfg(feature = "gpu")]
    if let (Engine::Gpu, Some(offset)) = (f32_engine([&faces]), &offset.on_device) {
        let offset = match faces.device().is_autodiff() {
            true => offset.clone().autodiff(),
            false => offset.clone(),
        };
        let output = <Dispatch as WindowOps>::window(faces.into_dispatch(), offset.into_dispatch(), sides);
        return Tensor::from_dispatch(output);
    }
    faces.narrow(2, down, sides[0]).narrow(3, right, sides[1])
}

/// Windows on GPUs; elsewhere they are views.
#[cfg(feature = "gpu")]
#[backend_extension(Cube, Autodiff)]
trait WindowOps: Backend {
    fn window(faces: FloatTensor<Self>, offset: FloatTensor<Self>, sides: [usize; 2]) -> FloatTensor<Self>;
}

#[cfg(feature = "gpu")]
impl WindowOps for Cube {
    fn window(faces: FloatTensor<Self>, offset: FloatTensor<Self>, sides: [usize; 2]) -> FloatTensor<Self> {
        gpu::window(faces, offset, sides)
    }
}

#[cfg(feature = "gpu")]
impl<C: CheckpointStrategy> WindowOps for Autodiff<Cube, C> {
    fn window(faces: FloatTensor<Self>, offset: FloatTensor<Self>, sides: [usize; 2]) -> FloatTensor<Self> {
        gpu::window_autodiff::<C>(faces, offset, sides)
    }
}
