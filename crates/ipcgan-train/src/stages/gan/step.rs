//! One step of the GAN: updates of the discriminator, and of the generator against the updated discriminator.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::train::Learner;
use ipcgan_data::AgingBatch;

use super::model::AgingModel;
use super::objective::{DISCRIMINATOR_GRADIENT_NORM, GENERATOR_GRADIENT_NORM};
use crate::step::devices::DeviceGroup;
use crate::step::loss_scale::LossScale;
use crate::step::metrics::StepMetrics;
use crate::step::model::{StepModel, mean_update};
use crate::step::update::StepGradients;

impl AgingModel {
    /// One step on one device: for each update of the settings a discriminator update, then a generator update against the
    /// updated discriminator. Each update takes the same number of `micro_batches`, whose gradients it averages.
    ///
    /// # Panics
    /// If the number of `micro_batches` is zero or not a multiple of the number of updates.
    pub fn train_step(learner: &mut Learner<Self>, micro_batches: Vec<AgingBatch>) -> StepMetrics {
        let (count, updates) = (micro_batches.len(), learner.model().config.updates());
        assert!(count > 0 && count.is_multiple_of(updates), "{count} micro-batches for {updates} updates");
        let device_group = DeviceGroup::new(&[micro_batches[0].source.device().inner()]);
        device_group.run_step(|| <Self as StepModel>::learn(learner, &device_group, micro_batches))
    }
}

impl StepModel for AgingModel {
    fn learn(learner: &mut Learner<Self>, device_group: &DeviceGroup, micro_batches: Vec<AgingBatch>) -> StepMetrics {
        match learner.model().captured {
            Some(captured) => captured.learn(learner, device_group, micro_batches),
            None => Self::learn_eagerly(learner, device_group, micro_batches),
        }
    }

    fn loss_scale(&self) -> &LossScale {
        &self.loss_scale
    }
}

impl AgingModel {
    /// The step, launch by launch.
    pub(super) fn learn_eagerly(
        learner: &mut Learner<Self>,
        device_group: &DeviceGroup,
        micro_batches: Vec<AgingBatch>,
    ) -> StepMetrics {
        let config = learner.model().config;
        let updates = config.updates();
        let micro_batches_per_update = micro_batches.len() / updates;
        let mut micro_batches = micro_batches.into_iter();
        let mut of_discriminator = Vec::new();
        let mut of_generator = Vec::new();
        let pretraining = learner.model().is_pretraining();
        for update in 0..updates {
            let mut micro_batches: Vec<_> = micro_batches.by_ref().take(micro_batches_per_update).collect();
            let [updates_discriminator, updates_generator] =
                [config.discriminator_updates, config.generator_updates].map(|count| update < count);
            let updates_discriminator = updates_discriminator && !pretraining;
            // With one micro-batch the generator runs once, because the discriminator update does not change it. With
            // several, keeping their graphs would take too much memory, so faces are generated again for the
            // generator update.
            let shared = match &micro_batches[..] {
                [batch] if updates_discriminator && updates_generator => Some(learner.model().generated(batch)),
                _ => None,
            };
            if updates_discriminator {
                of_discriminator.push(update_discriminator(
                    learner,
                    device_group,
                    micro_batches.clone(),
                    shared.clone(),
                ));
            }
            if let (true, Some(generated)) = (updates_generator, shared) {
                let batch = micro_batches.remove(0);
                let step = learner.model().generator_gradients(&batch, generated);
                of_generator.push(update_generator(learner, vec![step]));
            } else if updates_generator {
                let compute = |model: &Self, batch: AgingBatch| {
                    let generated = model.generated(&batch);
                    match pretraining {
                        true => model.pretraining_gradients(&batch, generated),
                        false => model.generator_gradients(&batch, generated),
                    }
                };
                let step_gradients = device_group.step_gradients(&learner.model(), micro_batches, compute);
                of_generator.push(update_generator(learner, step_gradients));
            }
        }
        let of_generator = StepMetrics::mean(of_generator);
        match of_discriminator.is_empty() {
            true => of_generator,
            false => StepMetrics::mean(of_discriminator).and(of_generator),
        }
    }
}

/// Updates the discriminator from `micro_batches`; `generated` are the generated faces if there is one micro-batch and
/// the generator update will reuse them.
fn update_discriminator(
    learner: &mut Learner<AgingModel>,
    device_group: &DeviceGroup,
    micro_batches: Vec<AgingBatch>,
    generated: Option<Tensor<4>>,
) -> StepMetrics {
    let model = learner.model();
    let step_gradients = device_group.step_gradients(&model, micro_batches, |model: &AgingModel, batch: AgingBatch| {
        let generated = generated.clone().unwrap_or_else(|| {
            // A copy, so that the running statistics are updated only in the generator update.
            let generator = model.generator.valid().train().no_grad();
            generator.forward(batch.source.clone(), batch.target.clone())
        });
        model.discriminator_gradients(&batch, generated)
    });
    let clip = model.config.gradient_clip_norm;
    let norm = DISCRIMINATOR_GRADIENT_NORM;
    let (gradients, metrics) = mean_update(model, |model| &model.discriminator, step_gradients, clip, norm);
    if let Some(gradients) = gradients {
        learner.optimizer_step(gradients);
    }
    metrics
}

fn update_generator(learner: &mut Learner<AgingModel>, step_gradients: Vec<StepGradients>) -> StepMetrics {
    let model = learner.model();
    let clip = model.config.gradient_clip_norm;
    let norm = GENERATOR_GRADIENT_NORM;
    let (gradients, metrics) = mean_update(model, |model| &model.generator, step_gradients, clip, norm);
    // A skipped update counts as a step, because a checkpoint stores only the number of steps.
    learner.optimizer_step(gradients.unwrap_or_default());
    metrics
}
