//! Valid sizes of the networks, and their numbers of parameters and activations.
//!
//! Settings and weights files go through the same checks, so that whatever is trained can be loaded.

use std::ops::RangeInclusive;

use burn::module::Module;
use burn::tensor::Device;

use crate::layers::{ConvNorm, Layer};
use crate::{AlexNetConfig, DiscriminatorConfig, GeneratorConfig, InvalidConfig, Recogniser};

fn in_range(name: &'static str, value: usize, range: RangeInclusive<usize>) -> Result<(), InvalidConfig> {
    let expected = format!("between {} and {}", range.start(), range.end());
    check(range.contains(&value), name, value, &expected)
}

fn multiple_of(name: &'static str, value: usize, factor: usize) -> Result<(), InvalidConfig> {
    check(value.is_multiple_of(factor), name, value, &format!("a multiple of {factor}"))
}

fn check(holds: bool, name: &'static str, value: impl ToString, expected: &str) -> Result<(), InvalidConfig> {
    if holds { Ok(()) } else { Err(InvalidConfig { name, value: value.to_string(), expected: expected.into() }) }
}

impl GeneratorConfig {
    /// Whether a generator can have this size.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        in_range("image_size", self.image_size, 1..=4096)?;
        multiple_of("image_size", self.image_size, 4)?;
        in_range("width", self.width, 1..=512)?;
        in_range("residual_blocks", self.residual_blocks, 1..=64)
    }

    /// Number of parameters for `groups` age groups.
    pub fn num_params(&self, groups: usize) -> usize {
        self.without_weights(groups, &Device::flex()).num_params()
    }

    /// Number of values that its layers compute for one face.
    pub fn num_activations(&self) -> usize {
        let generator = self.without_weights(1, &Device::flex());
        num_activations(&generator.layers(), self.image_size)
    }
}

impl DiscriminatorConfig {
    /// Whether a discriminator can have this size.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        in_range("width", self.width, 1..=512)?;
        in_range("score_channels", self.score_channels, 0..=4096)
    }

    /// Whether a discriminator can score faces of `image_size` x `image_size` pixels, which it downsamples by a factor
    /// of 8.
    ///
    /// # Errors
    /// `image_size` is not a multiple of 8, or below 16.
    pub fn check_image_size(image_size: usize) -> Result<(), InvalidConfig> {
        let holds = image_size >= 16 && image_size.is_multiple_of(8);
        check(holds, "image_size", image_size, "a multiple of 8, at least 16")
    }

    /// Number of parameters for `groups` age groups.
    pub fn num_params(&self, groups: usize) -> usize {
        self.without_weights(groups, &Device::flex()).num_params()
    }

    /// Number of values that its layers, and those of the recogniser if it needs one, compute for one face of `image_size` x
    /// `image_size` pixels.
    pub fn num_activations(&self, image_size: usize) -> usize {
        let discriminator = self.without_weights(1, &Device::flex());
        let recogniser = if self.projected { Recogniser::MAP_ACTIVATIONS } else { 0 };
        num_activations(&discriminator.layers(), image_size) + recogniser
    }
}

/// Number of values that `layers` compute for one face of `side` x `side` pixels.
fn num_activations(layers: &[Layer], side: usize) -> usize {
    let (mut count, mut side) = (0, side);
    for layer in layers {
        let maps = match *layer {
            Layer::Conv(conv, _) | Layer::ConvNorm(ConvNorm { conv, .. }, _) => {
                side = side.div_ceil(conv.stride[0]);
                conv.weight.lazy_shape()[0]
            }
            Layer::UpNorm(layer, _) => {
                side *= layer.conv.stride[0];
                layer.conv.weight.lazy_shape()[1]
            }
            Layer::Residual(block) => block.conv1.weight.lazy_shape()[0] + block.conv2.weight.lazy_shape()[0],
        };
        count += maps * side * side;
    }
    count
}

impl AlexNetConfig {
    /// Whether an AlexNet can have this size.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        in_range("identities", self.identities, 1..=1_000_000)?;
        in_range("input_size", self.input_size, 67..=1024)?;
        in_range("width", self.width, 1..=128)?;
        // Three of its convolutions have two groups, as published, and the first layer has three times the width.
        multiple_of("width", self.width, 2)?;
        in_range("hidden", self.hidden, 1..=8192)?;
        in_range("embedding", self.embedding, 1..=4096)?;
        check((0.0..1.0).contains(&self.dropout), "dropout", self.dropout, "at least 0 and below 1")
    }

    /// Number of parameters for `groups` age groups.
    pub fn num_params(&self, groups: usize) -> usize {
        self.without_weights(groups, &Device::flex()).num_params()
    }

    /// Number of values that its convolutions compute for one face.
    pub fn num_activations(&self) -> usize {
        let pooled = |side: usize| (side - 3) / 2 + 1;
        let first = (self.input_size - 11) / 4 + 1;
        let (second, third) = (pooled(first), pooled(pooled(first)));
        self.width * (3 * first * first + 8 * second * second + (12 + 12 + 8) * third * third)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AgeGroups;

    #[test]
    fn parameters_are_counted_without_allocating_them() {
        let (groups, device) = (AgeGroups::default(), Device::flex());
        for (width, hidden) in [(16, 512), (8, 128)] {
            let generator = GeneratorConfig::new().with_width(width).with_residual_blocks(2);
            let discriminator = DiscriminatorConfig::new().with_width(width).with_batch_norm(false);
            let alexnet = AlexNetConfig::new(7).with_input_size(67).with_width(width).with_hidden(hidden);

            let counted = [generator.num_params(5), discriminator.num_params(5), alexnet.num_params(5)];

            let real = [
                generator.init(&groups, 0, &device).num_params(),
                discriminator.init(&groups, 0, &device).num_params(),
                alexnet.init(&groups, 0, &device).num_params(),
            ];
            assert_eq!(counted, real);
        }
        // 1.2 TB of weights.
        assert!(AlexNetConfig::new(1_000_000).with_hidden(1_000_000).num_params(5) > 300_000_000_000);
    }

    #[test]
    fn activations_are_summed_over_all_layers() {
        let generator = GeneratorConfig::new().with_image_size(16).with_width(1).with_residual_blocks(1);
        let discriminator = DiscriminatorConfig::new().with_width(1);

        // Channels times pixels: stem, two down, two convolutions of the block, two up, head.
        let expected = 256 + 2 * 64 + 4 * 16 + 2 * 4 * 16 + 2 * 64 + 256 + 3 * 256;
        assert_eq!(generator.num_activations(), expected);
        // Stem, two down, patch, head.
        assert_eq!(discriminator.num_activations(16), 64 + 2 * 16 + 4 * 4 + 8 * 4 + 8 * 4);
    }

    #[test]
    fn an_alexnet_of_odd_width_is_refused_because_its_convolutions_have_two_groups() {
        let refused = AlexNetConfig::new(1).with_width(3).check().unwrap_err();

        assert_eq!(refused.to_string(), "has width 3; it must be a multiple of 2");
    }

    #[test]
    fn faces_that_cannot_be_downsampled_to_two_scores_a_side_are_refused() {
        for image_size in [8, 20] {
            let refused = DiscriminatorConfig::check_image_size(image_size).unwrap_err();

            assert_eq!(refused.expected, "a multiple of 8, at least 16", "{image_size}");
        }
        assert_eq!(DiscriminatorConfig::check_image_size(24), Ok(()));
    }
}
