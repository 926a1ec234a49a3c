//! The parts of a stage that the training loop uses.

use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::train::{InferenceStep, TrainStep};

use crate::metric::set::MetricSet;
use crate::step::model::StepModel;
use crate::trainer::{MonitoredMetric, SampleGridRenderer, SymptomMonitor};

/// Adds the metrics of a stage.
pub(crate) type AddMetrics<M> = Box<dyn FnOnce(MetricSet<M>) -> MetricSet<M>>;

/// Model, optimizer, learning-rate schedules, data loaders and metrics of a stage.
pub(crate) struct StageParts<M: StepModel> {
    pub(crate) model: M,
    pub(crate) optimizer: ModuleOptimizer,
    pub(crate) lr_scheduler: ModuleLrScheduler,
    pub(crate) train: Arc<dyn DataLoader<<M as TrainStep>::Input>>,
    pub(crate) valid: Arc<dyn DataLoader<<M as InferenceStep>::Input>>,
    pub(crate) metrics: AddMetrics<M>,
    /// Metric that selects the best checkpoint.
    pub(crate) selection_metric: MonitoredMetric,
    pub(crate) sample_grids: Option<Arc<dyn SampleGridRenderer<M>>>,
    pub(crate) symptom_monitor: Option<SymptomMonitor>,
}
