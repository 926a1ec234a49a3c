//! Progress as plain lines, for terminals without a dashboard, files and pipes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricDefinition, MetricId};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation, MetricsRendererTraining,
};

use crate::metric::epoch::NOT_DEFINED;
use crate::step::metrics::DETAIL;

/// Interval between lines.
const EVERY: Duration = Duration::from_secs(5);

/// Receives each line.
pub type LineSink = Arc<dyn Fn(&str) + Send + Sync>;

/// Prints step, losses, throughput and remaining time every few seconds.
pub(crate) struct ProgressLines {
    label: String,
    sink: LineSink,
    /// Faces per step.
    faces_per_step: usize,
    steps: usize,
    /// Steps done before the current epoch.
    steps_before: usize,
    training: bool,
    items: usize,
    names: HashMap<MetricId, String>,
    values: BTreeMap<String, String>,
    started: Instant,
    started_at: usize,
    last_line: Option<Instant>,
}

impl ProgressLines {
    /// Lines for the stage `label` of `steps` steps, of which `done` are done.
    pub(crate) fn new(label: &str, steps: usize, done: usize, faces_per_step: usize, sink: LineSink) -> Self {
        Self {
            label: label.into(),
            sink,
            faces_per_step,
            steps,
            steps_before: done,
            training: false,
            items: 0,
            names: HashMap::new(),
            values: BTreeMap::new(),
            started: Instant::now(),
            started_at: done,
            last_line: None,
        }
    }

    fn step(&self) -> usize {
        self.steps_before + self.items.div_ceil(self.faces_per_step)
    }

    fn remember(&mut self, state: MetricState) {
        let MetricState::Numeric(entry, Some(value)) = state else { return };
        // The steps may not have computed the metric; its final value is then NaN.
        if entry.serialized_entry.is_not_available() {
            return;
        }
        if let Some(name) = self.names.get(&entry.metric_id) {
            let undefined = entry.serialized_entry.formatted.find(NOT_DEFINED);
            let text = match undefined {
                Some(start) => entry.serialized_entry.formatted[start..].into(),
                None => short(value.current()),
            };
            self.values.insert(name.clone(), text);
        }
    }

    fn values(&self) -> String {
        let values = self.values.iter().map(|(name, value)| format!("{name} {value}"));
        values.collect::<Vec<_>>().join("  ")
    }

    fn write_training(&mut self) {
        let step = self.step();
        let seconds = self.started.elapsed().as_secs_f64();
        let speed = (step - self.started_at) as f64 / seconds.max(1e-9);
        let left = (self.steps.saturating_sub(step)) as f64 / speed.max(1e-9);
        (self.sink)(&format!(
            "{}  step {step}/{}  {}  {:.1} faces/s  {} left",
            self.label,
            self.steps,
            self.values(),
            speed * self.faces_per_step as f64,
            human_duration(left),
        ));
        self.last_line = Some(Instant::now());
    }
}

/// Four significant digits.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// A duration in seconds as text, in the largest unit that fits.
pub fn human_duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 90.0 => format!("{seconds:.0} s"),
        seconds if seconds < 5400.0 => format!("{:.0} min", seconds / 60.0),
        seconds if seconds < 172_800.0 => format!("{:.1} h", seconds / 3600.0),
        seconds => format!("{:.1} days", seconds / 86_400.0),
    }
}

impl MetricsRendererTraining for ProgressLines {
    fn update_train(&mut self, state: MetricState) {
        self.remember(state);
    }

    fn update_valid(&mut self, state: MetricState) {
        self.remember(state);
    }
}

impl TrainingProgressLogger for ProgressLines {
    fn start(&mut self, _: usize, _: usize, _: Option<usize>, _: Option<&str>) {
        self.started = Instant::now();
    }

    fn update_epoch(&mut self, _epoch: usize) {}

    fn start_split(&mut self, split: &str, _total_items: usize) {
        self.training = split.starts_with("train");
        self.values.clear();
        self.items = 0;
    }

    fn update_split(&mut self, items_processed: usize) {
        self.items = items_processed;
        let due = self.last_line.is_none_or(|last| last.elapsed() >= EVERY);
        if self.training && due && !self.values.is_empty() {
            self.write_training();
        }
    }

    fn end_split(&mut self) {
        if self.training {
            // After a failure there may be no completed step.
            if !self.values.is_empty() && self.items > 0 {
                self.write_training();
            }
            self.steps_before = self.step();
        } else if !self.values.is_empty() {
            (self.sink)(&format!(
                "{}  after step {}, on held-out faces:  {}",
                self.label,
                self.steps_before,
                self.values()
            ));
        }
        self.items = 0;
    }

    fn end(&mut self) {}

    /// Burn reports each iteration as an event, which these lines already contain.
    fn log_event_training(&mut self, _event: String) {}
}

impl MetricsRenderer for ProgressLines {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        if definition.description.as_deref() != Some(DETAIL) {
            self.names.insert(definition.metric_id, definition.name.to_string());
        }
    }
}

impl MetricsRendererEvaluation for ProgressLines {
    fn update_test(&mut self, _: EvaluationName, _: MetricState) {}
}

impl EvaluationProgressLogger for ProgressLines {
    fn start_global_progress(&mut self, _: usize) {}

    fn start_test(&mut self, _: &str, _: usize) {}

    fn update_test_progress(&mut self, _: usize) {}

    fn end_test(&mut self) {}

    fn end_global_progress(&mut self) {}

    fn log_event_evaluation(&mut self, _: String) {}
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use burn::data::dataloader::Progress;
    use burn::train::metric::{Metric, MetricEntry, MetricMetadata, Numeric};

    use super::*;
    use crate::step::metrics::{ScalarMetric, StepMetrics};

    /// What Burn reports of `metric` at the end of a split.
    fn at_end_of_split(metric: &mut ScalarMetric) -> MetricState {
        let entry = MetricEntry::new(MetricId::new(metric.name()), metric.compute().unwrap());
        MetricState::Numeric(entry, Some(metric.final_value()))
    }

    #[test]
    fn a_loss_that_no_step_computed_is_left_out() {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let kept = lines.clone();
        let sink: LineSink = Arc::new(move |line: &str| kept.lock().unwrap().push(line.to_string()));
        let mut progress = ProgressLines::new("aging", 10, 0, 4, sink);
        let [mut computed, mut missing] = ["prototype", "adversarial"].map(ScalarMetric::loss);
        for metric in [&computed, &missing] {
            progress.register_metric(MetricDefinition::new(MetricId::new(metric.name()), metric));
        }
        let metadata = MetricMetadata { progress: Progress::new(4, 40, None), iteration: None, lr: None };
        computed.update(&StepMetrics::new(4).with_number("prototype", 0.5), &metadata).unwrap();

        progress.start_split("train", 40);
        progress.update_split(4);
        progress.update_train(at_end_of_split(&mut computed));
        progress.update_train(at_end_of_split(&mut missing));
        progress.end_split();

        let lines = lines.lock().unwrap();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("aging  step 1/10  prototype 0.500  "), "{lines:?}");
        assert!(!lines[0].contains("adversarial"), "{lines:?}");
    }
}
