//! The metrics of a stage.

use burn::train::metric::Adaptor;
use burn::train::{InferenceStep, SupervisedTraining};

use crate::metric::epoch::{EpochMetric, EpochOutputs};
use crate::step::metrics::{ScalarMetric, StepMetrics};
use crate::step::model::StepModel;

/// Metrics that a stage shows and keeps.
pub(crate) struct MetricSet<M: StepModel> {
    pub(crate) training: SupervisedTraining<M>,
    /// Names of the metrics on held-out faces.
    pub(crate) validation: Vec<&'static str>,
}

impl<M: StepModel> MetricSet<M> {
    fn map(self, change: impl FnOnce(SupervisedTraining<M>) -> SupervisedTraining<M>) -> Self {
        Self { training: change(self.training), validation: self.validation }
    }

    /// Keeps the validation metric `name` for summary and checkpoint selection.
    fn track_validation(mut self, name: &'static str) -> Self {
        self.validation.push(name);
        self
    }
}

impl<M: StepModel> MetricSet<M> {
    /// Adds a training metric where lower is better.
    pub(crate) fn loss(self, metric: &'static str) -> Self {
        self.map(|training| training.metric_train_numeric(ScalarMetric::loss(metric)))
    }

    /// Adds training metrics where lower is better.
    pub(crate) fn losses(self, metrics: impl IntoIterator<Item = &'static str>) -> Self {
        metrics.into_iter().fold(self, Self::loss)
    }

    /// Adds a training metric where higher is better.
    pub(crate) fn accuracy(self, metric: &'static str) -> Self {
        self.map(|training| training.metric_train_numeric(ScalarMetric::accuracy(metric)))
    }

    /// Adds a training metric that is only shown where there is room.
    pub(crate) fn detail(self, metric: &'static str) -> Self {
        self.map(|training| training.metric_train_numeric(ScalarMetric::detail(metric)))
    }
}

impl<M: StepModel + InferenceStep<Output: Adaptor<StepMetrics>>> MetricSet<M> {
    /// Adds a validation metric where lower is better.
    pub(crate) fn valid_loss(self, metric: &'static str) -> Self {
        self.track_validation(metric).map(|training| training.metric_valid_numeric(ScalarMetric::loss(metric)))
    }

    /// Adds validation metrics where lower is better.
    pub(crate) fn valid_losses(self, metrics: impl IntoIterator<Item = &'static str>) -> Self {
        metrics.into_iter().fold(self, Self::valid_loss)
    }

    /// Adds a validation metric where higher is better.
    pub(crate) fn valid_accuracy(self, metric: &'static str) -> Self {
        self.track_validation(metric).map(|training| training.metric_valid_numeric(ScalarMetric::accuracy(metric)))
    }
}

impl<M: StepModel> MetricSet<M> {
    /// Adds a metric over all outputs of a validation.
    pub(crate) fn valid_epoch<G>(self, metric: EpochMetric<G>) -> Self
    where
        G: EpochOutputs<Item: 'static>,
        M: InferenceStep<Output: Adaptor<G::Item>>,
    {
        self.track_validation(metric.key()).map(|training| training.metric_valid_numeric(metric))
    }
}
