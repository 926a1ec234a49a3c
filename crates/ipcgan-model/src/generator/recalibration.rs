//! Batch-norm recalibration: running statistics measured with the current weights.

use burn::module::Module;
use burn::tensor::{Int, Tensor};

use super::Generator;
use crate::condition::conditions;
use crate::layers::Pass;
use crate::operation::BatchNormPass;

impl Generator {
    /// Recalibrates the batch norms: running statistics become the mean over `batches` of sources and target
    /// groups, on the device of the generator with gradients.
    ///
    /// Running statistics of training lag behind the weights, and EMA weights have none of their own. Without
    /// batches it stays as it is.
    pub fn recalibrate_batch_norm(self, batches: impl IntoIterator<Item = (Tensor<4>, Tensor<1, Int>)>) -> Self {
        // Weights need no gradients here, so no graph is recorded.
        let generator = self.valid().train().no_grad();
        for (index, (source, target_groups)) in batches.into_iter().enumerate() {
            // The mean of so many batches: the first replaces what was there.
            let norm = BatchNormPass { chunks: 1, momentum: 1.0 / (index + 1) as f64 };
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
    fn one_batch_gives_its_own_statistics_and_the_weights_stay() {
        let device = Device::flex().autodiff();
        let config = GeneratorConfig::new().with_width(4).with_residual_blocks(1);
        let generator = config.init(&AgeGroups::default(), 0, &device);
        let source = RandomTensors::new(0).uniform([4, 3, 16, 16], -1.0..1.0).autodiff();
        let targets = Tensor::<1, Int>::from_data([0, 1, 2, 3], &device);

        // Normalized by its batch's statistics in training, and by running statistics of that batch afterwards.
        let learning = generator.forward(source.clone(), targets.clone()).inner();
        let recalibrated = generator.clone().recalibrate_batch_norm([(source.clone(), targets.clone())]);
        let recalibrated = recalibrated.forward(source.clone().inner(), targets.clone().inner());
        let before = generator.valid().forward(source.inner(), targets.inner());

        let difference = |other: Tensor<4>| (learning.clone() - other).abs().max().into_scalar::<f32>();
        let (recalibrated, before) = (difference(recalibrated), difference(before));
        // Layers of 4 x 4 pixels: biased and unbiased variances are one and the same here.
        assert!(recalibrated < 1e-4, "{recalibrated}");
        assert!(before > 10.0 * recalibrated, "running statistics of one step should be far off: {before}");
    }
}
