//! What is learned in each stage, as models that Burn's learner trains.

mod age;
mod aging;
mod identity;

pub use age::AgeModel;
pub use aging::{AgingModel, Turn};
pub use identity::{IdentityModel, Recognition};

use burn::optim::GradientsParams;
use burn::tensor::{Int, Tensor};
use burn::train::{Learner, LearnerModel, TrainOutput, TrainStep};

use crate::terms::Terms;

/// A model that learns in steps.
pub(crate) trait StepModel: LearnerModel + TrainStep<Output = Terms> {
    /// One step on `batch`: every update, in order. Returns what it lost.
    fn learn(learner: &mut Learner<Self>, batch: <Self as TrainStep>::Input) -> Terms;
}

/// One update from the gradients of one pass: how both classifiers learn.
fn learn_in_one_pass<M: LearnerModel>(
    learner: &mut Learner<M>,
    batch: <M as TrainStep>::Input,
) -> <M as TrainStep>::Output {
    let TrainOutput { grads, item } = learner.train_step(batch);
    learner.optimizer_step(grads);
    item
}

/// Gradients of `loss` towards the parameters of `module`.
fn gradients<M: burn::module::Module>(loss: Tensor<1>, module: &M) -> GradientsParams {
    GradientsParams::from_grads(loss.backward(), module)
}

/// Share of the rows of `logits` `[batch, classes]` whose largest score is that of the label.
fn accuracy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let [batch, _] = logits.dims();
    let predicted = logits.without_autodiff().argmax(1).reshape([batch]);
    predicted.equal(labels).float().mean()
}
