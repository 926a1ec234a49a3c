//! Valid sizes of the networks, and their numbers of parameters and activations.
//!
//! Settings and weights files go through the same checks, so that whatever is trained can be loaded.

use std::fmt;
use std::ops::RangeInclusive;

use crate::{AlexNetConfig, DiscriminatorConfig, GeneratorConfig};

/// A size that a network cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSize {
    /// Name of the field.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// What it must be.
    pub expected: String,
}

impl fmt::Display for InvalidSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "has {} {}; it must be {}", self.name, self.value, self.expected)
    }
}

impl std::error::Error for InvalidSize {}

fn in_range(name: &'static str, value: usize, range: RangeInclusive<usize>) -> Result<(), InvalidSize> {
    let expected = format!("between {} and {}", range.start(), range.end());
    check(range.contains(&value), name, value, &expected)
}

fn multiple_of(name: &'static str, value: usize, factor: usize) -> Result<(), InvalidSize> {
    check(value.is_multiple_of(factor), name, value, &format!("a multiple of {factor}"))
}

fn check(holds: bool, name: &'static str, value: impl ToString, expected: &str) -> Result<(), InvalidSize> {
    if holds { Ok(()) } else { Err(InvalidSize { name, value: value.to_string(), expected: expected.into() }) }
}

impl GeneratorConfig {
    /// Whether a generator can have this size.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn check(&self) -> Result<(), InvalidSize> {
        in_range("image_size", self.image_size, 1..=4096)?;
        multiple_of("image_size", self.image_size, 4)?;
        in_range("width", self.width, 1..=512)?;
        in_range("residual_blocks", self.residual_blocks, 1..=64)
    }

    /// Number of parameters for `groups` age groups, without the few of the batch norms.
    pub fn num_params(&self, groups: usize) -> usize {
        let (width, colours) = (self.width, self.colours());
        let residual = 2 * 9 * 16 * width * width;
        let up_and_down = 2 * 9 * (2 + 8) * width * width;
        49 * (3 + groups) * width + up_and_down + self.residual_blocks * residual + 49 * width * colours
    }

    /// Number of activations of one face.
    pub fn num_activations(&self) -> usize {
        let (width, pixels) = (self.width, self.image_size * self.image_size);
        let up_and_down = 2 * width * pixels + 2 * width * pixels / 2 + width * pixels / 4;
        up_and_down + self.residual_blocks * width * pixels / 2 + self.colours() * pixels
    }

    fn colours(&self) -> usize {
        self.output.head_channels()
    }
}

impl DiscriminatorConfig {
    /// Whether a discriminator can have this size.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn check(&self) -> Result<(), InvalidSize> {
        in_range("width", self.width, 1..=512)?;
        in_range("score_channels", self.score_channels, 0..=4096)
    }

    /// Number of parameters for `groups` age groups, without the few of the batch norms.
    pub fn num_params(&self, groups: usize) -> usize {
        let width = self.width;
        let scores = if self.score_channels == 0 { 8 * width } else { self.score_channels };
        16 * (3 * width + 2 * (width + groups) * width + (8 + 32) * width * width + 8 * width * scores)
    }

    /// Number of values that its layers give for one face of `image_size` x `image_size` pixels.
    pub fn num_activations(&self, image_size: usize) -> usize {
        let pixels = image_size * image_size;
        self.width * (pixels / 4 + pixels / 8 + pixels / 16 + pixels / 8)
    }
}

impl AlexNetConfig {
    /// Whether an AlexNet can have this size.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn check(&self) -> Result<(), InvalidSize> {
        in_range("identities", self.identities, 1..=1_000_000)?;
        in_range("input_size", self.input_size, 67..=1024)?;
        in_range("width", self.width, 1..=128)?;
        // Three of its convolutions have two groups, as published, and the first layer has three times the width.
        multiple_of("width", self.width, 2)?;
        in_range("hidden", self.hidden, 1..=8192)?;
        in_range("embedding", self.embedding, 1..=4096)?;
        check((0.0..1.0).contains(&self.dropout), "dropout", self.dropout, "at least 0 and below 1")
    }

    /// Number of parameters for `groups` age groups, without the few biases.
    pub fn num_params(&self, groups: usize) -> usize {
        let (width, hidden) = (self.width, self.hidden);
        let trunk =
            121 * 3 * 3 * width + (25 * 3 * 8 / 2 + 9 * 8 * 12 + 9 * 12 * 12 / 2 + 9 * 12 * 8 / 2) * width * width;
        let heads = 2 * (8 * width * self.pooled_side().pow(2) * hidden + hidden * hidden);
        trunk + heads + hidden * (self.embedding + groups) + self.embedding * self.identities
    }

    /// Number of values that its convolutions give for one face.
    pub fn num_activations(&self) -> usize {
        let pooled = |side: usize| (side - 3) / 2 + 1;
        let first = (self.input_size - 11) / 4 + 1;
        let (second, third) = (pooled(first), pooled(pooled(first)));
        self.width * (3 * first * first + 8 * second * second + (12 + 12 + 8) * third * third)
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use burn::tensor::Device;

    use super::*;
    use crate::{AgeGroups, Preset};

    #[test]
    fn the_number_of_weights_is_that_of_the_network_within_a_fiftieth() {
        let (groups, device) = (AgeGroups::default(), Device::flex());
        let near = |counted: usize, real: usize| counted.abs_diff(real) * 50 <= real;
        for preset in [Preset::Compact, Preset::Tiny] {
            let (generator, discriminator, alexnet) = (preset.generator(), preset.discriminator(), preset.alexnet(7));

            let counted = [generator.num_params(5), discriminator.num_params(5), alexnet.num_params(5)];

            let real = [
                generator.init(&groups, 0, &device).num_params(),
                discriminator.init(&groups, 0, &device).num_params(),
                alexnet.init(&groups, 0, &device).num_params(),
            ];
            assert!(counted.iter().zip(real).all(|(counted, real)| near(*counted, real)), "{counted:?} and {real:?}");
        }
    }

    #[test]
    fn an_alexnet_of_odd_width_is_refused_because_its_convolutions_have_two_groups() {
        let refused = AlexNetConfig::new(1).with_width(3).check().unwrap_err();

        assert_eq!(refused.to_string(), "has width 3; it must be a multiple of 2");
    }
}
