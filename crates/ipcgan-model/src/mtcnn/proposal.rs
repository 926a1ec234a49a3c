//! The first network (P-net): all windows of a picture at once.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};

use super::Judgement;
use super::layers::{Layer, face_probability, plain_conv, pool};
use crate::operation::max_pool;

#[derive(Module, Debug)]
pub(super) struct ProposalNet {
    conv1: Layer,
    conv2: Layer,
    conv3: Layer,
    offsets: Conv2d,
    scores: Conv2d,
}

impl ProposalNet {
    pub(super) fn new(device: &Device) -> Self {
        Self {
            conv1: Layer::new([3, 10], 3, device),
            conv2: Layer::new([10, 16], 3, device),
            conv3: Layer::new([16, 32], 3, device),
            offsets: plain_conv([32, 4], 1, device),
            scores: plain_conv([32, 2], 1, device),
        }
    }

    pub(super) fn forward(&self, picture: Tensor<4>) -> (Judgement, usize) {
        let x = max_pool(&pool(2), self.conv1.forward(picture));
        let x = self.conv3.forward(self.conv2.forward(x));
        let columns = x.dims()[3];
        let windows = |maps: Tensor<4>| -> Tensor<2> { maps.permute([0, 2, 3, 1]).flatten(0, 2) };
        let scores = face_probability(windows(self.scores.forward(x.clone())));
        (Judgement { scores, offsets: windows(self.offsets.forward(x)) }, columns)
    }
}
