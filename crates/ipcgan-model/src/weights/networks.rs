//! The networks that weights files can hold.
//!
//! A file may name any size, so sizes are checked before the memory for them is taken.

use burn::module::Module;
use burn::tensor::Device;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{AgeGroups, AlexNet, AlexNetConfig, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig};

/// A network that weights files can hold.
pub trait Network: Module {
    /// Its configuration.
    type Config: Serialize + DeserializeOwned;

    /// Its kind, as the metadata call it.
    const KIND: &'static str;

    /// Settings that were added after weights files had been written: a file that does not name one has the published
    /// value. A file must name all others.
    const LATER_SETTINGS: &'static [&'static str] = &[];

    /// The published configuration.
    fn published() -> Self::Config;

    /// The network with weights that are about to be replaced.
    ///
    /// # Errors
    /// A size that no network has; what is wrong, in words.
    fn of_config(config: &Self::Config, groups: &AgeGroups, device: &Device) -> Result<Self, String>;
}

impl Network for Generator {
    type Config = GeneratorConfig;
    const KIND: &'static str = "generator";

    fn published() -> GeneratorConfig {
        GeneratorConfig::new()
    }

    fn of_config(config: &GeneratorConfig, groups: &AgeGroups, device: &Device) -> Result<Self, String> {
        config.check().map_err(|invalid| invalid.to_string())?;
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
        config.check().map_err(|invalid| invalid.to_string())?;
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
        config.check().map_err(|invalid| invalid.to_string())?;
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
    fn sizes_out_of_range_are_refused_before_memory_is_allocated() {
        let scores = DiscriminatorConfig::new().with_score_channels(1 << 40);
        assert!(refused::<Discriminator>(&scores).contains("score_channels"));
        assert!(refused::<Generator>(&GeneratorConfig::new().with_width(0)).contains("width 0"));
        assert!(refused::<Generator>(&GeneratorConfig::new().with_image_size(130)).contains("multiple of 4"));
        for dropout in [-0.1, 1.0, f64::NAN] {
            assert!(refused::<AlexNet>(&AlexNetConfig::new(1).with_dropout(dropout)).contains("dropout"));
        }
    }
}
