//! The networks that weights files can hold.

use burn::tensor::Device;

use super::Network;
use crate::{AgeGroups, AlexNet, AlexNetConfig, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig};

/// A file may name any number: sizes beyond these would fill the memory before the tensors are seen.
fn check_sizes(sizes: &[(&str, usize, usize)]) -> Result<(), String> {
    for (name, size, most) in sizes {
        if *size == 0 || size > most {
            return Err(format!("has {name} {size}; it must be between 1 and {most}"));
        }
    }
    Ok(())
}

impl Network for Generator {
    type Config = GeneratorConfig;
    const KIND: &'static str = "generator";

    fn published() -> GeneratorConfig {
        GeneratorConfig::new()
    }

    fn of_config(config: &GeneratorConfig, groups: &AgeGroups, device: &Device) -> Result<Self, String> {
        check_sizes(&[
            ("image_size", config.image_size, 4096),
            ("width", config.width, 512),
            ("residual_blocks", config.residual_blocks, 64),
        ])?;
        if !config.image_size.is_multiple_of(4) {
            return Err(format!("has image_size {}, not a multiple of 4", config.image_size));
        }
        Ok(config.init(groups, 0, device))
    }
}

impl Network for Discriminator {
    type Config = DiscriminatorConfig;
    const KIND: &'static str = "discriminator";

    fn published() -> DiscriminatorConfig {
        DiscriminatorConfig::new()
    }

    fn of_config(config: &DiscriminatorConfig, groups: &AgeGroups, device: &Device) -> Result<Self, String> {
        check_sizes(&[("width", config.width, 512)])?;
        if config.score_channels > 4096 {
            return Err(format!("has score_channels {}; it must be at most 4096", config.score_channels));
        }
        Ok(config.init(groups, 0, device))
    }
}

impl Network for AlexNet {
    type Config = AlexNetConfig;
    const KIND: &'static str = "alexnet";

    fn published() -> AlexNetConfig {
        AlexNetConfig::new(1)
    }

    fn of_config(config: &AlexNetConfig, groups: &AgeGroups, device: &Device) -> Result<Self, String> {
        check_sizes(&[
            ("identities", config.identities, 1_000_000),
            ("input_size", config.input_size, 1024),
            ("width", config.width, 128),
            ("hidden", config.hidden, 8192),
            ("embedding", config.embedding, 4096),
        ])?;
        if config.input_size < 67 {
            return Err(format!("has input_size {}, below 67", config.input_size));
        }
        if !(0.0..1.0).contains(&config.dropout) {
            return Err(format!("has dropout {}; it must be at least 0 and below 1", config.dropout));
        }
        Ok(config.init(groups, 0, device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<N: Network>(config: &N::Config) -> String {
        N::of_config(config, &AgeGroups::default(), &Device::flex()).err().unwrap()
    }

    #[test]
    fn sizes_that_no_network_has_are_refused_before_memory_is_taken() {
        let scores = DiscriminatorConfig::new().with_score_channels(1 << 40);
        assert!(refused::<Discriminator>(&scores).contains("score_channels"));
        assert!(refused::<Generator>(&GeneratorConfig::new().with_width(0)).contains("width 0"));
        assert!(refused::<Generator>(&GeneratorConfig::new().with_image_size(130)).contains("multiple of 4"));
        for dropout in [-0.1, 1.0, f64::NAN] {
            assert!(refused::<AlexNet>(&AlexNetConfig::new(1).with_dropout(dropout)).contains("dropout"));
        }
    }
}
