//! Exponential moving average (EMA) of a network's weights.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use ipcgan_model::{ema_tensor_update, update_together};

/// One EMA update: `decay * ema + (1 - decay) * network`, for two networks of the same architecture.
///
/// Batch-norm running statistics are averaged as well. Not tracked by autodiff.
pub(crate) fn ema_update<M: Module>(ema: M, network: &M, decay: f64) -> M {
    let mut values = Values::default();
    network.visit(&mut values);
    update_together(|| ema.map(&mut Blend { values: values.tensors, order: values.order.into_iter(), decay }))
}

/// The floating-point tensors of a network, in visiting order.
#[derive(Default)]
struct Values {
    // Used as a map from id to tensors of any rank.
    tensors: GradientsParams,
    order: Vec<ParamId>,
}

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        self.tensors.register(parameter.id, parameter.val().without_autodiff());
        self.order.push(parameter.id);
    }
}

struct Blend {
    values: GradientsParams,
    order: std::vec::IntoIter<ParamId>,
    decay: f64,
}

impl ModuleMapper for Blend {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let other = self.order.next().and_then(|id| self.values.remove::<D>(id));
        let other = other.expect("both networks have the same architecture");
        let decay = self.decay;
        parameter.map(|ema| {
            let tracked = ema.device().is_autodiff();
            let updated = ema_tensor_update(ema.without_autodiff(), other, decay);
            if tracked { Tensor::from_inner(updated) } else { updated }
        })
    }
}

/// EMA decay at update number `updates`: warmed up, `min(decay, (1 + updates) / (10 + updates))`, so that an average
/// of few updates does not depend on the initial weights.
pub(crate) fn ema_decay(decay: f64, updates: usize) -> f64 {
    decay.min((1 + updates) as f64 / (10 + updates) as f64)
}

/// The id of the first parameter of `network`.
pub(crate) fn first_parameter<M: Module>(network: &M) -> Option<ParamId> {
    struct First(Option<ParamId>);
    impl ModuleVisitor for First {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.0.get_or_insert(parameter.id);
        }
    }
    let mut first = First(None);
    network.visit(&mut first);
    first.0
}

#[cfg(test)]
mod tests {
    use burn::nn::{Initializer, Linear, LinearConfig};
    use burn::tensor::Device;

    use super::*;

    fn layer(initializer: Initializer) -> Linear {
        LinearConfig::new(1, 1).with_bias(false).with_initializer(initializer).init(&Device::flex().autodiff())
    }

    #[test]
    fn an_update_weights_the_average_by_the_decay() {
        let [zero, one] = [layer(Initializer::Zeros), layer(Initializer::Ones)];

        let ema = ema_update(zero, &one, 0.75);

        assert_eq!(ema.weight.val().into_scalar::<f32>(), 0.25);
        assert_ne!(ema.weight.id, one.weight.id, "shared ids would make the optimizer update the EMA");
    }

    #[test]
    fn the_decay_is_warmed_up() {
        assert!(ema_decay(0.999, 1) < 0.2 && ema_decay(0.999, 100) < 0.93);
        assert_eq!(ema_decay(0.999, 100_000), 0.999);
    }
}
