//! First stage: the identity net learns to tell people apart.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::train::{InferenceStep, Learner, TrainOutput, TrainStep};
use ipcgan_data::LabelledBatch;
use ipcgan_model::AlexNet;
use ipcgan_model::loss::cross_entropy;

use super::{StepModel, accuracy, gradients, learn_in_one_pass};
use crate::terms::Terms;

/// AlexNet while its trunk and identity head learn.
#[derive(Module, Debug)]
pub struct IdentityModel {
    /// The network.
    pub alexnet: AlexNet,
}

/// The vectors that stand for the people in a batch, and who they are.
#[derive(Clone, Debug)]
pub struct Recognition {
    /// `[batch, embedding]`.
    pub embeddings: Tensor<2>,
    /// `[batch]`; equal numbers are the same person.
    pub identities: burn::tensor::Tensor<1, burn::tensor::Int>,
}

impl TrainStep for IdentityModel {
    type Input = LabelledBatch;
    type Output = Terms;

    fn step(&self, batch: LabelledBatch) -> TrainOutput<Terms> {
        let logits = self.alexnet.identity_logits(self.alexnet.features(batch.faces));
        let accuracy = accuracy(logits.clone(), batch.labels.clone());
        let [size] = batch.labels.dims();
        let loss = cross_entropy(logits, batch.labels);
        let terms = Terms::new(size).with("loss", loss.clone()).with("accuracy", accuracy);
        TrainOutput { grads: gradients(loss, self), item: terms }
    }
}

impl InferenceStep for IdentityModel {
    type Input = LabelledBatch;
    type Output = Recognition;

    fn step(&self, batch: LabelledBatch) -> Recognition {
        let embeddings = self.alexnet.embedding(self.alexnet.features(batch.faces));
        Recognition { embeddings, identities: batch.labels }
    }
}

impl StepModel for IdentityModel {
    fn learn(learner: &mut Learner<Self>, batch: LabelledBatch) -> Terms {
        learn_in_one_pass(learner, batch)
    }
}
