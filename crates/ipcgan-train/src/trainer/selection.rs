//! Selection of the best checkpoint, and early stopping.

use std::collections::BTreeMap;

use crate::run::checkpoint::{Best, StageProgress};

/// Metric on held-out faces that selects the best checkpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MonitoredMetric {
    pub(crate) name: &'static str,
    pub(crate) higher_is_better: bool,
}

impl MonitoredMetric {
    fn is_better(self, value: f64, best: f64) -> bool {
        if self.higher_is_better { value > best } else { value < best }
    }
}

/// Selects the best checkpoint by a metric, and ends a stage that no longer improves.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) metric: MonitoredMetric,
    /// Early stopping: validations without improvement after which the stage ends; zero disables it.
    pub(crate) patience: usize,
    /// Names of the metrics on held-out faces.
    pub(crate) validation_metrics: Vec<&'static str>,
}

impl Selection {
    /// Updates `progress` with the `metrics` of the validation after `step`.
    pub(super) fn update(&self, progress: &mut StageProgress, step: usize, metrics: BTreeMap<&'static str, f64>) {
        progress.validated = step;
        if let Some(&value) = metrics.get(self.metric.name) {
            let name = self.metric.name;
            match &mut progress.best {
                Some(best) if best.metric == name && !self.metric.is_better(value, best.value) => best.since += 1,
                best => *best = Some(Best { step, value, metric: name.into(), since: 0 }),
            }
        }
        progress.held_out = metrics.into_iter().map(|(name, value)| (name.into(), value)).collect();
    }

    /// Whether early stopping ends the stage.
    pub(super) fn stops(&self, progress: &StageProgress) -> bool {
        let since = progress.best.as_ref().map_or(0, |best| best.since);
        self.patience > 0 && since >= self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_ends_after_as_many_validations_without_improvement_as_its_patience() {
        let metric = MonitoredMetric { name: "accuracy", higher_is_better: true };
        let selection = Selection { metric, patience: 2, validation_metrics: vec!["accuracy"] };
        let mut progress = StageProgress::default();

        let stops = [(10, 0.5), (20, 0.7), (30, 0.7), (40, 0.6)].map(|(step, value)| {
            selection.update(&mut progress, step, BTreeMap::from([("accuracy", value)]));
            selection.stops(&progress)
        });

        assert_eq!(stops, [false, false, false, true]);
        let best = progress.best.unwrap();
        assert_eq!((best.step, best.value, best.since), (20, 0.7, 2));
        assert_eq!(progress.validated, 40);
    }

    #[test]
    fn a_validation_without_the_selection_metric_selects_no_checkpoint() {
        let metric = MonitoredMetric { name: "verification AUC", higher_is_better: true };
        let selection = Selection { metric, patience: 1, validation_metrics: Vec::new() };
        let mut progress = StageProgress::default();

        selection.update(&mut progress, 10, BTreeMap::from([("accuracy", 0.5)]));

        assert!(progress.best.is_none() && !selection.stops(&progress));
        assert_eq!(progress.held_out["accuracy"], 0.5);
    }
}
