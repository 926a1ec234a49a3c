//! What a step reports: named numbers that stay on the device until somebody looks.

use std::sync::Arc;

use burn::tensor::{ExecutionError, Tensor, TensorReadError};
use burn::train::ItemLazy;
use burn::train::metric::state::{FormatOptions, NumericMetricState};
use burn::train::metric::{
    Adaptor, Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
};

/// A loss above this has exploded: the largest of healthy runs, identity losses before their weight, stay below 1e6.
const MOST: f64 = 1e9;

/// Losses and accuracies of one batch, each a mean over it, by name.
#[derive(Clone, Debug)]
pub struct Terms {
    values: Vec<(&'static str, Tensor<1>)>,
    batch_size: usize,
}

impl Terms {
    /// No terms yet, of a batch of `batch_size` faces.
    pub fn new(batch_size: usize) -> Self {
        Self { values: Vec::new(), batch_size }
    }

    /// With the term `name`, whose value is cut from the graph of gradients.
    pub fn with(mut self, name: &'static str, value: Tensor<1>) -> Self {
        self.values.push((name, value.without_autodiff()));
        self
    }

    /// With the terms of `other`, of the same batch.
    pub fn and(mut self, other: Self) -> Self {
        self.values.extend(other.values);
        self
    }

    /// The first term that nothing can be learned from, and its value: no number, or beyond [`MOST`].
    ///
    /// Reads every term back from the device.
    pub(crate) fn unlearnable(&self) -> Option<(&'static str, f64)> {
        let mut values = self.values.iter().map(|(name, value)| {
            // A value that cannot be read is no number either; the reason comes with the next use of the device.
            (*name, value.clone().try_into_scalar::<f64>().unwrap_or(f64::NAN))
        });
        values.find(|(_, value)| value.is_nan() || value.abs() > MOST)
    }

    /// The value of the term `name`, if the batch has it.
    pub fn get(&self, name: &str) -> Option<Tensor<1>> {
        self.values.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
    }
}

impl ItemLazy for Terms {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

impl Adaptor<Terms> for Terms {
    fn adapt(&self) -> Terms {
        self.clone()
    }
}

/// Shows one term of [`Terms`], averaged over the split.
#[derive(Clone)]
pub(crate) struct TermMetric {
    term: &'static str,
    name: MetricName,
    higher_is_better: bool,
    state: NumericMetricState,
}

impl TermMetric {
    /// A term that should fall.
    pub(crate) fn loss(term: &'static str) -> Self {
        Self::new(term, false)
    }

    /// A term that should rise.
    pub(crate) fn accuracy(term: &'static str) -> Self {
        Self::new(term, true)
    }

    fn new(term: &'static str, higher_is_better: bool) -> Self {
        let name = Arc::new(term.to_string());
        Self { term, name, higher_is_better, state: NumericMetricState::new() }
    }

    fn format(&self) -> FormatOptions {
        FormatOptions::new(self.name()).precision(4)
    }
}

impl Metric for TermMetric {
    type Input = Terms;

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: None, higher_is_better: self.higher_is_better }.into()
    }

    fn update(&mut self, terms: &Terms, _metadata: &MetricMetadata) -> Result<SerializedEntry, TensorReadError> {
        let Some(value) = terms.get(self.term) else {
            return Ok(SerializedEntry::not_available(None));
        };
        self.state.update(value.try_into_scalar::<f64>()?, terms.batch_size);
        Ok(self.state.compute_update(self.format()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.state.compute_final(self.format()))
    }

    fn clear(&mut self) {
        self.state.reset();
    }
}

impl Numeric for TermMetric {
    fn value(&self) -> Option<NumericEntry> {
        Some(self.state.current_value())
    }

    fn running_value(&self) -> Option<NumericEntry> {
        Some(self.state.running_value())
    }

    fn final_value(&self) -> NumericEntry {
        self.state.final_value()
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn a_term_that_is_no_number_or_has_exploded_is_found_by_name() {
        let of = |values: [f32; 2]| {
            let [first, second] = values.map(|value| Tensor::from_data([value], &Device::flex()));
            Terms::new(1).with("age", first).with("identity", second).unlearnable().map(|(name, _)| name)
        };

        assert_eq!(of([0.5, 1e6]), None);
        assert_eq!(of([f32::NAN, 1.0]), Some("age"));
        assert_eq!(of([0.5, f32::NEG_INFINITY]), Some("identity"));
        assert_eq!(of([0.5, 2e9]), Some("identity"));
    }
}
