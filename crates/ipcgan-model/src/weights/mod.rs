//! Weights files with metadata about their network: safetensors with PyTorch's names and layout, PyTorch's own files,
//! and Burn's.
//!
//! | metadata | holds |
//! |---|---|
//! | `network` | the kind: `generator`, `discriminator` or `alexnet` |
//! | `config` | its configuration as JSON |
//! | `age_groups` | first age of each group, in years, as JSON |

mod contents;
mod file;
mod format;
mod metadata;
mod networks;
mod pytorch;
mod tensors;

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use burn::module::Module;
use burn::store::burn_pack::{Tensor as PackTensor, Writer};
use burn::store::{BurnToPyTorchAdapter, FloatCastAdapter, ModuleAdapter, ModuleSnapshot};
use burn::tensor::{DType, Device};
use safetensors::tensor::{Dtype, TensorView};

use ipcgan_system::write_atomic;

use crate::{AgeGroups, ModelError};
use contents::{Contents, fill_from_record};
pub use file::WeightsFile;
pub use format::WeightsFormat;
use metadata::entries_of;
use networks::allocated;
pub use networks::{Network, Weights};
use tensors::{check_values, counted};

/// Floating-point format of a weights file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FloatWidth {
    /// 32 bits, as trained.
    #[default]
    Float32,
    /// 16 bits: half the size, and three significant digits.
    Float16,
}

/// Atomically writes `network` to `path` as safetensors; an existing file is replaced.
///
/// # Errors
/// As [`Weights::write`].
pub fn save<N: Network>(
    network: &N,
    config: &N::Config,
    age_groups: &AgeGroups,
    path: &Path,
) -> Result<(), ModelError> {
    write_bytes(safetensors(network, config, age_groups, FloatWidth::Float32), path)
}

/// Writes the bytes of a weights file, unless the weights could not be stored in its format.
fn write_bytes(bytes: io::Result<Vec<u8>>, path: &Path) -> Result<(), ModelError> {
    bytes.and_then(|bytes| write_atomic(path, &bytes)).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => ModelError::Unrepresentable { path: path.into(), reason: source.to_string() },
        _ => ModelError::Access { path: path.into(), source },
    })
}

impl<N: Network> Weights<N> {
    /// Atomically writes the weights to `path` in `format`; an existing file is replaced.
    ///
    /// # Errors
    /// The file cannot be written, or the device failed; or a weight is not finite, or too large for half precision.
    pub fn write(&self, format: WeightsFormat, numbers: FloatWidth, path: &Path) -> Result<(), ModelError> {
        let bytes = match format {
            WeightsFormat::Safetensors => self.safetensors(numbers),
            WeightsFormat::Pytorch => self.safetensors(numbers).and_then(|bytes| pytorch::encoded(&bytes)),
            WeightsFormat::Burnpack => self.burnpack(numbers),
        };
        write_bytes(bytes, path)
    }

    /// The bytes of a safetensors file with the weights.
    ///
    /// # Errors
    /// The device failed, a number is not finite, or it is too large for half precision.
    pub fn safetensors(&self, numbers: FloatWidth) -> io::Result<Vec<u8>> {
        safetensors(&self.network, &self.config, &self.age_groups, numbers)
    }

    fn burnpack(&self, numbers: FloatWidth) -> io::Result<Vec<u8>> {
        check_values(&self.network).map_err(unrepresentable)?;
        let mut tensors = self.network.collect(None, Some(Box::new(numbers.cast())), false);
        // Ids are drawn at random for each network; with them, files of the same weights would differ.
        tensors.iter_mut().for_each(|tensor| tensor.param_id = None);
        bytes_of(&tensors)?;
        let mut writer = Writer::new(tensors);
        for (key, value) in entries_of::<N>(&self.config, &self.age_groups) {
            writer = writer.with_metadata(key, &value);
        }
        Ok(writer.into_bytes().map_err(unwritable)?.to_vec())
    }
}

impl FloatWidth {
    fn cast(self) -> FloatCastAdapter {
        FloatCastAdapter::to(match self {
            Self::Float32 => DType::F32,
            Self::Float16 => DType::F16,
        })
    }
}

/// The safetensors file of `network`: the same bytes for the same weights.
fn safetensors<N: Network>(
    network: &N,
    config: &N::Config,
    age_groups: &AgeGroups,
    numbers: FloatWidth,
) -> io::Result<Vec<u8>> {
    check_values(network).map_err(unrepresentable)?;
    let adapter = BurnToPyTorchAdapter.chain(numbers.cast());
    let tensors = network.collect(None, Some(Box::new(adapter)), false);
    let bytes = bytes_of(&tensors)?;
    let views = tensors.iter().zip(&bytes).map(|(tensor, bytes)| {
        let number = if tensor.dtype == DType::F16 { Dtype::F16 } else { Dtype::F32 };
        Ok((tensor.name.as_str(), TensorView::new(number, tensor.shape.to_vec(), bytes).map_err(unwritable)?))
    });
    let views = views.collect::<io::Result<Vec<_>>>()?;
    let file = safetensors::serialize(views, None).map_err(unwritable)?;
    Ok(with_metadata(&file, &entries_of::<N>(config, age_groups)))
}

/// The safetensors file `file`, which has no metadata, with `entries` as metadata in the order of their keys. (The
/// `safetensors` crate writes metadata in the order of a hash map, which differs between runs.)
fn with_metadata(file: &[u8], entries: &[(&str, String)]) -> Vec<u8> {
    const LENGTH: usize = size_of::<u64>();
    let length = u64::from_le_bytes(file[..LENGTH].try_into().expect("it begins with the length of its header"));
    let (tensors, numbers) = file[LENGTH..].split_at(length as usize);
    let entries: BTreeMap<_, _> = entries.iter().map(|(key, value)| (key, value)).collect();
    let mut header = br#"{"__metadata__":"#.to_vec();
    header.extend(serde_json::to_vec(&entries).expect("texts turn into JSON"));
    header.push(b',');
    header.extend(tensors[1..].trim_ascii_end());
    header.resize(header.len().next_multiple_of(LENGTH), b' ');
    [&(header.len() as u64).to_le_bytes()[..], &header, numbers].concat()
}

/// The numbers of each tensor, read back from the device.
///
/// # Errors
/// The device failed, or a number is too large for half precision.
fn bytes_of(tensors: &[PackTensor]) -> io::Result<Vec<Vec<u8>>> {
    /// The exponent bits of a half-precision number: all ones if it is infinite or NaN.
    const EXPONENT: u16 = 0x7c00;
    let mut all = Vec::new();
    let mut too_large = Vec::new();
    for tensor in tensors {
        let bytes = tensor.to_bytes().map_err(unwritable)?.to_vec();
        let is_infinite = |half: &[u8]| u16::from_le_bytes([half[0], half[1]]) & EXPONENT == EXPONENT;
        if tensor.dtype == DType::F16 && bytes.chunks_exact(2).any(is_infinite) {
            too_large.push(tensor.name.clone());
        }
        all.push(bytes);
    }
    match too_large.is_empty() {
        true => Ok(all),
        false => {
            let large = counted(&too_large, "too large for half precision (above 65504) in places");
            Err(unrepresentable(format!("{large}; write 32-bit weights")))
        }
    }
}

/// The error of values that the format cannot store.
fn unrepresentable(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// The error of a device or of a writer.
fn unwritable(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(error.to_string())
}

/// Reads the network in the weights file `path`, of any [`WeightsFormat`], onto `device`.
///
/// Half-precision weights are widened. Tensors that the network does not have are an error, except for PyTorch's
/// `num_batches_tracked`, which is ignored.
///
/// # Errors
/// As [`WeightsFile::read`] and [`WeightsFile::load`].
pub fn load<N: Network>(path: &Path, device: &Device) -> Result<Weights<N>, ModelError> {
    WeightsFile::read(path)?.load(device)
}

/// Reads a network from the bytes of a safetensors or burnpack file; `origin` names them in errors.
///
/// # Errors
/// The bytes are damaged, or hold another kind of network.
pub fn from_bytes<N: Network>(bytes: Vec<u8>, origin: &Path, device: &Device) -> Result<Weights<N>, ModelError> {
    WeightsFile { path: origin.into(), contents: Contents::of_bytes(bytes, origin)? }.load(device)
}

/// Reads the network whose tensors are named `part.*` in the model record of a checkpoint, the burnpack file `path`.
///
/// # Errors
/// The file cannot be read, or its tensors are not those of the network.
pub fn from_record<N: Network>(
    path: &Path,
    part: &str,
    config: N::Config,
    age_groups: AgeGroups,
    device: &Device,
) -> Result<Weights<N>, ModelError> {
    let mismatch = |reason| ModelError::Mismatch { path: path.into(), reason };
    let file_bytes = fs::metadata(path).map_err(|source| ModelError::Access { path: path.into(), source })?.len();
    let mut network = allocated::<N>(&config, &age_groups, file_bytes, device).map_err(mismatch)?;
    fill_from_record(path, part, &mut network).map_err(mismatch)?;
    Ok(Weights { network, config, age_groups })
}

/// Replaces the parameters of `network` by the tensors of a weights file without metadata.
pub(crate) fn fill<N: Module>(network: &mut N, bytes: Vec<u8>, origin: &Path) -> Result<(), ModelError> {
    let mismatch = |reason| ModelError::Mismatch { path: origin.into(), reason };
    Contents::of_bytes(bytes, origin)?.tensors.fill(network).map_err(mismatch)
}
