//! Generators in files and runs, and their tensors.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ipcgan::Device;
use ipcgan::model::Generator;
use ipcgan::model::weights::{FloatWidth, Weights, WeightsFile};
use ipcgan::train::{GeneratorSource, LineSink};
use pyo3::types::PyByteArray;
use pyo3::{Bound, PyResult, Python, pyfunction};
use safetensors::tensor::TensorView;
use safetensors::{SafeTensorError, SafeTensors};

use crate::error::{Failure, computed};

/// A generator, located and loaded as in the command.
pub(crate) struct FoundGenerator {
    pub(crate) weights: Weights<Generator>,
    pub(crate) source: GeneratorSource,
    /// The metadata of its file; a checkpoint has none of its own.
    pub(crate) metadata: Option<BTreeMap<String, String>>,
    /// Notices, such as the selected checkpoint, or that loading takes long.
    pub(crate) notices: Vec<String>,
}

impl FoundGenerator {
    /// The generator in the weights file, run folder or checkpoint `path`.
    pub(crate) fn at(path: &Path, device: &Device) -> Result<Self, Failure> {
        // A missing file must raise Python's own error.
        fs::metadata(path).map_err(Failure::access(path))?;
        let notices = Arc::new(Mutex::new(Vec::new()));
        let collected = notices.clone();
        let sink: LineSink =
            Arc::new(move |line| collected.lock().unwrap_or_else(PoisonError::into_inner).push(line.into()));
        let source = GeneratorSource::find(path, &sink)?;
        let (weights, metadata) = match &source {
            GeneratorSource::File(path) => {
                let file = WeightsFile::read(path)?;
                let metadata = file.metadata().clone();
                (file.load(device)?, Some(metadata))
            }
            GeneratorSource::Checkpoint(_) => (source.load(device, &sink)?, None),
        };
        let notices = std::mem::take(&mut *notices.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Self { weights, source, metadata, notices })
    }
}

/// Name, shape and little-endian 32-bit numbers of a tensor.
type NamedTensor<'py> = (String, Vec<usize>, Bound<'py, PyByteArray>);

/// Metadata, the configuration as JSON, names of the age groups, tensors, and notices.
type LoadedGenerator<'py> = (BTreeMap<String, String>, String, Vec<String>, Vec<NamedTensor<'py>>, Vec<String>);

/// Reads the generator in a weights file, run folder or checkpoint.
#[pyfunction]
pub(crate) fn load_generator<'py>(py: Python<'py>, path: PathBuf) -> PyResult<LoadedGenerator<'py>> {
    let (file, generator) = computed(py, || {
        let generator = FoundGenerator::at(&path, &Device::flex())?;
        let file = generator.weights.safetensors(FloatWidth::Float32);
        Ok((file.map_err(|error| Failure::Other(error.to_string()))?, generator))
    })?;
    let invalid = |error: SafeTensorError| Failure::Other(error.to_string());
    let tensors = SafeTensors::deserialize(&file).map_err(invalid)?;
    let (_, header) = SafeTensors::read_metadata(&file).map_err(invalid)?;
    let complete: BTreeMap<_, _> = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let config = complete.get("config").cloned().unwrap_or_default();
    let metadata = generator.metadata.unwrap_or(complete);
    let named =
        |(name, view): (String, TensorView<'_>)| (name, view.shape().to_vec(), PyByteArray::new(py, view.data()));
    let named = tensors.tensors().into_iter().map(named).collect();
    Ok((metadata, config, generator.weights.age_groups.names(), named, generator.notices))
}
