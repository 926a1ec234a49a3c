//! Burn metric logger that keeps the validation metrics for the training loop.

use std::collections::HashMap;

use burn::train::logger::MetricLogger;
use burn::train::metric::store::{EpochSummary, MetricsUpdate, Split};
use burn::train::metric::{MetricDefinition, MetricId, NumericEntry};

/// Keeps the metrics of the newest validation; training metrics are recorded by the loop itself.
#[derive(Default)]
pub(crate) struct ValidationLogger {
    names: HashMap<MetricId, String>,
    epoch: usize,
    entries: HashMap<String, Vec<NumericEntry>>,
}

impl MetricLogger for ValidationLogger {
    fn log(&mut self, update: MetricsUpdate, epoch: usize, split: &Split) {
        if *split != Split::Valid {
            return;
        }
        if epoch != self.epoch {
            self.epoch = epoch;
            self.entries.clear();
        }
        for update in update.entries_numeric {
            let name = self.names.get(&update.entry.metric_id);
            if let (Some(name), Some(entry)) = (name, update.numeric_entry) {
                self.entries.entry(name.clone()).or_default().push(entry);
            }
        }
    }

    fn read_numeric(&mut self, name: &str, epoch: usize, split: &Split) -> Result<Vec<NumericEntry>, String> {
        let kept = *split == Split::Valid && epoch == self.epoch;
        let entries = if kept { self.entries.get(name) } else { None };
        // Burn panics on an error here.
        Ok(entries.cloned().unwrap_or_default())
    }

    fn log_metric_definition(&mut self, definition: MetricDefinition) {
        self.names.insert(definition.metric_id, definition.name.to_string());
    }

    fn log_epoch_summary(&mut self, _summary: EpochSummary) {}
}
