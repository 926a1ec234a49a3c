//! A weights file that was read and is in no network yet.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::module::Module;
use burn::store::burn_pack::{Bytes, Reader};
use burn::store::{
    BurnpackStore, FloatCastAdapter, ModuleAdapter, ModuleSnapshot, PyTorchToBurnAdapter, SafetensorsStore,
};
use burn::tensor::DType;
use safetensors::SafeTensors;

use super::{Form, one_line, pytorch};
use crate::ModelError;

/// What is in a weights file.
pub(super) struct Contents {
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) tensors: Tensors,
}

/// The tensors of a weights file by name.
pub(super) enum Tensors {
    /// In PyTorch's names and layout: the bytes of a safetensors file.
    Pytorchs(Vec<u8>),
    /// In Burn's: the bytes of a burnpack file.
    Burns(Bytes),
}

impl Contents {
    pub(super) fn read(path: &Path) -> Result<Self, ModelError> {
        let bytes = fs::read(path).map_err(|source| ModelError::Access { path: path.into(), source })?;
        match Form::of_bytes(&bytes) {
            // Its reader takes files alone.
            Form::Pytorch => {
                let (metadata, bytes) = pytorch::decoded(path).map_err(damaged(Form::Pytorch, path))?;
                Ok(Self { metadata, tensors: Tensors::Pytorchs(bytes) })
            }
            Form::Safetensors | Form::Burnpack => Self::of_bytes(bytes, path),
        }
    }

    pub(super) fn of_bytes(bytes: Vec<u8>, origin: &Path) -> Result<Self, ModelError> {
        let form = Form::of_bytes(&bytes);
        let contents = match form {
            Form::Burnpack => Self::of_burnpack(bytes),
            _ => Self::of_safetensors(bytes),
        };
        contents.map_err(damaged(form, origin))
    }

    fn of_safetensors(bytes: Vec<u8>) -> Result<Self, String> {
        // Checks that the tensors fill the file, so a truncated one is found here.
        SafeTensors::deserialize(&bytes).map_err(|error| one_line(&error))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| one_line(&error))?;
        let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
        Ok(Self { metadata, tensors: Tensors::Pytorchs(bytes) })
    }

    fn of_burnpack(bytes: Vec<u8>) -> Result<Self, String> {
        let bytes = Bytes::from_bytes_vec(bytes);
        let reader = Reader::from_bytes(bytes.clone()).map_err(|error| one_line(&error))?;
        Ok(Self { metadata: reader.metadata().clone(), tensors: Tensors::Burns(bytes) })
    }
}

impl Tensors {
    /// Puts them in place of the parameters of `network`.
    pub(super) fn fill<N: Module>(self, network: &mut N) -> Result<(), String> {
        let float32 = FloatCastAdapter::to(DType::F32);
        let filled = match self {
            Self::Pytorchs(bytes) => {
                let adapter = PyTorchToBurnAdapter.chain(float32);
                let mut store = SafetensorsStore::from_bytes(Some(bytes)).with_from_adapter(adapter);
                network.load_from(&mut store).map_err(|error| one_line(&error))
            }
            Self::Burns(bytes) => {
                let mut store = BurnpackStore::from_bytes(Some(bytes)).with_from_adapter(float32);
                network.load_from(&mut store).map_err(|error| one_line(&error))
            }
        };
        filled.map(drop)
    }
}

fn damaged(form: Form, path: &Path) -> impl FnOnce(String) -> ModelError {
    move |reason| ModelError::Damaged { path: path.into(), form, reason }
}
