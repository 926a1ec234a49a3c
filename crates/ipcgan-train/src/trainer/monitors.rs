//! Observers of the training loop: logs, symptoms, sample grids, histograms.

use std::sync::Arc;

use burn::train::Learner;
use image::RgbImage;

use crate::TrainingError;
use crate::monitor::Recorder;
use crate::monitor::parameter_values::parameter_values;
use crate::step::metrics::StepMetrics;
use crate::step::model::StepModel;

/// Looks for symptoms in the metrics of each step.
pub(crate) type StepMonitor = Box<dyn FnMut(usize, &StepMetrics) + Send>;

/// Renders something from the model every few steps.
pub(crate) trait StepObserver<M>: Send + Sync {
    fn after_step(&self, step: usize, model: &M) -> Result<Option<RgbImage>, TrainingError>;

    /// Does the same work without output, to measure its time.
    fn dry_run(&self, model: &M);
}

/// Observers of the training loop.
pub(crate) struct Monitors<M> {
    pub(crate) recorder: Recorder,
    pub(crate) symptoms: Option<StepMonitor>,
    pub(crate) observer: Option<Arc<dyn StepObserver<M>>>,
    /// Steps between histograms; zero disables them.
    pub(crate) histogram_every: usize,
}

impl<M: StepModel> Monitors<M> {
    /// Logs the `metrics` of `step`.
    pub(super) fn step(&mut self, step: usize, metrics: &StepMetrics) {
        if let Some(monitor) = &mut self.symptoms {
            monitor(step, metrics);
        }
        self.recorder.step(step, metrics.numbers());
    }

    /// Renders sample grid and histograms of the model after `step`, where they are due.
    ///
    /// # Errors
    /// The sample grid cannot be written.
    pub(super) fn observe(&self, step: usize, learner: &Learner<M>) -> Result<(), TrainingError> {
        let image = match &self.observer {
            None => Ok(None),
            Some(observer) => observer.after_step(step, &learner.model()),
        };
        let observed =
            image.map(|image| image.into_iter().for_each(|image| self.recorder.image(step, "samples", image)));
        if self.histogram_every > 0 && step.is_multiple_of(self.histogram_every) {
            for (name, values) in parameter_values(&learner.model()) {
                self.recorder.weights(step, name, values);
            }
        }
        observed
    }
}
