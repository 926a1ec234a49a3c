//! The running average of a network's weights.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// `ema` moved towards `network`, a network of the same form: `decay` of it stays.
///
/// Running statistics are averaged as weights are. Nothing is recorded for gradients.
pub(crate) fn ema_update<M: Module>(ema: M, network: &M, decay: f64) -> M {
    let mut values = Values::default();
    network.visit(&mut values);
    ema.map(&mut Blend { values: values.tensors, order: values.order.into_iter(), decay })
}

/// The floating-point tensors of a network, in the order in which they are visited.
#[derive(Default)]
struct Values {
    // Holds tensors of any number of dimensions by id; what it is made for does not matter here.
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
        let other = other.expect("both networks have the same form");
        let decay = self.decay;
        parameter.map(|ema| {
            let recorded = ema.device().is_autodiff();
            let updated = ema.without_autodiff() * decay + other * (1.0 - decay);
            if recorded { Tensor::from_inner(updated) } else { updated }
        })
    }
}

/// The share that stays at the `updates`th update of an average that tends to `decay`: an average of few updates must
/// not hang on the weights that it began with.
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
    fn a_share_of_what_was_stays() {
        let [zero, one] = [layer(Initializer::Zeros), layer(Initializer::Ones)];

        let ema = ema_update(zero, &one, 0.75);

        assert_eq!(ema.weight.val().into_scalar::<f32>(), 0.25);
        assert_ne!(ema.weight.id, one.weight.id, "it would be taken for the network that learns");
    }

    #[test]
    fn an_average_of_few_updates_follows_at_once() {
        assert!(ema_decay(0.999, 1) < 0.2 && ema_decay(0.999, 100) < 0.93);
        assert_eq!(ema_decay(0.999, 100_000), 0.999);
    }
}
