//! The third network (O-net).

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};

use super::Judgement;
use super::layers::{Connected, Layer, face_probability, inner_pool, linear, pool};
use crate::operation::max_pool;

#[derive(Module, Debug)]
pub(super) struct OutputNet {
    conv1: Layer,
    conv2: Layer,
    conv3: Layer,
    conv4: Layer,
    fc5: Connected,
    offsets: Linear,
    landmarks: Linear,
    scores: Linear,
}

impl OutputNet {
    pub(super) fn new(device: &Device) -> Self {
        Self {
            conv1: Layer::new([3, 32], 3, device),
            conv2: Layer::new([32, 64], 3, device),
            conv3: Layer::new([64, 64], 3, device),
            conv4: Layer::new([64, 128], 2, device),
            fc5: Connected::new(128 * 3 * 3, 256, device),
            offsets: linear(256, 4, device),
            landmarks: linear(256, 10, device),
            scores: linear(256, 2, device),
        }
    }

    pub(super) fn forward(&self, windows: Tensor<4>) -> (Judgement, Tensor<2>) {
        let x = max_pool(&pool(3), self.conv1.forward(windows)); // [windows, 32, 23, 23]
        let x = max_pool(&inner_pool(3), self.conv2.forward(x)); // [windows, 64, 10, 10]
        let x = max_pool(&pool(2), self.conv3.forward(x)); // [windows, 64, 4, 4]
        let x = self.fc5.forward(self.conv4.forward(x));
        let scores = face_probability(self.scores.forward(x.clone()));
        (Judgement { scores, offsets: self.offsets.forward(x.clone()) }, self.landmarks.forward(x))
    }
}
