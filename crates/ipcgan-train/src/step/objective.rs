//! The objective of an update: the weighted sum of its losses.

use burn::tensor::Tensor;

use crate::step::metrics::StepMetrics;

/// Name of the weighted sum on held-out faces.
pub(crate) const OBJECTIVE: &str = "objective";

/// A loss on the outputs `O` of the networks.
pub(crate) struct Loss<O> {
    /// Name of the metric.
    name: &'static str,
    weight: f64,
    formula: fn(&O) -> Tensor<1>,
    optional: bool,
    validated: bool,
}

impl<O> Loss<O> {
    /// The loss `formula`, `[1]`, with its name in logs and displays.
    pub(crate) fn new(name: &'static str, weight: f64, formula: fn(&O) -> Tensor<1>) -> Self {
        Self { name, weight, formula, optional: false, validated: true }
    }

    /// Omits the loss if its weight is zero; otherwise it is a metric at any weight.
    pub(crate) fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// On held-out faces, the loss is part of the objective but not a metric.
    pub(crate) fn without_validation(self) -> Self {
        Self { validated: false, ..self }
    }
}

/// The losses of an update. Their weighted sum, metrics, display and validation follow from them.
pub(crate) struct Objective<O> {
    losses: Vec<Loss<O>>,
}

impl<O> Objective<O> {
    /// The weighted sum of `losses`.
    pub(crate) fn new(losses: impl IntoIterator<Item = Loss<O>>) -> Self {
        let losses = losses.into_iter().filter(|loss| !loss.optional || loss.weight != 0.0);
        Self { losses: losses.collect() }
    }

    /// Names of the metrics that [`Objective::training`] adds.
    pub(crate) fn training_metrics(&self) -> impl Iterator<Item = &'static str> {
        self.losses.iter().map(|loss| loss.name)
    }

    /// Names of the metrics that [`Objective::validation`] adds: the sum of a single loss is not one of its own.
    pub(crate) fn validation_metrics(&self) -> impl Iterator<Item = &'static str> {
        let sum = (self.losses.len() > 1).then_some(OBJECTIVE);
        self.losses.iter().filter(|loss| loss.validated).map(|loss| loss.name).chain(sum)
    }

    /// The weighted sum, `[1]`, and `metrics` with each unweighted loss.
    ///
    /// # Panics
    /// If there are no losses.
    pub(crate) fn training(&self, outputs: &O, metrics: StepMetrics) -> (Tensor<1>, StepMetrics) {
        let (sum, values) = self.evaluate(outputs);
        let add = |metrics: StepMetrics, (loss, value): (&Loss<O>, Tensor<1>)| metrics.with(loss.name, value);
        (sum, self.losses.iter().zip(values).fold(metrics, add))
    }

    /// `metrics` with the unweighted losses that are validated, and the weighted sum of several.
    ///
    /// # Panics
    /// If there are no losses.
    pub(crate) fn validation(&self, outputs: &O, metrics: StepMetrics) -> StepMetrics {
        let (sum, values) = self.evaluate(outputs);
        let validated = self.losses.iter().zip(values).filter(|(loss, _)| loss.validated);
        let metrics = validated.fold(metrics, |metrics, (loss, value)| metrics.with(loss.name, value));
        if self.losses.len() > 1 { metrics.with(OBJECTIVE, sum) } else { metrics }
    }

    /// The weighted sum, and the unweighted losses.
    fn evaluate(&self, outputs: &O) -> (Tensor<1>, Vec<Tensor<1>>) {
        let values: Vec<Tensor<1>> = self.losses.iter().map(|loss| (loss.formula)(outputs)).collect();
        let weighted = self.losses.iter().zip(&values).map(|(loss, value)| value.clone() * loss.weight);
        let sum = weighted.reduce(|sum, loss| sum + loss).expect("an objective has at least one loss");
        (sum, values)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    /// The losses 3 and 4, weighted by 2 and `weight`; the first is not validated, the second is optional.
    fn objective(weight: f64) -> Objective<Tensor<1>> {
        Objective::new([
            Loss::new("three", 2.0, |one: &Tensor<1>| one.clone() * 3.0).without_validation(),
            Loss::new("four", weight, |one: &Tensor<1>| one.clone() * 4.0).optional(),
        ])
    }

    fn one() -> Tensor<1> {
        Tensor::from_data([1.0], &Device::flex())
    }

    fn numbers(metrics: StepMetrics) -> Vec<(&'static str, f64)> {
        metrics.read().unwrap().numbers().collect()
    }

    #[test]
    fn sum_and_metrics_of_a_step_follow_from_the_losses() {
        let (sum, metrics) = objective(0.5).training(&one(), StepMetrics::new(1));

        assert_eq!(sum.into_scalar::<f32>(), 8.0);
        assert_eq!(numbers(metrics), [("three", 3.0), ("four", 4.0)]);
        assert_eq!(objective(0.5).training_metrics().collect::<Vec<_>>(), ["three", "four"]);
    }

    #[test]
    fn an_optional_loss_without_weight_is_left_out() {
        let (sum, metrics) = objective(0.0).training(&one(), StepMetrics::new(1));

        assert_eq!(sum.into_scalar::<f32>(), 6.0);
        assert_eq!(numbers(metrics), [("three", 3.0)]);
        assert_eq!(objective(0.0).training_metrics().collect::<Vec<_>>(), ["three"]);
    }

    #[test]
    fn a_single_loss_is_the_objective_and_shown_once() {
        let single = Objective::new([Loss::new("three", 1.0, |one: &Tensor<1>| one.clone() * 3.0)]);

        assert_eq!(numbers(single.validation(&one(), StepMetrics::new(1))), [("three", 3.0)]);
        assert_eq!(single.validation_metrics().collect::<Vec<_>>(), ["three"]);
    }

    #[test]
    fn the_objective_on_held_out_faces_has_all_losses() {
        let metrics = objective(0.5).validation(&one(), StepMetrics::new(1));

        assert_eq!(numbers(metrics), [("four", 4.0), (OBJECTIVE, 8.0)]);
        assert_eq!(objective(0.5).validation_metrics().collect::<Vec<_>>(), ["four", OBJECTIVE]);
    }
}
