//! A weights file before its network is loaded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::contents::Contents;
use super::metadata::{Metadata, complete};
use super::networks::{Network, Weights, allocated};
use crate::{AgeGroups, ModelError};

/// A weights file, read once, of any [`WeightsFormat`](super::WeightsFormat): its metadata name the network to load.
pub struct WeightsFile {
    pub(super) path: PathBuf,
    pub(super) contents: Contents,
}

impl WeightsFile {
    /// Reads the file `path`, which may be a pipe unless it has PyTorch's format.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        Ok(Self { path: path.into(), contents: Contents::read(path)? })
    }

    /// Its metadata.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.contents.metadata
    }

    /// The kind of its network, as [`Network::KIND`].
    ///
    /// # Errors
    /// The metadata do not name it, as in files of other programs.
    pub fn kind(&self) -> Result<&str, ModelError> {
        Metadata::new(&self.path, self.metadata()).entry("network")
    }

    /// With the metadata of the file `like` for those that it lacks, such as a file of another program.
    pub fn with_metadata_of(mut self, like: Self) -> Self {
        complete(&mut self.contents.metadata, like.contents.metadata);
        self
    }

    /// Loads its network onto `device`.
    ///
    /// # Errors
    /// It holds another kind of network; its settings or tensors are not those of the network, or its numbers not finite.
    pub fn load<N: Network>(self, device: &Device) -> Result<Weights<N>, ModelError> {
        let Self { path, contents: Contents { metadata, tensors } } = self;
        let metadata = Metadata::new(&path, &metadata);
        metadata.check_kind(N::KIND)?;
        let config: N::Config = metadata.config::<N>()?;
        let age_groups: AgeGroups = metadata.json("age_groups")?;
        let network = allocated::<N>(&config, &age_groups, tensors.byte_len(), device);
        let mut network = network.map_err(|reason| metadata.error("config", reason))?;
        tensors.fill(&mut network).map_err(|reason| ModelError::Mismatch { path: path.clone(), reason })?;
        Ok(Weights { network, config, age_groups })
    }
}
