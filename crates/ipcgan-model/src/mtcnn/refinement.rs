//! The second network (R-net).

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};

use super::Judgement;
use super::layers::{Connected, Layer, face_probability, inner_pool, linear, pool};
use crate::operation::max_pool;

#[derive(Module, Debug)]
pub(super) struct RefinementNet {
    conv1: Layer,
    conv2: Layer,
    conv3: Layer,
    fc4: Connected,
    offsets: Linear,
    scores: Linear,
}

impl RefinementNet {
    pub(super) fn new(device: &Device) -> Self {
        Self {
            conv1: Layer::new([3, 28], 3, device),
            conv2: Layer::new([28, 48], 3, device),
            conv3: Layer::new([48, 64], 2, device),
            fc4: Connected::new(64 * 3 * 3, 128, device),
            offsets: linear(128, 4, device),
            scores: linear(128, 2, device),
        }
    }

    pub(super) fn forward(&self, windows: Tensor<4>) -> Judgement {
        let x = max_pool(&pool(3), self.conv1.forward(windows)); // [windows, 28, 11, 11]
        let x = max_pool(&inner_pool(3), self.conv2.forward(x)); // [windows, 48, 4, 4]
        let x = self.fc4.forward(self.conv3.forward(x));
        Judgement { scores: face_probability(self.scores.forward(x.clone())), offsets: self.offsets.forward(x) }
    }
}
