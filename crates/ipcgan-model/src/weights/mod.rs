//! Weights files, which say in their metadata what they are for: safetensors in PyTorch's names and layout, and the same
//! as PyTorch's own files and Burn's.
//!
//! | metadata | holds |
//! |---|---|
//! | `network` | the kind: `generator`, `discriminator` or `alexnet` |
//! | `config` | its configuration as JSON |
//! | `age_groups` | first age of each group, in years, as JSON |

mod contents;
mod form;
mod metadata;
mod networks;
mod pytorch;

use std::path::Path;

use burn::module::Module;
use burn::store::{
    BurnToPyTorchAdapter, BurnpackStore, FloatCastAdapter, ModuleAdapter, ModuleSnapshot, SafetensorsStore,
};
use burn::tensor::{DType, Device};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{AgeGroups, ModelError, write_whole};
use contents::Contents;
pub use form::Form;
use metadata::{Metadata, entries_of};

/// A network that weights files can hold.
pub trait Network: Module {
    /// Its configuration.
    type Config: Serialize + DeserializeOwned;

    /// Its kind, as the metadata call it.
    const KIND: &'static str;

    /// The published configuration: what a file does not name is as here.
    fn published() -> Self::Config;

    /// The network with weights that are about to be replaced.
    ///
    /// # Errors
    /// A size that no network has; what is wrong, in words.
    fn of_config(config: &Self::Config, groups: &AgeGroups, device: &Device) -> Result<Self, String>;
}

/// What a weights file holds.
#[derive(Debug)]
pub struct Weights<N: Network> {
    /// The network with its weights.
    pub network: N,
    /// The configuration that it was trained with.
    pub config: N::Config,
    /// The age groups that it was trained for.
    pub age_groups: AgeGroups,
}

/// How many bits each number of a weights file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// 32, as they are trained.
    #[default]
    Whole,
    /// 16: half the size, and each number to three digits.
    Half,
}

/// Writes `network` to `path` as safetensors, whole or not at all; a file that stands there is replaced.
///
/// # Errors
/// The file cannot be written.
pub fn save<N: Network>(
    network: &N,
    config: &N::Config,
    age_groups: &AgeGroups,
    path: &Path,
) -> Result<(), ModelError> {
    safetensors(network, config, age_groups, Numbers::Whole)
        .and_then(|bytes| write_whole(path, &bytes))
        .map_err(|source| ModelError::Access { path: path.into(), source })
}

impl<N: Network> Weights<N> {
    /// Writes it to `path` in `form`, whole or not at all; a file that stands there is replaced.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, form: Form, numbers: Numbers, path: &Path) -> Result<(), ModelError> {
        let safetensors = || safetensors(&self.network, &self.config, &self.age_groups, numbers);
        let bytes = match form {
            Form::Safetensors => safetensors(),
            Form::Pytorch => safetensors().and_then(|bytes| pytorch::encoded(&bytes)),
            Form::Burnpack => self.burnpack(numbers),
        };
        bytes
            .and_then(|bytes| write_whole(path, &bytes))
            .map_err(|source| ModelError::Access { path: path.into(), source })
    }

    fn burnpack(&self, numbers: Numbers) -> std::io::Result<Vec<u8>> {
        let mut store = BurnpackStore::from_bytes(None).with_to_adapter(numbers.cast());
        for (key, value) in entries_of::<N>(&self.config, &self.age_groups) {
            store = store.metadata(key, value);
        }
        let bytes = self.network.save_into(&mut store).and_then(|()| store.get_bytes());
        Ok(bytes.map_err(unwritable)?.to_vec())
    }
}

impl Numbers {
    fn cast(self) -> FloatCastAdapter {
        FloatCastAdapter::to(match self {
            Self::Whole => DType::F32,
            Self::Half => DType::F16,
        })
    }
}

fn safetensors<N: Network>(
    network: &N,
    config: &N::Config,
    age_groups: &AgeGroups,
    numbers: Numbers,
) -> std::io::Result<Vec<u8>> {
    let adapter = BurnToPyTorchAdapter.chain(numbers.cast());
    let mut store = SafetensorsStore::from_bytes(None).with_to_adapter(adapter);
    for (key, value) in entries_of::<N>(config, age_groups) {
        store = store.metadata(key, value);
    }
    network.save_into(&mut store).and_then(|()| store.get_bytes()).map_err(unwritable)
}

fn unwritable(error: impl std::fmt::Display) -> std::io::Error {
    std::io::Error::other(error.to_string())
}

/// The kind of network in the weights file `path`, as [`Network::KIND`].
///
/// # Errors
/// The file cannot be read, or is no weights file of ours.
pub fn kind(path: &Path) -> Result<String, ModelError> {
    let contents = Contents::read(path)?;
    Ok(Metadata::new(path, contents.metadata).entry("network")?.into())
}

/// Reads the network in the weights file `path`, of any [`Form`], onto `device`.
///
/// Half-precision weights are widened; statistics that only PyTorch keeps are ignored.
///
/// # Errors
/// The file cannot be read, is damaged, or holds another kind of network.
pub fn load<N: Network>(path: &Path, device: &Device) -> Result<Weights<N>, ModelError> {
    network_in(Contents::read(path)?, path, device)
}

/// As [`load`]; what `path` does not say of itself, as files of other programs, is as the weights file `like` says.
///
/// # Errors
/// As [`load`], for either file.
pub fn load_like<N: Network>(path: &Path, like: &Path, device: &Device) -> Result<Weights<N>, ModelError> {
    let mut contents = Contents::read(path)?;
    for (key, value) in Contents::read(like)?.metadata {
        contents.metadata.entry(key).or_insert(value);
    }
    network_in(contents, path, device)
}

/// Reads a network from the bytes of a safetensors or burnpack file; `origin` names them in errors.
///
/// # Errors
/// The bytes are damaged, or hold another kind of network.
pub fn from_bytes<N: Network>(bytes: Vec<u8>, origin: &Path, device: &Device) -> Result<Weights<N>, ModelError> {
    network_in(Contents::of_bytes(bytes, origin)?, origin, device)
}

fn network_in<N: Network>(contents: Contents, origin: &Path, device: &Device) -> Result<Weights<N>, ModelError> {
    let Contents { metadata, tensors } = contents;
    let metadata = Metadata::new(origin, metadata);
    metadata.check_kind(N::KIND)?;
    let config: N::Config = metadata.config(&N::published())?;
    let age_groups: AgeGroups = metadata.json("age_groups")?;
    let mut network = N::of_config(&config, &age_groups, device).map_err(|reason| metadata.error("config", reason))?;
    tensors.fill(&mut network).map_err(|reason| ModelError::Mismatch { path: origin.into(), reason })?;
    Ok(Weights { network, config, age_groups })
}

/// Puts the tensors of a weights file, which says nothing of itself, in place of the parameters of `network`.
pub(crate) fn fill<N: Module>(network: &mut N, bytes: Vec<u8>, origin: &Path) -> Result<(), ModelError> {
    let mismatch = |reason| ModelError::Mismatch { path: origin.into(), reason };
    Contents::of_bytes(bytes, origin)?.tensors.fill(network).map_err(mismatch)
}

/// The error's text without the line breaks that lists of tensors bring.
fn one_line(error: &impl std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
