//! Gradient accumulation and gradient clipping.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use ipcgan_model::{MultiTensorScale, SquareSum};

use crate::step::loss_scale::LossScale;
use crate::step::metrics::StepMetrics;

/// Avoids a division by zero.
const EPSILON: f64 = 1e-12;

/// Gradients and metrics of one micro-batch.
pub struct StepGradients {
    /// Gradients of the network's parameters, multiplied by the loss scale.
    pub gradients: GradientsParams,
    /// Unweighted losses.
    pub metrics: StepMetrics,
}

/// Gradients of `loss` with respect to the parameters of `module`, multiplied by the loss scale `scale`.
pub(crate) fn gradients<M: Module>(loss: Tensor<1>, module: &M, scale: &LossScale) -> GradientsParams {
    let loss = match scale.factor() {
        1.0 => loss,
        factor => loss * factor,
    };
    GradientsParams::from_grads(loss.backward(), module)
}

/// The gradients of an update, and their global norm.
pub(crate) struct Update {
    /// `None` if the update is skipped because gradients overflowed.
    pub(crate) gradients: Option<GradientsParams>,
    /// Global gradient norm before clipping: `[1]`; zero if the update is skipped.
    pub(crate) norm: Tensor<1>,
}

impl Update {
    /// Averages the gradients of `micro_batches` of equal sizes, as [`gradients`] returns them, and clips their
    /// global norm to `gradient_clip_norm` unless that is zero. Nothing is read back from the device, unless losses are
    /// scaled.
    ///
    /// # Panics
    /// If there are no micro-batches, or none of `module`'s parameters has a gradient.
    pub(crate) fn mean<M: Module>(
        module: &M,
        micro_batches: Vec<GradientsParams>,
        gradient_clip_norm: f64,
        loss_scale: &LossScale,
    ) -> Self {
        let scale = 1.0 / (micro_batches.len() as f64 * loss_scale.factor());
        let mut sum = Sum { micro_batches, total: GradientsParams::new(), squares: SquareSum::default() };
        module.visit(&mut sum);
        let norm = sum.squares.sum().expect("the loss depends on the parameters").sqrt() * scale;
        if !loss_scale.accepts(&norm) {
            return Self { gradients: None, norm: norm.zeros_like() };
        }
        let factor = match gradient_clip_norm {
            0.0 => Factor::Fixed(scale),
            limit => {
                let clip_factor = (norm.clone() + EPSILON).recip().mul_scalar(limit).clamp_max(1.0);
                Factor::Measured(Box::new(MultiTensorScale::by(clip_factor * scale)))
            }
        };
        let mut scaled = Scale { gradients: sum.total, factor };
        if !matches!(scaled.factor, Factor::Fixed(1.0)) {
            module.visit(&mut scaled);
        }
        if let Factor::Measured(factor) = scaled.factor {
            factor.finish();
        }
        Self { gradients: Some(scaled.gradients), norm }
    }
}

/// Sums the gradients of several micro-batches.
struct Sum {
    micro_batches: Vec<GradientsParams>,
    total: GradientsParams,
    squares: SquareSum,
}

impl ModuleVisitor for Sum {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let gradients = self.micro_batches.iter_mut().filter_map(|micro_batch| micro_batch.remove::<D>(parameter.id));
        let Some(total) = gradients.reduce(|sum, gradient| sum + gradient) else { return };
        self.squares.add(&total);
        self.total.register(parameter.id, total);
    }
}

enum Factor {
    Fixed(f64),
    /// Computed on the device.
    Measured(Box<MultiTensorScale>),
}

/// Multiplies gradients by a factor.
struct Scale {
    gradients: GradientsParams,
    factor: Factor,
}

impl ModuleVisitor for Scale {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.remove::<D>(parameter.id) else { return };
        let scaled = match &mut self.factor {
            Factor::Fixed(factor) => gradient * *factor,
            Factor::Measured(factor) => factor.scaled(gradient),
        };
        self.gradients.register(parameter.id, scaled);
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::{Initializer, Linear, LinearConfig};
    use burn::tensor::Device;

    use super::*;

    /// Gradient and norm of the update of one weight from two micro-batches with gradients 3 and 5.
    fn update(gradient_clip_norm: f64) -> (f32, f32) {
        let (gradient, norm) = scaled_update(gradient_clip_norm, [3.0, 5.0], &LossScale::none());
        (gradient.unwrap(), norm)
    }

    /// Gradient and norm of the update of one weight from two micro-batches with gradients `micro_batches`.
    fn scaled_update(gradient_clip_norm: f64, micro_batches: [f32; 2], loss_scale: &LossScale) -> (Option<f32>, f32) {
        let device = Device::flex().autodiff();
        let layer: Linear = LinearConfig::new(1, 1).with_bias(false).with_initializer(Initializer::Ones).init(&device);
        let micro_batch = |x: f32| {
            let input = Tensor::<2>::from_data([[x]], &device);
            gradients(layer.forward(input).sum(), &layer, loss_scale)
        };
        let update = Update::mean(&layer, micro_batches.map(micro_batch).into(), gradient_clip_norm, loss_scale);
        let gradient = update.gradients.map(|gradients| gradients.get::<2>(layer.weight.id).unwrap().into_scalar());
        (gradient, update.norm.into_scalar())
    }

    #[test]
    fn gradients_of_micro_batches_are_averaged() {
        assert_eq!(update(0.0), (4.0, 4.0));
    }

    #[test]
    fn a_gradient_above_the_limit_is_clipped_and_its_norm_is_reported() {
        let (gradient, norm) = update(1.0);

        assert!((gradient - 1.0).abs() < 1e-6 && norm == 4.0, "{gradient} {norm}");
        assert!((update(9.0).0 - 4.0).abs() < 1e-6);
    }

    #[test]
    fn a_scaled_loss_gives_the_same_update_and_an_overflow_skips_it() {
        let scale = LossScale::dynamic();

        assert_eq!(scaled_update(0.0, [3.0, 5.0], &scale), (Some(4.0), 4.0));
        assert_eq!(scaled_update(0.0, [3.0, f32::INFINITY], &scale), (None, 0.0));
        assert_eq!(scale.factor(), 512.0);
        assert_eq!(scaled_update(0.0, [3.0, 5.0], &scale), (Some(4.0), 4.0));
    }
}
