//! Second stage: the age classifier is trained on the frozen trunk of the identity network.

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor};
use burn::train::{InferenceStep, Learner, TrainOutput, TrainStep};
use ipcgan_data::{LabelledBatch, group_labels};
use ipcgan_model::loss::age_loss;
use ipcgan_model::weights::Network;
use ipcgan_model::{AgeHead, AlexNet, AlexNetConfig, update_together};

use super::adversarial_examples::{adversarial_epsilon, adversarial_examples, warn_of_missing_adversarial_training};
use super::age_labelled_faces::{age_labelled_faces, check_age_labelled_faces};
use super::classifier::{
    ACCURACY, GRADIENT_NORM, LOSS, classifier_lr_scheduler, classifier_optimizer, learn_in_one_update,
};
use super::frozen::Frozen;
use super::labelled::{train_loader, valid_loader};
use crate::config::{ClassifierTraining, EditableSettings, LoopSettings};
use crate::measure::{Measured, measure};
use crate::metric::set::MetricSet;
use crate::run::summary::StageResult;
use crate::stage::context::{Purpose, StageContext};
use crate::stage::definition::{Footprint, StageDefinition};
use crate::stage::parts::StageParts;
use crate::step::devices::DeviceGroup;
use crate::step::loss_scale::LossScale;
use crate::step::metrics::StepMetrics;
use crate::step::model::{StepModel, accuracy};
use crate::step::objective::{Loss, Objective};
use crate::step::update::{StepGradients, gradients};
use crate::trainer::{MonitoredMetric, launch};
use crate::{Stage, TrainingConfig, TrainingData, TrainingError};

/// Name of the fraction of faces whose predicted group is at most one group off.
const WITHIN_ONE_GROUP: &str = "within one group";

/// The age stage.
pub(super) struct AgeStage;

impl StageDefinition for AgeStage {
    fn name(&self) -> &'static str {
        "age"
    }

    fn loop_settings(&self, config: &TrainingConfig) -> LoopSettings {
        config.age.loop_settings()
    }

    fn editable_settings<'a>(&self, config: &'a mut TrainingConfig) -> &'a mut dyn EditableSettings {
        &mut config.age
    }

    fn networks(&self) -> &'static [&'static str] {
        &[AlexNet::KIND]
    }

    fn faces(&self, data: &TrainingData) -> TrainingData {
        age_labelled_faces(data)
    }

    fn check_faces(&self, config: &mut TrainingConfig, data: &TrainingData) -> Result<(), TrainingError> {
        check_age_labelled_faces(Stage::Age, config, data)
    }

    fn log_limitations(&self, context: &StageContext) {
        warn_of_missing_adversarial_training(self.name(), &context.config.age);
    }

    fn footprint(&self, config: &TrainingConfig) -> Footprint {
        let weights = config.alexnet.num_params(config.age_groups.count());
        // The trunk is frozen, so few activations are kept.
        Footprint { weights, activations: 3 * config.alexnet.input_size.pow(2) }
    }

    fn train(&self, context: &StageContext) -> Result<StageResult, TrainingError> {
        let (model, result) = launch(context, parts(context, Purpose::Training)?)?;
        let config = model.alexnet_config.clone();
        context.save(&model.into_alexnet(), &config)?;
        Ok(result)
    }

    fn measure(&self, context: &StageContext) -> Result<Measured, TrainingError> {
        measure(context, parts(context, Purpose::DryRun)?)
    }
}

/// Model, optimizer, learning-rate schedule, data loaders and metrics.
fn parts(context: &StageContext, purpose: Purpose) -> Result<StageParts<AgeModel>, TrainingError> {
    let training = &context.config.age;
    let (alexnet, alexnet_config) = context.alexnet(purpose)?;
    let labels = group_labels(context.data.train().as_ref())?;
    let held_out = group_labels(context.data.valid().as_ref())?;
    let model = AgeModel::new(alexnet, alexnet_config, training.clone(), &context.autodiff_device());
    let metrics = |metrics: MetricSet<AgeModel>| {
        let metrics = metrics.losses(age_objective().training_metrics()).accuracy(ACCURACY).detail(GRADIENT_NORM);
        let metrics = metrics.valid_losses(age_objective().validation_metrics());
        metrics.valid_accuracy(ACCURACY).valid_accuracy(WITHIN_ONE_GROUP)
    };
    Ok(StageParts {
        model: model.after(context.done),
        optimizer: classifier_optimizer(),
        lr_scheduler: classifier_lr_scheduler(training),
        train: train_loader(context, labels, training),
        valid: valid_loader(context, held_out, training),
        metrics: Box::new(metrics),
        selection_metric: MonitoredMetric { name: ACCURACY, higher_is_better: true },
        sample_grids: None,
        symptom_monitor: None,
    })
}

/// Objective of the age classifier, from logits of the age groups `[batch, groups]` and labels `[batch]`.
fn age_objective() -> Objective<(Tensor<2>, Tensor<1, Int>)> {
    Objective::new([Loss::new(LOSS, 1.0, |(logits, labels): &(Tensor<2>, Tensor<1, Int>)| {
        age_loss(logits.clone(), labels.clone())
    })])
}

/// Trainable age head.
#[derive(Module, Debug)]
pub struct AgeModel {
    head: AgeHead,
    /// Frozen trunk; not part of the checkpoints.
    #[module(skip)]
    trunk: Frozen,
    /// Sizes of the whole network.
    #[module(skip)]
    alexnet_config: AlexNetConfig,
    #[module(skip)]
    config: ClassifierTraining,
    /// Steps done.
    #[module(skip)]
    steps: usize,
    #[module(skip)]
    loss_scale: LossScale,
}

impl AgeModel {
    /// Trains the age head of `alexnet`, of the sizes `alexnet_config`, on the autodiff device `device`, as `config`
    /// says; everything else is frozen.
    pub fn new(alexnet: AlexNet, alexnet_config: AlexNetConfig, config: ClassifierTraining, device: &Device) -> Self {
        let head = alexnet.age_head.clone().fork(device).train();
        let loss_scale = LossScale::of(alexnet.precision());
        Self { head, trunk: Frozen::new(alexnet), alexnet_config, config, steps: 0, loss_scale }
    }

    /// The model after `steps` steps, which checkpoints do not store.
    pub fn after(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// The network with the trained age head.
    pub fn into_alexnet(self) -> AlexNet {
        let mut alexnet = self.trunk.to_alexnet();
        alexnet.age_head = self.head.valid();
        alexnet
    }

    fn logits(&self, faces: Tensor<4>) -> Tensor<2> {
        self.head.forward(self.trunk.on(&faces.device()).features(faces))
    }

    fn step_gradients(&self, batch: LabelledBatch) -> StepGradients {
        let epsilon = adversarial_epsilon(&self.config, self.steps);
        let faces = adversarial_examples(batch.faces, epsilon, |faces| {
            let frozen = Self { head: self.head.clone().no_grad(), ..self.clone() };
            frozen.objective(faces, batch.labels.clone()).0
        });
        let (loss, metrics) = self.objective(faces, batch.labels);
        StepGradients { gradients: gradients(loss, self, &self.loss_scale), metrics }
    }

    /// Objective and metrics of `faces` with these labels.
    fn objective(&self, faces: Tensor<4>, labels: Tensor<1, Int>) -> (Tensor<1>, StepMetrics) {
        let logits = self.logits(faces);
        let accuracy = accuracy(logits.clone(), labels.clone());
        let [size] = labels.dims();
        let (loss, metrics) = age_objective().training(&(logits, labels), StepMetrics::new(size));
        (loss, metrics.with(ACCURACY, accuracy))
    }
}

impl TrainStep for AgeModel {
    type Input = LabelledBatch;
    type Output = StepMetrics;

    fn step(&self, batch: LabelledBatch) -> TrainOutput<StepMetrics> {
        let StepGradients { gradients, metrics } = self.step_gradients(batch);
        TrainOutput { grads: gradients, item: metrics }
    }

    fn optimize(self, optimizer: &mut ModuleOptimizer, rate: ModuleLearningRate, gradients: GradientsParams) -> Self {
        let model = update_together(|| optimizer.step(rate, self, gradients));
        Self { steps: model.steps + 1, ..model }
    }
}

impl InferenceStep for AgeModel {
    type Input = LabelledBatch;
    type Output = StepMetrics;

    fn step(&self, batch: LabelledBatch) -> StepMetrics {
        let logits = self.logits(batch.faces);
        let [size] = batch.labels.dims();
        let metrics = StepMetrics::new(size)
            .with(ACCURACY, accuracy(logits.clone(), batch.labels.clone()))
            .with(WITHIN_ONE_GROUP, within_one_group(logits.clone(), batch.labels.clone()));
        age_objective().validation(&(logits, batch.labels), metrics)
    }
}

/// Fraction of faces whose predicted group is at most one group off.
fn within_one_group(logits: Tensor<2>, groups: Tensor<1, Int>) -> Tensor<1> {
    let [batch, _] = logits.dims();
    let predicted = logits.argmax(1).reshape([batch]);
    (predicted - groups).abs().lower_equal_elem(1).float().mean()
}

impl StepModel for AgeModel {
    fn learn(
        learner: &mut Learner<Self>,
        device_group: &DeviceGroup,
        micro_batches: Vec<LabelledBatch>,
    ) -> StepMetrics {
        let gradient_clip_norm = learner.model().config.gradient_clip_norm;
        learn_in_one_update(learner, device_group, micro_batches, gradient_clip_norm, Self::step_gradients)
    }

    fn loss_scale(&self) -> &LossScale {
        &self.loss_scale
    }
}
