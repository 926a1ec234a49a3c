//! First stage: the identity network learns to classify identities.

use std::collections::HashSet;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use burn::train::{InferenceStep, Learner, TrainOutput, TrainStep};
use ipcgan_data::{FaceSet, IdentityLabels, LabelledBatch, Split, check_identities};
use ipcgan_model::loss::{cross_entropy, masked_cross_entropy};
use ipcgan_model::weights::Network;
use ipcgan_model::{AlexNet, update_together};

use super::adversarial_examples::{adversarial_epsilon, adversarial_examples, warn_of_missing_adversarial_training};
use super::classifier::{
    ACCURACY, GRADIENT_NORM, LOSS, classifier_lr_scheduler, classifier_optimizer, learn_in_one_update,
};
use super::labelled::{train_loader, valid_loader};
use crate::config::settings::IDENTITIES;
use crate::config::{ClassifierTraining, EditableSettings, LoopSettings, SettingFault};
use crate::measure::{Measured, measure};
use crate::metric::epoch::EpochMetric;
use crate::metric::set::MetricSet;
use crate::metric::verification::{IdentityValidation, VERIFICATION_AUC};
use crate::run::summary::StageResult;
use crate::stage::context::StageContext;
use crate::stage::definition::{COPIES_OF_WEIGHTS, Footprint, StageDefinition};
use crate::stage::parts::StageParts;
use crate::step::devices::DeviceGroup;
use crate::step::loss_scale::LossScale;
use crate::step::metrics::StepMetrics;
use crate::step::model::{StepModel, accuracy};
use crate::step::objective::{Loss, Objective};
use crate::step::update::{StepGradients, gradients};
use crate::trainer::{MonitoredMetric, launch};
use crate::{TrainingConfig, TrainingData, TrainingError};

/// Name of the age loss.
const AGE_LOSS: &str = "age";

/// The identity stage.
pub(super) struct IdentityStage;

impl StageDefinition for IdentityStage {
    fn name(&self) -> &'static str {
        "identity"
    }

    fn loop_settings(&self, config: &TrainingConfig) -> LoopSettings {
        config.identity.loop_settings()
    }

    fn editable_settings<'a>(&self, config: &'a mut TrainingConfig) -> &'a mut dyn EditableSettings {
        &mut config.identity
    }

    fn networks(&self) -> &'static [&'static str] {
        &[AlexNet::KIND]
    }

    /// Faces with an identity label if there are any, else all.
    fn faces(&self, data: &TrainingData) -> TrainingData {
        let named = is_named(data.train().as_ref());
        data.selected(|label| !named || label.identity.is_some())
    }

    fn check_faces(&self, config: &mut TrainingConfig, data: &TrainingData) -> Result<(), TrainingError> {
        let faces = data.train().as_ref();
        let identities = IdentityLabels::of(faces).count;
        if identities < 2 {
            check_identities(faces, "the training split")?;
        }
        if data.valid().is_empty() {
            return Err(TrainingError::NoFaces { split: Split::Valid });
        }
        config.alexnet.identities = identities;
        config.alexnet.check().map_err(|invalid| TrainingError::Setting {
            setting: IDENTITIES.into(),
            reason: SettingFault::Identities(invalid),
        })
    }

    fn log_limitations(&self, context: &StageContext) {
        warn_of_missing_adversarial_training(self.name(), &context.config.identity);
        if let Some(limitation) = limitation_of_data(&context.config, &context.data) {
            log::info!("{limitation}");
        }
    }

    fn footprint(&self, config: &TrainingConfig) -> Footprint {
        let weights = COPIES_OF_WEIGHTS * config.alexnet.num_params(config.age_groups.count());
        Footprint { weights, activations: config.alexnet.num_activations() }
    }

    fn train(&self, context: &StageContext) -> Result<StageResult, TrainingError> {
        let (model, result) = launch(context, parts(context))?;
        context.save(&model.alexnet, &context.config.alexnet)?;
        Ok(result)
    }

    fn measure(&self, context: &StageContext) -> Result<Measured, TrainingError> {
        measure(context, parts(context))
    }
}

/// Model, optimizer, learning-rate schedule, data loaders and metrics.
fn parts(context: &StageContext) -> StageParts<IdentityModel> {
    let config = &context.config;
    let training = &config.identity;
    let labels = IdentityLabels::of(context.data.train().as_ref()).labels;
    let held_out = IdentityLabels::of(context.data.valid().as_ref());
    // Verification needs two images of one identity.
    let recognisable = held_out.count < context.data.valid().len();
    let age_weight = config.trunk_age_weight;
    let metrics = move |metrics: MetricSet<IdentityModel>| {
        let losses = identity_objective(age_weight);
        let metrics = metrics.losses(losses.training_metrics()).accuracy(ACCURACY).detail(GRADIENT_NORM);
        if !recognisable {
            return metrics;
        }
        metrics.valid_epoch(EpochMetric::verification_auc()).valid_epoch(EpochMetric::rank_1_accuracy())
    };
    let alexnet = config.alexnet.init(&config.age_groups, config.seed, &context.autodiff_device());
    StageParts {
        model: IdentityModel {
            alexnet: alexnet.with_precision(config.precision),
            config: training.clone(),
            age_weight,
            steps: context.done,
            loss_scale: LossScale::of(config.precision),
        },
        optimizer: classifier_optimizer(),
        lr_scheduler: classifier_lr_scheduler(training),
        train: train_loader(context, labels, training),
        valid: valid_loader(context, held_out.labels, training),
        metrics: Box::new(metrics),
        selection_metric: MonitoredMetric { name: VERIFICATION_AUC, higher_is_better: true },
        sample_grids: None,
        symptom_monitor: None,
    }
}

/// What the identity stage cannot learn or measure with `data`.
fn limitation_of_data(config: &TrainingConfig, data: &TrainingData) -> Option<String> {
    let (train, valid) = (data.train().as_ref(), data.valid().as_ref());
    if !is_named(train) {
        let help = match config.trunk_age_weight {
            0.0 => {
                "the setting trunk_age_weight=100 trains it on ages as well, which matters more to later stages; \
                 data with the column `identity` would be better"
            }
            _ => "it is trained on ages as well (trunk_age_weight)",
        };
        return Some(format!(
            "no face in this data has an identity label, so each counts as its own identity: the identity stage learns \
             little about identity, and verification cannot be measured; {help}"
        ));
    }
    (!has_pairs(valid)).then(|| {
        "no identity has two photos in the validation split, so verification cannot be measured; \
         raise valid_fraction or add photos of the same people"
            .into()
    })
}

/// Whether a face has an identity label.
fn is_named(faces: &dyn FaceSet) -> bool {
    (0..faces.len()).any(|index| faces.label(index).identity.is_some())
}

/// Whether an identity has two faces.
fn has_pairs(faces: &dyn FaceSet) -> bool {
    let mut seen = HashSet::new();
    (0..faces.len()).filter_map(|index| faces.label(index).identity.as_deref()).any(|identity| !seen.insert(identity))
}

/// Objective of the identity network: the identity loss, and with `age_weight` the age loss on the same trunk.
fn identity_objective(age_weight: f64) -> Objective<IdentityOutputs> {
    Objective::new([
        Loss::new(LOSS, 1.0, IdentityOutputs::identity),
        Loss::new(AGE_LOSS, age_weight, IdentityOutputs::age).optional(),
    ])
}

/// Inputs of the identity network's losses.
struct IdentityOutputs {
    batch: LabelledBatch,
    /// Logits of the identities, `[batch, identities]`.
    logits: Tensor<2>,
    /// Logits of the age groups, `[batch, groups]`, if there is an age loss.
    age_logits: Option<Tensor<2>>,
}

impl IdentityOutputs {
    fn identity(&self) -> Tensor<1> {
        cross_entropy(self.logits.clone(), self.batch.labels.clone())
    }

    fn age(&self) -> Tensor<1> {
        let logits = self.age_logits.clone().expect("an age loss has logits");
        masked_cross_entropy(logits, self.batch.groups.clone(), self.batch.group_mask.clone())
    }
}

/// AlexNet with trainable trunk and identity head.
#[derive(Module, Debug)]
pub struct IdentityModel {
    /// The network.
    pub alexnet: AlexNet,
    /// Training configuration.
    #[module(skip)]
    pub config: ClassifierTraining,
    /// Weight of the age loss on the same trunk (multi-task training); 0 for none, as published.
    #[module(skip)]
    pub age_weight: f64,
    /// Steps done.
    #[module(skip)]
    pub steps: usize,
    #[module(skip)]
    pub(crate) loss_scale: LossScale,
}

impl TrainStep for IdentityModel {
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

impl IdentityModel {
    fn step_gradients(&self, batch: LabelledBatch) -> StepGradients {
        let epsilon = adversarial_epsilon(&self.config, self.steps);
        let faces = adversarial_examples(batch.faces.clone(), epsilon, |faces| {
            let frozen = Self { alexnet: self.alexnet.clone().no_grad(), ..self.clone() };
            frozen.objective(faces, &batch).0
        });
        let (loss, metrics) = self.objective(faces, &batch);
        StepGradients { gradients: gradients(loss, self, &self.loss_scale), metrics }
    }

    /// Objective and metrics of `faces`: those of `batch`, or adversarial examples of them.
    fn objective(&self, faces: Tensor<4>, batch: &LabelledBatch) -> (Tensor<1>, StepMetrics) {
        let features = self.alexnet.features(faces);
        let logits = self.alexnet.identity_logits(features.clone());
        let age_logits = (self.age_weight != 0.0).then(|| self.alexnet.age_logits(features));
        let accuracy = accuracy(logits.clone(), batch.labels.clone());
        let [size] = batch.labels.dims();
        let outputs = IdentityOutputs { batch: batch.clone(), logits, age_logits };
        let (loss, metrics) = identity_objective(self.age_weight).training(&outputs, StepMetrics::new(size));
        (loss, metrics.with(ACCURACY, accuracy))
    }
}

impl InferenceStep for IdentityModel {
    type Input = LabelledBatch;
    type Output = IdentityValidation;

    fn step(&self, batch: LabelledBatch) -> IdentityValidation {
        let embeddings = self.alexnet.embedding(self.alexnet.features(batch.faces));
        IdentityValidation { embeddings, identities: batch.labels }
    }
}

impl StepModel for IdentityModel {
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
