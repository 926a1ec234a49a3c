//! The networks that weights files can hold, and the contents of a file with one.
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

    /// Number of parameters with this configuration.
    ///
    /// # Errors
    /// A size that no network has; what is wrong, in words.
    fn num_params_of(config: &Self::Config, groups: &AgeGroups) -> Result<usize, String>;

    /// The network for its weights to be filled: all are zero and take no memory yet, so a clone would share their later
    /// allocation. The configuration is one that [`Network::num_params_of`] accepts.
    fn of_config(config: &Self::Config, groups: &AgeGroups, device: &Device) -> Self;
}

/// Contents of a weights file.
#[derive(Debug)]
pub struct Weights<N: Network> {
    /// The network with its weights.
    pub network: N,
    /// The configuration that it was trained with.
    pub config: N::Config,
    /// The age groups that it was trained for.
    pub age_groups: AgeGroups,
}

/// Maximum ratio of a network's parameters to those for which its file has room: an incomplete file gets an error that
/// names the missing tensors, but a small file cannot take the memory of a large network.
const MAX_EXPANSION: u64 = 4;

/// The network of a file of `file_bytes`, with weights that are about to be replaced.
///
/// # Errors
/// A size that no network has, or that the file has no room for; what is wrong, in words.
pub(super) fn allocated<N: Network>(
    config: &N::Config,
    groups: &AgeGroups,
    file_bytes: u64,
    device: &Device,
) -> Result<N, String> {
    let params = N::num_params_of(config, groups)?;
    // A number has two bytes or four.
    if params as u64 > MAX_EXPANSION * (file_bytes / 2) {
        return Err(format!("has {params} parameters, for which a file of {file_bytes} bytes has no room"));
    }
    Ok(N::of_config(config, groups, device))
}

impl Network for Generator {
    type Config = GeneratorConfig;
    const KIND: &'static str = "generator";

    fn published() -> GeneratorConfig {
        GeneratorConfig::new()
    }

    fn num_params_of(config: &GeneratorConfig, groups: &AgeGroups) -> Result<usize, String> {
        config.check().map_err(|invalid| invalid.to_string())?;
        Ok(config.num_params(groups.count()))
    }

    fn of_config(config: &GeneratorConfig, groups: &AgeGroups, device: &Device) -> Self {
        config.without_weights(groups.count(), device)
    }
}

impl Network for Discriminator {
    type Config = DiscriminatorConfig;
    const KIND: &'static str = "discriminator";

    fn published() -> DiscriminatorConfig {
        DiscriminatorConfig::new()
    }

    fn num_params_of(config: &DiscriminatorConfig, groups: &AgeGroups) -> Result<usize, String> {
        config.check().map_err(|invalid| invalid.to_string())?;
        Ok(config.num_params(groups.count()))
    }

    fn of_config(config: &DiscriminatorConfig, groups: &AgeGroups, device: &Device) -> Self {
        config.without_weights(groups.count(), device)
    }
}

impl Network for AlexNet {
    type Config = AlexNetConfig;
    const KIND: &'static str = "alexnet";

    fn published() -> AlexNetConfig {
        AlexNetConfig::new(1)
    }

    fn num_params_of(config: &AlexNetConfig, groups: &AgeGroups) -> Result<usize, String> {
        config.check().map_err(|invalid| invalid.to_string())?;
        Ok(config.num_params(groups.count()))
    }

    fn of_config(config: &AlexNetConfig, groups: &AgeGroups, device: &Device) -> Self {
        config.without_weights(groups.count(), device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<N: Network>(config: &N::Config) -> String {
        allocated::<N>(config, &AgeGroups::default(), u64::MAX / 8, &Device::flex()).err().unwrap()
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

    #[test]
    fn a_network_far_larger_than_its_file_is_refused_before_memory_is_allocated() {
        let config = GeneratorConfig::new().with_width(512).with_residual_blocks(64);

        let refused = allocated::<Generator>(&config, &AgeGroups::default(), 1000, &Device::flex()).err().unwrap();

        assert!(refused.contains("a file of 1000 bytes has no room"), "{refused}");
    }
}
