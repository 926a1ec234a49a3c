//! AlexNet with frozen weights.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ipcgan_kernels::Activation;

use super::{AlexNet, Trunk};
use crate::alexnet_input;
use crate::operation::{FrozenConv, algorithm_for, convolution};

/// An AlexNet with frozen weights; gradients still flow through it to the faces.
///
/// On the CPU the weights of its convolutions are packed once; on other devices the network is unchanged.
#[derive(Clone, Debug)]
pub struct FrozenAlexNet {
    net: AlexNet,
    convolutions: Option<Arc<[FrozenConv; 5]>>,
}

impl AlexNet {
    /// This AlexNet with frozen weights.
    pub fn into_frozen(self) -> FrozenAlexNet {
        FrozenAlexNet::new(self)
    }
}

impl FrozenAlexNet {
    fn new(net: AlexNet) -> Self {
        let Trunk { conv1, conv2, conv3, conv4, conv5, .. } = &net.trunk;
        let convolutions = algorithm_for(conv1, net.precision()).map(|algorithm| {
            Arc::new([conv1, conv2, conv3, conv4, conv5].map(|conv| FrozenConv::new(conv, Activation::Relu, algorithm)))
        });
        Self { net: net.freeze(), convolutions }
    }

    /// As [`AlexNet::features`].
    pub fn features(&self, faces: Tensor<4>) -> Tensor<4> {
        let [.., conv5] = self.feature_maps(faces);
        conv5
    }

    /// Feature maps of `faces` `[batch, 3, height, width]` at four depths: after conv2 (pooled and normalized), conv3, conv4
    /// and conv5, the last as [`FrozenAlexNet::features`]. Each `[batch, channels, height, width]`.
    pub fn feature_maps(&self, faces: Tensor<4>) -> [Tensor<4>; 4] {
        let x = alexnet_input(faces, self.net.input_size);
        let trunk = &self.net.trunk;
        match &self.convolutions {
            None => {
                let Trunk { conv1, conv2, conv3, conv4, conv5, .. } = trunk;
                let layers = [conv1, conv2, conv3, conv4, conv5];
                trunk.maps_through(x, |layer, x| convolution(layers[layer], x, Activation::Relu, trunk.precision))
            }
            Some(convolutions) => trunk.maps_through(x, |layer, x| convolutions[layer].forward(x)),
        }
    }

    /// The underlying AlexNet.
    pub fn alexnet(&self) -> &AlexNet {
        &self.net
    }

    /// The same on another device.
    pub fn to_device(&self, device: &Device) -> Self {
        Self::new(self.net.clone().to_device(device))
    }

    /// As [`AlexNet::embedding`], without dropout.
    pub fn embedding(&self, features: Tensor<4>) -> Tensor<2> {
        self.net.embedding(features)
    }

    /// As [`AlexNet::age_logits`], without dropout.
    pub fn age_logits(&self, features: Tensor<4>) -> Tensor<2> {
        self.net.age_logits(features)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random_tensors::RandomTensors;
    use crate::relative_error::normwise_error;
    use crate::{AgeGroups, AlexNetConfig};

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
}
