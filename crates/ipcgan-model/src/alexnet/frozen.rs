//! AlexNet with frozen weights.

use std::sync::Arc;

use burn::module::Module;
use burn::nn::{Dropout, Linear};
use burn::tensor::{Device, Tensor};
use ipcgan_kernels::Activation;

use super::{AgeHead, AlexNet, IdentityHead, Trunk, flat};
use crate::alexnet_input;
use crate::operation::{FrozenConv, FrozenLinear, convolution, is_packable};

/// An AlexNet with frozen weights; gradients still flow through it to the faces.
///
/// On the CPU the weights of its convolutions are packed once. Weights of fully connected layers that half precision
/// holds exactly (those of a half-precision weights file) are packed in half precision: the results are the same, bit
/// for bit, and half as much memory is taken and read. On other devices the network is unchanged.
#[derive(Clone, Debug)]
pub struct FrozenAlexNet {
    trunk: Trunk,
    convolutions: Option<Arc<[FrozenConv; 5]>>,
    /// `fc6`, `fc7` and the embedding.
    identity_head: [FrozenLinear; 3],
    identity_logits: Linear,
    identity_dropout: Dropout,
    /// `fc6`, `fc7` and the logits.
    age_head: [FrozenLinear; 3],
    age_dropout: Dropout,
    input_size: usize,
}

impl AlexNet {
    /// This AlexNet with frozen weights.
    pub fn into_frozen(self) -> FrozenAlexNet {
        FrozenAlexNet::new(self)
    }
}

impl FrozenAlexNet {
    fn new(net: AlexNet) -> Self {
        let precision = net.precision();
        let AlexNet { trunk, identity_head, age_head, input_size } = net.freeze();
        let hidden = |layer| FrozenLinear::new(layer, Activation::Relu, precision);
        Self {
            convolutions: packed(&trunk),
            trunk,
            identity_head: [identity_head.fc6, identity_head.fc7, identity_head.embedding].map(hidden),
            identity_logits: identity_head.logits,
            identity_dropout: identity_head.dropout,
            age_head: [
                hidden(age_head.fc6),
                hidden(age_head.fc7),
                FrozenLinear::new(age_head.logits, Activation::None, precision),
            ],
            age_dropout: age_head.dropout,
            input_size,
        }
    }

    /// As [`AlexNet::features`].
    pub fn features(&self, faces: Tensor<4>) -> Tensor<4> {
        let [.., conv5] = self.feature_maps(faces);
        conv5
    }

    /// Feature maps of `faces` `[batch, 3, height, width]` at four depths: after conv2 (pooled and normalized), conv3, conv4
    /// and conv5, the last as [`FrozenAlexNet::features`]. Each `[batch, channels, height, width]`.
    pub fn feature_maps(&self, faces: Tensor<4>) -> [Tensor<4>; 4] {
        let x = alexnet_input(faces, self.input_size);
        let trunk = &self.trunk;
        match &self.convolutions {
            None => {
                let Trunk { conv1, conv2, conv3, conv4, conv5, .. } = trunk;
                let layers = [conv1, conv2, conv3, conv4, conv5];
                trunk.maps_through(x, |layer, x| convolution(layers[layer], x, Activation::Relu, trunk.precision))
            }
            Some(convolutions) => trunk.maps_through(x, |layer, x| convolutions[layer].forward(x)),
        }
    }

    /// The underlying AlexNet, with all weights in single precision.
    pub fn to_alexnet(&self) -> AlexNet {
        let precision = self.trunk.precision;
        let [fc6, fc7, embedding] = self.identity_head.each_ref().map(FrozenLinear::to_linear);
        let (logits, dropout) = (self.identity_logits.clone(), self.identity_dropout.clone());
        let identity_head = IdentityHead { fc6, fc7, embedding, logits, dropout, precision };
        let [fc6, fc7, logits] = self.age_head.each_ref().map(FrozenLinear::to_linear);
        let age_head = AgeHead { fc6, fc7, logits, dropout: self.age_dropout.clone(), precision };
        AlexNet { trunk: self.trunk.clone(), identity_head, age_head, input_size: self.input_size }
    }

    /// The same on another device.
    pub fn to_device(&self, device: &Device) -> Self {
        if self.trunk.conv1.weight.val().device() == *device {
            return self.clone();
        }
        let trunk = self.trunk.clone().to_device(device).freeze();
        let moved = |head: &[FrozenLinear; 3]| head.each_ref().map(|layer| layer.to_device(device));
        Self {
            convolutions: packed(&trunk),
            trunk,
            identity_head: moved(&self.identity_head),
            identity_logits: self.identity_logits.clone().to_device(device).freeze(),
            identity_dropout: self.identity_dropout.clone(),
            age_head: moved(&self.age_head),
            age_dropout: self.age_dropout.clone(),
            input_size: self.input_size,
        }
    }

    /// As [`AlexNet::embedding`], without dropout.
    pub fn embedding(&self, features: Tensor<4>) -> Tensor<2> {
        through(&self.identity_head, features)
    }

    /// As [`AlexNet::age_logits`], without dropout.
    pub fn age_logits(&self, features: Tensor<4>) -> Tensor<2> {
        through(&self.age_head, features)
    }
}

/// The convolutions of `trunk` with packed weights, if it is on the CPU.
fn packed(trunk: &Trunk) -> Option<Arc<[FrozenConv; 5]>> {
    let Trunk { conv1, conv2, conv3, conv4, conv5, .. } = trunk;
    is_packable(&conv1.weight.val(), trunk.precision)
        .then(|| Arc::new([conv1, conv2, conv3, conv4, conv5].map(|conv| FrozenConv::new(conv, Activation::Relu))))
}

/// The layers of `head` one after the other, from [`AlexNet::features`].
fn through(head: &[FrozenLinear; 3], features: Tensor<4>) -> Tensor<2> {
    head.iter().fold(flat(features), |x, layer| layer.forward(x))
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;
    use crate::random_tensors::RandomTensors;
    use crate::relative_error::normwise_error;
    use crate::weights::{self, FloatWidth, Weights};
    use crate::{AgeGroups, AlexNetConfig};

    /// A network with random weights, and the same from a half-precision weights file.
    fn networks() -> [AlexNet; 2] {
        let config = AlexNetConfig::new(3).with_input_size(67).with_width(2).with_hidden(40).with_embedding(20);
        let (age_groups, device) = (AgeGroups::default(), Device::flex());
        let net = config.init(&age_groups, 0, &device);
        let single = Weights { network: net.clone(), config, age_groups };
        let file = single.safetensors(FloatWidth::Float16).unwrap();
        let half = weights::from_bytes::<AlexNet>(file, "half.safetensors".as_ref(), &device).unwrap();
        [net, half.network]
    }

    /// Random feature maps of three faces.
    fn features() -> Tensor<4> {
        RandomTensors::new(1).uniform([3, 16, 3, 3], 0.0..1.0)
    }

    #[test]
    fn outputs_and_gradients_of_the_frozen_network_equal_those_of_the_network() {
        let device = Device::flex();
        let config = AlexNetConfig::new(3).with_input_size(115).with_width(8).with_hidden(16).with_embedding(4);
        let net = config.init(&AgeGroups::default(), 0, &device);
        let faces = RandomTensors::new(0).uniform([2, 3, 32, 32], -1.0..1.0).autodiff();
        let slopes = |features: Tensor<4>, faces: &Tensor<4>| {
            let gradients = features.clone().square().sum().backward();
            (features.inner(), faces.grad(&gradients).expect("the faces are tracked"))
        };

        let (plain, frozen) = (faces.clone().require_grad(), faces.require_grad());
        let (expected, expected_slopes) = slopes(net.clone().freeze().features(plain.clone()), &plain);
        let (found, found_slopes) = slopes(net.into_frozen().features(frozen.clone()), &frozen);

        for (found, expected) in [(found, expected), (found_slopes, expected_slopes)] {
            let error = normwise_error(found, expected);
            assert!(error <= 2e-5, "off by {error} of the largest value");
        }
    }

    #[test]
    fn frozen_heads_compute_the_same_bits_as_the_network_with_weights_in_single_and_half_precision() {
        let results = |embedding: Tensor<2>, logits: Tensor<2>, features: &Tensor<4>| -> [TensorData; 3] {
            let gradients = (embedding.clone().square().sum() + logits.clone().square().sum()).backward();
            let slopes = features.grad(&gradients).expect("the features are tracked");
            [embedding.inner().into_data(), logits.inner().into_data(), slopes.into_data()]
        };
        for net in networks() {
            let [x, y] = [features(), features()].map(|features| features.autodiff().require_grad());
            let plain = net.clone().freeze();
            let expected = results(plain.embedding(x.clone()), plain.age_logits(x.clone()), &x);

            let frozen = net.into_frozen();
            let found = results(frozen.embedding(y.clone()), frozen.age_logits(y.clone()), &y);

            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_frozen_network_gives_its_weights_back_and_moves_between_devices() {
        for net in networks() {
            let frozen = net.clone().into_frozen();

            let (back, moved) = (frozen.to_alexnet(), frozen.to_device(&Device::flex()));

            let weights =
                |net: AlexNet| [net.identity_head.fc6, net.identity_head.fc7, net.age_head.fc6, net.age_head.fc7];
            for (found, expected) in weights(back).into_iter().zip(weights(net)) {
                assert_eq!(found.weight.val().into_data(), expected.weight.val().into_data());
            }
            assert_eq!(moved.age_logits(features()).into_data(), frozen.age_logits(features()).into_data());
        }
    }
}
