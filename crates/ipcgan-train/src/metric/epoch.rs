//! Metrics over all outputs of a validation, computed at its end.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorReadError};
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry, SerializedEntry,
};

/// Text of a metric that is not defined; the reason follows.
pub(crate) const NOT_DEFINED: &str = "not defined: ";

/// Accumulates the outputs of the batches of a validation.
pub(crate) trait EpochOutputs: Clone + Default + Send + Sync + 'static {
    /// Output of one batch.
    type Item;

    /// Adds the output of one batch.
    fn add(&mut self, item: &Self::Item) -> Result<(), TensorReadError>;
}

/// A metric that is computed from all outputs of an epoch.
#[derive(Clone)]
pub(crate) struct EpochMetric<G> {
    key: &'static str,
    name: MetricName,
    higher_is_better: bool,
    score: fn(&G) -> Option<f64>,
    /// Why the metric may be undefined.
    undefined: &'static str,
    set: G,
    value: Option<f64>,
}

impl<G: EpochOutputs> EpochMetric<G> {
    /// A metric where higher is better; `undefined` is the reason shown where it is undefined.
    pub(crate) fn higher(key: &'static str, undefined: &'static str, score: fn(&G) -> Option<f64>) -> Self {
        let name = Arc::new(key.to_string());
        Self { key, name, higher_is_better: true, score, undefined, set: G::default(), value: None }
    }

    /// A metric where lower is better.
    pub(crate) fn lower(key: &'static str, undefined: &'static str, score: fn(&G) -> Option<f64>) -> Self {
        Self { higher_is_better: false, ..Self::higher(key, undefined, score) }
    }

    /// Name of the metric.
    pub(crate) fn key(&self) -> &'static str {
        self.key
    }

    fn number(&self) -> f64 {
        self.value.unwrap_or(f64::NAN)
    }
}

impl<G: EpochOutputs> Metric for EpochMetric<G> {
    type Input = G::Item;

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: None, higher_is_better: self.higher_is_better }.into()
    }

    fn update(&mut self, item: &G::Item, _metadata: &MetricMetadata) -> Result<SerializedEntry, TensorReadError> {
        self.set.add(item)?;
        Ok(SerializedEntry::not_available(None))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        let score = self.score;
        self.value = score(&self.set).filter(|value| value.is_finite());
        let text = match self.value {
            Some(value) => format!("{}: {value:.4}", self.name),
            None => format!("{} {NOT_DEFINED}{}", self.name, self.undefined),
        };
        Ok(SerializedEntry::new(text, NumericEntry::Final(self.number()).serialize()))
    }

    fn clear(&mut self) {
        self.set = G::default();
    }
}

impl<G: EpochOutputs> Numeric for EpochMetric<G> {
    fn value(&self) -> Option<NumericEntry> {
        None
    }

    fn running_value(&self) -> Option<NumericEntry> {
        None
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(self.number())
    }
}

/// Reads the rows of a matrix from the device.
pub(crate) fn rows(matrix: Tensor<2>) -> Result<Vec<Vec<f32>>, TensorReadError> {
    let [_, length] = matrix.dims();
    let values: Vec<f32> = matrix.try_into_data()?.iter::<f32>().collect();
    Ok(values.chunks_exact(length).map(<[f32]>::to_vec).collect())
}
