//! Batch-norm recalibration: running statistics measured with the current weights.

use burn::module::Module;
use burn::tensor::{Int, Tensor};

use super::Generator;
use crate::condition::conditions;
use crate::layers::Pass;
use crate::operation::BatchNormPass;

impl Generator {
    /// Batch-norm recalibration: running statistics become the mean over `batches` of sources and target groups, which
    /// are on the autodiff device of the generator.
    ///
    /// Running statistics of training lag behind the weights, and EMA weights have none of their own. Without batches
    /// the statistics do not change.
    pub fn recalibrate_batch_norm(self, batches: impl IntoIterator<Item = (Tensor<4>, Tensor<1, Int>)>) -> Self {
        // Weights need no gradients here, so no graph is recorded.
        let generator = self.valid().train().no_grad();
        for (index, (source, target_groups)) in batches.into_iter().enumerate() {
            // A momentum of 1 / n gives the mean over n batches: the first batch replaces the old statistics.
            let norm = BatchNormPass { ghost_batches: 1, momentum: 1.0 / (index + 1) as f64 };
            let pass = Pass { norm, precision: generator.precision };
            let _ = generator.forward_pass(source, conditions(target_groups, generator.age_groups), pass);
        }
        generator.valid()
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::random_tensors::RandomTensors;
    use crate::{AgeGroups, GeneratorConfig};

    #[test]
    fn recalibration_on_one_batch_gives_the_statistics_of_that_batch() {
        let device = Device::flex().autodiff();
        let config = GeneratorConfig::new().with_width(4).with_residual_blocks(1);
        let generator = config.init(&AgeGroups::default(), 0, &device);
        let source = RandomTensors::new(0).uniform([4, 3, 16, 16], -1.0..1.0).autodiff();
        let targets = Tensor::<1, Int>::from_data([0, 1, 2, 3], &device);

        // Normalized by its batch's statistics in training, and by running statistics of that batch afterwards.
        let in_training = generator.forward(source.clone(), targets.clone()).inner();
        let recalibrated = generator.clone().recalibrate_batch_norm([(source.clone(), targets.clone())]);
        let recalibrated = recalibrated.forward(source.clone().inner(), targets.clone().inner());
        let before = generator.valid().forward(source.inner(), targets.inner());

        let difference = |other: Tensor<4>| (in_training.clone() - other).abs().max().into_scalar::<f32>();
        let (recalibrated, before) = (difference(recalibrated), difference(before));
        // Running variances are biased, like the variance of a batch, so both normalize alike.
        assert!(recalibrated < 1e-4, "{recalibrated}");
        assert!(before > 10.0 * recalibrated, "running statistics of one step should be far off: {before}");
    }
}
