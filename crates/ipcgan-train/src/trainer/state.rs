//! Mutable state of the training loop.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::data::dataloader::Progress;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::train::metric::store::{Aggregate, Split};
use burn::train::{
    EventProcessorTraining, InferenceStep, Interrupter, Learner, LearnerEvent, TrainingComponents, TrainingItem,
    ValidLoader,
};

use super::Monitors;
use crate::run::checkpoint::StageProgress;
use crate::step::metrics::StepMetrics;
use crate::step::model::StepModel;

/// Mutable state of the training loop.
pub(super) struct LoopState<M: StepModel> {
    /// Steps done.
    pub(super) step: usize,
    pub(super) progress: StageProgress,
    /// The newest step, whose losses may still be computing.
    pub(super) pending: Option<Pending>,
    /// Whether a loss diverged or a device failed, so that no further checkpoint is written.
    pub(super) diverged: bool,
    /// Whether early stopping ends the stage.
    pub(super) stopped_early: bool,
    /// Time of the last checkpoint.
    pub(super) saved: Instant,
    /// End of the last step.
    pub(super) stepped: Instant,
    pub(super) monitors: Monitors<M>,
    pub(super) learner: Learner<M>,
    /// Stops this stage, also on errors.
    pub(super) interrupter: Interrupter,
    /// Stops the whole training.
    pub(super) stop: Interrupter,
    pub(super) components: TrainingComponents<M>,
}

/// A step whose losses have not been read.
pub(super) struct Pending {
    pub(super) step: usize,
    pub(super) metrics: StepMetrics,
    pub(super) progress: Progress,
    pub(super) rate: ModuleLearningRate,
}

impl<M: StepModel> LoopState<M> {
    pub(super) fn should_stop(&self) -> bool {
        self.interrupter.should_stop() || self.stop.should_stop()
    }

    /// Faces per second since the last call, after a step on `faces`.
    pub(super) fn speed(&mut self, faces: usize) -> f64 {
        let now = Instant::now();
        let seconds = now.duration_since(self.stepped).as_secs_f64();
        self.stepped = now;
        faces as f64 / seconds.max(1e-9)
    }

    pub(super) fn report(&mut self, event: LearnerEvent<StepMetrics>) {
        let result = self.components.event_processor.process_train(event);
        self.interrupter.fail_on_error(result);
    }

    fn report_valid(&mut self, event: LearnerEvent<<M as InferenceStep>::Output>) {
        let result = self.components.event_processor.process_valid(event);
        self.interrupter.fail_on_error(result);
    }

    /// Means of the validation metrics over the faces; metrics that are not defined are left out.
    pub(super) fn validation_metrics(&self, names: &[&'static str], epoch: usize) -> BTreeMap<&'static str, f64> {
        let store = &self.components.event_store;
        let value = |name: &&'static str| {
            let value = store.find_metric(name, epoch, Aggregate::Mean, &Split::Valid)?;
            value.is_finite().then_some((*name, value))
        };
        names.iter().filter_map(value).collect()
    }

    pub(super) fn validate(&mut self, epoch: usize, loader: &ValidLoader<M>) {
        let model = self.learner.model().valid();
        let total_items = loader.num_items();
        self.report_valid(LearnerEvent::StartSplit { epoch_number: epoch, total_items });
        let mut iterator = loader.iter();
        while let Some(batch) = iterator.next() {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return self.interrupter.fail(error),
            };
            let progress: Progress = iterator.progress();
            let item = TrainingItem::new(InferenceStep::step(&model, batch), progress, None, None);
            self.report_valid(LearnerEvent::ProcessedItem(item));
            if self.should_stop() {
                break;
            }
        }
        drop(iterator);
        self.report_valid(LearnerEvent::EndSplit(epoch));
        self.report(LearnerEvent::EndEpoch(epoch));
        let flushed = self.components.event_processor.flush();
        self.interrupter.fail_on_error(flushed);
        self.stepped = Instant::now();
    }
}
