//! Contents of a weights file before they are loaded into a network.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;

use burn::module::Module;
use burn::store::burn_pack::{Bytes, Reader, Tensor as PackTensor};
use burn::store::{
    BurnToPyTorchAdapter, BurnpackStore, FloatCastAdapter, ModuleAdapter, ModuleSnapshot, ModuleStore,
    PyTorchToBurnAdapter, SafetensorsStore,
};
use burn::tensor::DType;
use ipcgan_system::{catch_panic, without_line_breaks};
use safetensors::SafeTensors;

use super::format::WeightsFormat;
use super::pytorch;
use super::tensors::{check_names, check_values};
use crate::ModelError;

/// Number of first bytes that show the format.
const HEAD_BYTES: u64 = 16;
/// Maximum number of bytes that are read from a pipe or a device, some of which never end.
const MAX_STREAMED: u64 = 4 << 30;

/// Metadata and tensors of a weights file.
pub(super) struct Contents {
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) tensors: Tensors,
}

/// The tensors of a weights file by name.
pub(super) enum Tensors {
    /// With PyTorch's names and layout: the bytes of a safetensors file.
    PytorchLayout(Vec<u8>),
    /// With Burn's names and layout: the bytes of a burnpack file.
    BurnLayout(Bytes),
}

impl Contents {
    pub(super) fn read(path: &Path) -> Result<Self, ModelError> {
        let access = |source| ModelError::Access { path: path.into(), source };
        let mut file = File::open(path).map_err(access)?;
        let kind = file.metadata().map_err(access)?;
        let mut bytes = Vec::new();
        file.by_ref().take(HEAD_BYTES).read_to_end(&mut bytes).map_err(access)?;
        let format = WeightsFormat::detect(&bytes);
        if format == WeightsFormat::Pytorch {
            return Self::of_pytorch(path, &kind).map_err(damaged(format, path));
        }
        let limit = if kind.is_file() { u64::MAX } else { MAX_STREAMED };
        file.take(limit).read_to_end(&mut bytes).map_err(access)?;
        if bytes.len() as u64 > limit {
            let reason = format!("it does not end after {} GB; save it as a regular file", MAX_STREAMED >> 30);
            return Err(damaged(format, path)(reason));
        }
        Self::of_bytes(bytes, path)
    }

    /// From the PyTorch file `path` of `kind`. Its reader opens it by its path, and reads the tensors where they are.
    fn of_pytorch(path: &Path, kind: &Metadata) -> Result<Self, String> {
        if !kind.is_file() {
            return Err("files of this format cannot be read from a pipe; save it as a regular file".into());
        }
        let (metadata, bytes) = catch_reader_panic(|| pytorch::decoded(path, kind.len()))?;
        Ok(Self { metadata, tensors: Tensors::PytorchLayout(bytes) })
    }

    pub(super) fn of_bytes(bytes: Vec<u8>, origin: &Path) -> Result<Self, ModelError> {
        let format = WeightsFormat::detect(&bytes);
        let contents = catch_reader_panic(|| match format {
            WeightsFormat::Safetensors => Self::of_safetensors(bytes),
            WeightsFormat::Burnpack => Self::of_burnpack(bytes),
            WeightsFormat::Pytorch => {
                Err("files of this format can be read by their path only; use a safetensors file".into())
            }
        });
        contents.map_err(damaged(format, origin))
    }

    fn of_safetensors(bytes: Vec<u8>) -> Result<Self, String> {
        // Checks that the tensors fill the file, so a truncated one is found here.
        SafeTensors::deserialize(&bytes).map_err(|error| without_line_breaks(&error))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| without_line_breaks(&error))?;
        let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
        Ok(Self { metadata, tensors: Tensors::PytorchLayout(bytes) })
    }

    fn of_burnpack(bytes: Vec<u8>) -> Result<Self, String> {
        let bytes = Bytes::from_bytes_vec(bytes);
        let reader = Reader::from_bytes(bytes.clone()).map_err(|error| without_line_breaks(&error))?;
        Ok(Self { metadata: reader.metadata().clone(), tensors: Tensors::BurnLayout(bytes) })
    }
}

impl Tensors {
    /// Size of the file in bytes.
    pub(super) fn byte_len(&self) -> u64 {
        match self {
            Self::PytorchLayout(bytes) => bytes.len() as u64,
            Self::BurnLayout(bytes) => bytes.len() as u64,
        }
    }

    /// Replaces the parameters of `network` by the tensors, whose names and shapes must be those of the network and
    /// whose values must be finite.
    pub(super) fn fill<N: Module>(self, network: &mut N) -> Result<(), String> {
        let float32 = FloatCastAdapter::to(DType::F32);
        match self {
            Self::PytorchLayout(bytes) => {
                let expected = network.collect(None, Some(Box::new(BurnToPyTorchAdapter)), false);
                let adapter = PyTorchToBurnAdapter.chain(float32);
                fill(SafetensorsStore::from_bytes(Some(bytes)).with_from_adapter(adapter), &expected, network)
            }
            Self::BurnLayout(bytes) => {
                let expected = network.collect(None, None, false);
                fill(BurnpackStore::from_bytes(Some(bytes)).with_from_adapter(float32), &expected, network)
            }
        }
    }
}

fn fill<N: Module>(mut store: impl ModuleStore, expected: &[PackTensor], network: &mut N) -> Result<(), String> {
    catch_reader_panic(|| {
        check_names(expected, store.get_all_tensors().map_err(|error| without_line_breaks(&error))?.values())
    })?;
    network.load_from(&mut store).map_err(|error| without_line_breaks(&error))?;
    check_values(network)
}

/// Replaces the parameters of `network` by the tensors of the burnpack file `path` whose names begin with `part` and a
/// dot; the same conditions as for [`Tensors::fill`] hold.
pub(super) fn fill_from_record<N: Module>(path: &Path, part: &str, network: &mut N) -> Result<(), String> {
    let tensors = catch_reader_panic(|| {
        let reader = Reader::from_file_exact(path).map_err(|error| without_line_breaks(&error))?;
        reader.into_tensors().map_err(|error| without_line_breaks(&error))
    })?;
    let prefix = format!("{part}.");
    let of_part = |mut tensor: PackTensor| {
        tensor.name = tensor.name.strip_prefix(&prefix)?.into();
        Some(tensor)
    };
    let tensors: Vec<_> = tensors.into_iter().filter_map(of_part).collect();
    check_names(&network.collect(None, None, false), tensors.iter())?;
    let applied = network.apply(tensors, None, Some(Box::new(FloatCastAdapter::to(DType::F32))), false);
    match applied.errors.first() {
        Some(error) => Err(without_line_breaks(error)),
        None => check_values(network),
    }
}

/// The result of `read`, a reader of another library; a panic on a damaged file becomes an error.
fn catch_reader_panic<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_panic(read).unwrap_or_else(Err)
}

fn damaged(format: WeightsFormat, path: &Path) -> impl FnOnce(String) -> ModelError {
    move |reason| ModelError::Damaged { path: path.into(), format, reason }
}
