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
use pyo3::{Bound, PyResult, Python, pyclass, pyfunction, pymethods};
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

/// A generator that was read from a weights file, run folder or checkpoint.
#[pyclass(frozen, module = "ipcgan._native")]
pub(crate) struct LoadedGenerator {
    metadata: BTreeMap<String, String>,
    config: String,
    age_groups: Vec<String>,
    notices: Vec<String>,
    /// The weights as a safetensors file of 32-bit numbers.
    file: Vec<u8>,
}

#[pymethods]
impl LoadedGenerator {
    /// Metadata of its file; of a checkpoint, those that its weights file would have.
    #[getter]
    fn metadata(&self) -> BTreeMap<String, String> {
        self.metadata.clone()
    }

    /// Configuration of the network as JSON.
    #[getter]
    fn config(&self) -> &str {
        &self.config
    }

    /// Names of the age groups, youngest first.
    #[getter]
    fn age_groups(&self) -> Vec<String> {
        self.age_groups.clone()
    }

    /// Notices of loading the weights, such as the selected checkpoint.
    #[getter]
    fn notices(&self) -> Vec<String> {
        self.notices.clone()
    }

    /// All tensors.
    fn tensors<'py>(&self, py: Python<'py>) -> PyResult<Vec<NamedTensor<'py>>> {
        let tensors = SafeTensors::deserialize(&self.file).map_err(invalid)?;
        let named =
            |(name, view): (String, TensorView<'_>)| (name, view.shape().to_vec(), PyByteArray::new(py, view.data()));
        Ok(tensors.tensors().into_iter().map(named).collect())
    }
}

/// Reads the generator in a weights file, run folder or checkpoint.
#[pyfunction]
pub(crate) fn load_generator(py: Python<'_>, path: PathBuf) -> PyResult<LoadedGenerator> {
    computed(py, || {
        let FoundGenerator { weights, metadata, notices, .. } = FoundGenerator::at(&path, &Device::flex())?;
        let file = weights.safetensors(FloatWidth::Float32).map_err(|error| Failure::Other(error.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(&file).map_err(invalid)?;
        let complete = || header.metadata().clone().unwrap_or_default().into_iter().collect();
        Ok(LoadedGenerator {
            metadata: metadata.unwrap_or_else(complete),
            config: weights.config.to_string(),
            age_groups: weights.age_groups.names(),
            notices,
            file,
        })
    })
}

fn invalid(error: SafeTensorError) -> Failure {
    Failure::Other(error.to_string())
}
