//! What the training loop does after each step besides learning: logs, symptoms, sample grids, histograms.

use std::sync::Arc;

use burn::train::Learner;
use image::RgbImage;

use crate::TrainingError;
use crate::monitor::Recorder;
use crate::monitor::parameter_values::parameter_values;
use crate::step::metrics::StepMetrics;
use crate::step::model::StepModel;

/// Looks for symptoms in the metrics of each step, and logs them.
pub(crate) type SymptomMonitor = Box<dyn FnMut(usize, &StepMetrics) + Send>;

/// Renders a grid of samples of the model every few steps.
pub(crate) trait SampleGridRenderer<M>: Send + Sync {
    /// The grid after `step`, if one is due; it is written to the run.
    ///
    /// # Errors
    /// It cannot be written.
    fn after_step(&self, step: usize, model: &M) -> Result<Option<RgbImage>, TrainingError>;

    /// Does the same work without output, to measure its time.
    fn dry_run(&self, model: &M);
}

/// Monitors of the training loop.
pub(crate) struct Monitors<M> {
    pub(crate) recorder: Recorder,
    pub(crate) symptom_monitor: Option<SymptomMonitor>,
    pub(crate) sample_grids: Option<Arc<dyn SampleGridRenderer<M>>>,
    /// Steps between histograms; zero disables them.
    pub(crate) histogram_every: usize,
}

impl<M: StepModel> Monitors<M> {
    /// Logs the `metrics` of `step`.
    pub(super) fn step(&mut self, step: usize, metrics: &StepMetrics) {
        if let Some(monitor) = &mut self.symptom_monitor {
            monitor(step, metrics);
        }
        self.recorder.step(step, metrics.numbers());
    }

    /// Renders sample grid and histograms of the model after `step`, where they are due.
    ///
    /// # Errors
    /// The sample grid cannot be written.
    pub(super) fn render(&self, step: usize, learner: &Learner<M>) -> Result<(), TrainingError> {
        let grid = match &self.sample_grids {
            None => Ok(None),
            Some(grids) => grids.after_step(step, &learner.model()),
        };
        let rendered = grid.map(|grid| grid.into_iter().for_each(|grid| self.recorder.image(step, "samples", grid)));
        if self.histogram_every > 0 && step.is_multiple_of(self.histogram_every) {
            for (name, values) in parameter_values(&learner.model()) {
                self.recorder.weights(step, name, values);
            }
        }
        rendered
    }
}
