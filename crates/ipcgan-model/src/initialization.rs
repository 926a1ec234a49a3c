//! Weight initialization, sampled on the host so that it is the same on every device.

mod whitening;

pub(crate) use whitening::with_whitening_filters;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;
use rand_distr::{Distribution, Normal};
use rand_pcg::Pcg64Mcg;

/// Standard deviation of the initial weights of generator and discriminator (official code).
const GAN_SIGMA: f32 = 0.02;

/// Standard deviation of the last layer of a classifier (AlexNet).
///
/// With He initialization its first logits would be large and equally wrong for every face; the fastest way to lower the
/// loss would be to suppress the features of the layers before it, which did not recover.
const LOGITS_SIGMA: f32 = 0.01;

/// Initialization of the weights of convolutions and linear layers; biases start at zero.
#[derive(Clone, Copy)]
pub(crate) enum InitialWeights {
    /// Normal with sigma 0.02, truncated at two sigma except in transposed convolutions, as the official code.
    Gan,
    /// He (Kaiming) initialization: normal with standard deviation `sqrt(2 / fan_in)`; 0.01 for the layers called
    /// `logits`.
    He,
}

/// Initializes the weights of `network`; each depends on `seed` and on its name only.
///
/// Every parameter holds a value afterwards. (Burn's lazy ones share their state among clones: a
/// `clone().no_grad()` before the first use would freeze the original too.)
pub(crate) fn with_initial_weights<M: Module>(network: M, initial: InitialWeights, seed: u64) -> M {
    network.map(&mut WeightSampler { initial, seed, path: Vec::new(), container: Vec::new() })
}

/// `weight` times `factor`, still trainable if it was.
pub(crate) fn scaled<const D: usize>(weight: Param<Tensor<D>>, factor: f64) -> Param<Tensor<D>> {
    weight.map(|tensor| {
        let tracked = tensor.is_require_grad();
        (tensor * factor).detach().set_require_grad(tracked)
    })
}

struct WeightSampler {
    initial: InitialWeights,
    seed: u64,
    path: Vec<String>,
    container: Vec<String>,
}

impl WeightSampler {
    fn draw(&self, shape: &[usize]) -> Option<Vec<f32>> {
        let weight = self.path.last().is_some_and(|name| name == "weight");
        let layer = self.container.last().map_or("", String::as_str);
        let transposed = layer.ends_with("ConvTranspose2d");
        if !weight {
            return None;
        }
        let mut random = Pcg64Mcg::seed_from_u64(self.seed ^ name_hash(&self.path.join(".")));
        let (sigma, limit) = match self.initial {
            InitialWeights::Gan if transposed => (GAN_SIGMA, f32::INFINITY),
            InitialWeights::Gan => (GAN_SIGMA, 2.0 * GAN_SIGMA),
            InitialWeights::He if self.path.iter().any(|name| name == "logits") => (LOGITS_SIGMA, f32::INFINITY),
            InitialWeights::He => {
                // Linear layers hold `[inputs, outputs]`, convolutions `[outputs, inputs, height, width]`.
                let fan_in = match shape {
                    [fan_in, _] => *fan_in,
                    _ => shape[1..].iter().product(),
                };
                ((2.0 / fan_in as f32).sqrt(), f32::INFINITY)
            }
        };
        let normal = Normal::new(0.0, sigma).expect("sigma is positive and finite");
        let sample_one = |_| loop {
            let value: f32 = normal.sample(&mut random);
            if value.abs() <= limit {
                return value;
            }
        };
        Some((0..shape.iter().product()).map(sample_one).collect())
    }
}

impl ModuleMapper for WeightSampler {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push(name.into());
        self.container.push(container_type.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
        self.container.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let shape = tensor.dims();
            match self.draw(&shape) {
                None => tensor,
                Some(values) => {
                    let drawn = TensorData::new(values, shape);
                    Tensor::from_data(drawn, &tensor.device()).set_require_grad(tensor.is_require_grad())
                }
            }
        })
    }
}

/// FNV-1a of `name`, 64 bits.
fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::{AgeGroups, Generator, GeneratorConfig};

    fn generator(seed: u64) -> Generator {
        let config = GeneratorConfig::new().with_width(4).with_residual_blocks(1);
        config.init(&AgeGroups::default(), seed, &Device::flex())
    }

    #[test]
    fn the_seed_determines_the_initial_weights() {
        let weight = |seed| generator(seed).stem.conv.weight.val().into_data();

        assert_eq!(weight(1), weight(1));
        assert_ne!(weight(1), weight(2));
    }

    #[test]
    fn weights_stay_within_two_sigma_and_do_not_repeat_between_layers() {
        let block = &generator(3).residual[0];

        let first = block.conv1.weight.val();
        let second = block.conv2.weight.val();

        assert!(first.clone().abs().max().into_scalar::<f32>() <= 2.0 * GAN_SIGMA);
        assert_ne!(first.into_data(), second.into_data());
    }
}
