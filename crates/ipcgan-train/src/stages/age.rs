//! Second stage: the age classifier learns on the identity net's frozen trunk.

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use burn::train::{InferenceStep, Learner, TrainOutput, TrainStep};
use ipcgan_data::LabelledBatch;
use ipcgan_model::AlexNet;
use ipcgan_model::loss::age_loss;

use super::{StepModel, accuracy, gradients, learn_in_one_pass};
use crate::terms::Terms;

/// AlexNet while its age head learns; nothing else of it changes.
#[derive(Module, Debug)]
pub struct AgeModel {
    alexnet: AlexNet,
}

impl AgeModel {
    /// The network with everything frozen but the age head.
    pub fn new(mut alexnet: AlexNet) -> Self {
        alexnet.trunk = alexnet.trunk.freeze();
        alexnet.identity_head = alexnet.identity_head.freeze();
        Self { alexnet }
    }

    /// The network.
    pub fn into_alexnet(self) -> AlexNet {
        self.alexnet
    }

    fn logits(&self, faces: Tensor<4>) -> Tensor<2> {
        self.alexnet.age_logits(self.alexnet.features(faces))
    }
}

impl TrainStep for AgeModel {
    type Input = LabelledBatch;
    type Output = Terms;

    fn step(&self, batch: LabelledBatch) -> TrainOutput<Terms> {
        let logits = self.logits(batch.faces);
        let accuracy = accuracy(logits.clone(), batch.labels.clone());
        let [size] = batch.labels.dims();
        let loss = age_loss(logits, batch.labels);
        let terms = Terms::new(size).with("loss", loss.clone()).with("accuracy", accuracy);
        TrainOutput { grads: gradients(loss, self), item: terms }
    }
}

impl InferenceStep for AgeModel {
    type Input = LabelledBatch;
    type Output = Terms;

    fn step(&self, batch: LabelledBatch) -> Terms {
        let logits = self.logits(batch.faces);
        let [size] = batch.labels.dims();
        Terms::new(size)
            .with("accuracy", accuracy(logits.clone(), batch.labels.clone()))
            .with("within one group", within_one_group(logits.clone(), batch.labels.clone()))
            .with("loss", age_loss(logits, batch.labels))
    }
}

/// Share of the faces whose predicted group is the right one or next to it.
fn within_one_group(logits: Tensor<2>, groups: Tensor<1, Int>) -> Tensor<1> {
    let [batch, _] = logits.dims();
    let predicted = logits.argmax(1).reshape([batch]);
    (predicted - groups).abs().lower_equal_elem(1).float().mean()
}

impl StepModel for AgeModel {
    fn learn(learner: &mut Learner<Self>, batch: LabelledBatch) -> Terms {
        learn_in_one_pass(learner, batch)
    }
}
