//! Metrics of a step: named values that stay on the device until they are read.

use std::sync::Arc;

use burn::tensor::{Device, ExecutionError, Tensor, TensorReadError, Transaction};
use burn::train::ItemLazy;
use burn::train::metric::state::{FormatOptions, NumericMetricState};
use burn::train::metric::{
    Adaptor, Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use ipcgan_model::TensorCopies;

/// Losses above this have diverged: the largest of healthy runs, unweighted identity losses, stay below 1e6.
const MAX_LOSS: f64 = 1e9;

/// Description of metrics that are only shown where there is room.
pub(crate) const DETAIL: &str = "detail";

/// Losses and accuracies of one batch by name, each a mean over the batch.
///
/// They stay on the device until [`StepMetrics::read`].
#[derive(Clone, Debug)]
pub struct StepMetrics {
    values: Vec<(&'static str, Value)>,
    batch_size: usize,
}

#[derive(Clone, Debug)]
enum Value {
    OnDevice(Box<Tensor<1>>),
    Read(f64),
}

impl StepMetrics {
    /// Empty metrics of a batch of `batch_size` faces.
    pub fn new(batch_size: usize) -> Self {
        Self { values: Vec::new(), batch_size }
    }

    /// Adds the metric `name`, detached from the autodiff graph.
    pub fn with(mut self, name: &'static str, value: Tensor<1>) -> Self {
        self.values.push((name, Value::OnDevice(Box::new(value.without_autodiff()))));
        self
    }

    /// Adds the metric `name` with a known value.
    pub(crate) fn with_number(mut self, name: &'static str, value: f64) -> Self {
        self.values.push((name, Value::Read(value)));
        self
    }

    /// Adds the metrics of `other`, of the same batch.
    pub fn and(mut self, other: Self) -> Self {
        self.values.extend(other.values);
        self
    }

    /// Mean of the metrics of `micro_batches`, which have equal sizes and metric names.
    ///
    /// # Panics
    /// If `micro_batches` is empty.
    pub(crate) fn mean(micro_batches: Vec<Self>) -> Self {
        let count = micro_batches.len() as f64;
        let batch_size = micro_batches.iter().map(|micro_batch| micro_batch.batch_size).sum();
        let sum = micro_batches.into_iter().reduce(|sum, micro_batch| {
            let add = |(a, b): ((&'static str, Value), (&'static str, Value))| (a.0, a.1.plus(b.1));
            Self { values: sum.values.into_iter().zip(micro_batch.values).map(add).collect(), batch_size }
        });
        let sum = sum.expect("a step has at least one batch");
        if count == 1.0 {
            return sum;
        }
        let divide = |(name, value): (&'static str, Value)| (name, value.divided(count));
        Self { values: sum.values.into_iter().map(divide).collect(), batch_size }
    }

    /// The same metrics on `device`.
    pub(crate) fn to_device(&self, device: &Device) -> Self {
        let moved = |value: &Value| match value {
            Value::OnDevice(tensor) => Value::OnDevice(Box::new(tensor.clone().to_device(device))),
            Value::Read(number) => Value::Read(*number),
        };
        let values = self.values.iter().map(|(name, value)| (*name, moved(value))).collect();
        Self { values, batch_size: self.batch_size }
    }

    /// The metrics in memory of their own, with values after [`TensorCopies::launch`].
    pub(crate) fn duplicated(&self, copies: &mut TensorCopies) -> Self {
        let mut duplicate = |value: &Value| match value {
            Value::OnDevice(tensor) => Value::OnDevice(Box::new(copies.duplicate(*tensor.clone()))),
            Value::Read(number) => Value::Read(*number),
        };
        let values = self.values.iter().map(|(name, value)| (*name, duplicate(value))).collect();
        Self { values, batch_size: self.batch_size }
    }

    /// Reads all values from the device in one transaction.
    ///
    /// # Errors
    /// The device failed.
    pub fn read(self) -> Result<Self, ExecutionError> {
        let mut transaction = Transaction::default();
        for (_, value) in &self.values {
            if let Value::OnDevice(tensor) = value {
                transaction = transaction.register(*tensor.clone());
            }
        }
        let mut data = transaction.try_execute()?.into_iter();
        let mut number = |value| match value {
            Value::Read(number) => number,
            Value::OnDevice(_) => {
                let data = data.next().expect("one value for each registered tensor");
                data.iter::<f64>().next().expect("a metric is a scalar")
            }
        };
        let values = self.values.into_iter().map(|(name, value)| (name, Value::Read(number(value)))).collect();
        Ok(Self { values, batch_size: self.batch_size })
    }

    /// Names and values of the metrics that were read.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = (&'static str, f64)> {
        self.values.iter().filter_map(|(name, value)| match value {
            Value::Read(number) => Some((*name, *number)),
            Value::OnDevice(_) => None,
        })
    }

    /// The first diverged loss and its value: NaN, infinite, or above [`MAX_LOSS`].
    pub(crate) fn non_finite(&self) -> Option<(&'static str, f64)> {
        self.numbers().find(|(_, value)| value.is_nan() || value.abs() > MAX_LOSS)
    }

    /// The metric `name`, if it exists.
    pub fn get(&self, name: &str) -> Option<Tensor<1>> {
        let (_, value) = self.values.iter().find(|(key, _)| *key == name)?;
        match value {
            Value::OnDevice(tensor) => Some(*tensor.clone()),
            Value::Read(number) => Some(Tensor::from_data([*number], &Device::flex())),
        }
    }
}

impl Value {
    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::OnDevice(a), Self::OnDevice(b)) => Self::OnDevice(Box::new(*a + *b)),
            (Self::OnDevice(a), Self::Read(b)) | (Self::Read(b), Self::OnDevice(a)) => Self::OnDevice(Box::new(*a + b)),
            (Self::Read(a), Self::Read(b)) => Self::Read(a + b),
        }
    }

    fn divided(self, count: f64) -> Self {
        match self {
            Self::OnDevice(sum) => Self::OnDevice(Box::new(*sum / count)),
            Self::Read(sum) => Self::Read(sum / count),
        }
    }
}

impl ItemLazy for StepMetrics {
    fn sync(self) -> Result<Self, ExecutionError> {
        self.read()
    }
}

impl Adaptor<StepMetrics> for StepMetrics {
    fn adapt(&self) -> StepMetrics {
        self.clone()
    }
}

/// Burn metric of one entry of [`StepMetrics`], averaged over the split.
#[derive(Clone)]
pub(crate) struct ScalarMetric {
    key: &'static str,
    name: MetricName,
    higher_is_better: bool,
    detail: bool,
    state: NumericMetricState,
    /// Whether any step since the last reset had a value.
    updated: bool,
}

impl ScalarMetric {
    /// A metric where lower is better.
    pub(crate) fn loss(key: &'static str) -> Self {
        let (name, state) = (Arc::new(key.to_string()), NumericMetricState::new());
        Self { key, name, higher_is_better: false, detail: false, state, updated: false }
    }

    /// A metric where higher is better.
    pub(crate) fn accuracy(key: &'static str) -> Self {
        Self { higher_is_better: true, ..Self::loss(key) }
    }

    /// A diagnostic metric without a better direction, only shown where there is room.
    pub(crate) fn detail(key: &'static str) -> Self {
        Self { detail: true, ..Self::accuracy(key) }
    }

    fn format(&self) -> FormatOptions {
        FormatOptions::new(self.name()).precision(4)
    }
}

impl Metric for ScalarMetric {
    type Input = StepMetrics;

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn description(&self) -> Option<String> {
        self.detail.then(|| DETAIL.into())
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: None, higher_is_better: self.higher_is_better }.into()
    }

    fn update(
        &mut self,
        metrics: &StepMetrics,
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let Some((_, value)) = metrics.numbers().find(|(name, _)| *name == self.key) else {
            return Ok(SerializedEntry::not_available(None));
        };
        self.updated = true;
        self.state.update(value, metrics.batch_size);
        Ok(self.state.compute_update(self.format()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        if !self.updated {
            return Ok(SerializedEntry::not_available(None));
        }
        Ok(self.state.compute_final(self.format()))
    }

    fn clear(&mut self) {
        self.state.reset();
        self.updated = false;
    }
}

impl Numeric for ScalarMetric {
    fn value(&self) -> Option<NumericEntry> {
        self.updated.then(|| self.state.current_value())
    }

    fn running_value(&self) -> Option<NumericEntry> {
        self.updated.then(|| self.state.running_value())
    }

    /// Burn has no absent final value: where no step had a value it is NaN, and [`Metric::compute`] is not available.
    fn final_value(&self) -> NumericEntry {
        self.state.final_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_is_not_finite_or_too_large_is_found_by_name() {
        let of = |values: [f32; 2]| {
            let [first, second] = values.map(|value| Tensor::from_data([value], &Device::flex()));
            let metrics = StepMetrics::new(1).with("age", first).with("identity", second).read().unwrap();
            metrics.non_finite().map(|(name, _)| name)
        };

        assert_eq!(of([0.5, 1e6]), None);
        assert_eq!(of([f32::NAN, 1.0]), Some("age"));
        assert_eq!(of([0.5, f32::NEG_INFINITY]), Some("identity"));
        assert_eq!(of([0.5, 2e9]), Some("identity"));
    }
}
