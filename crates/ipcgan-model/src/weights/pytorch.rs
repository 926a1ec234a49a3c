//! PyTorch's own files: `torch.load(path, weights_only=True)` gives the metadata and a `state_dict`.
//!
//! Nothing in such a file is ever executed. The file is a dictionary of tensors, or a dictionary of strings with the
//! tensors under the key `state_dict`.

use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Write};
use std::path::Path;

use pytorch_reader::{DType, PickleValue, PytorchReader, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::tensors::one_line;

/// Key of the tensors in a file that also has metadata.
const TENSORS: &str = "state_dict";
/// Name of the folder in the archive; PyTorch accepts any.
const FOLDER: &str = "ipcgan";
/// Alignment of tensor data in the file, in bytes, so that PyTorch can memory-map it.
const ALIGNMENT: u16 = 64;

/// The strings of the file `path` (its metadata), and its tensors as a safetensors file.
pub(super) fn decoded(path: &Path) -> Result<(BTreeMap<String, String>, Vec<u8>), String> {
    let PickleValue::Dict(entries) = PytorchReader::read_pickle_data(path, None).map_err(|error| one_line(&error))?
    else {
        return Err("it holds no dictionary of tensors".into());
    };
    let key = entries.contains_key(TENSORS).then_some(TENSORS);
    let text = |(key, value)| match value {
        PickleValue::String(value) => Some((key, value)),
        _ => None,
    };
    let metadata = entries.into_iter().filter_map(text).collect();
    let reader = match key {
        Some(key) => PytorchReader::with_top_level_key(path, key),
        None => PytorchReader::new(path),
    };
    let tensors = reader.map_err(|error| one_line(&error))?.into_tensors();
    Ok((metadata, as_safetensors(tensors)?))
}

fn as_safetensors(tensors: HashMap<String, Tensor>) -> Result<Vec<u8>, String> {
    let mut read = Vec::new();
    for (name, tensor) in tensors {
        let bytes = tensor.read().map_err(|error| one_line(&error))?;
        read.push((name, safetensors_dtype(tensor.dtype()), tensor.shape().to_vec(), bytes));
    }
    let views = read.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).map_err(|error| one_line(&error))?;
        Ok((name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>, String>>()?;
    safetensors::serialize(views, None).map_err(|error| one_line(&error))
}

fn safetensors_dtype(dtype: DType) -> Dtype {
    match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I64 => Dtype::I64,
        DType::I32 => Dtype::I32,
        DType::I16 => Dtype::I16,
        DType::I8 => Dtype::I8,
        DType::U64 => Dtype::U64,
        DType::U32 => Dtype::U32,
        DType::U16 => Dtype::U16,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
    }
}

/// The float16 or float32 safetensors file `safetensors` as `torch.save` would write it.
pub(super) fn encoded(safetensors: &[u8]) -> std::io::Result<Vec<u8>> {
    let (_, header) = SafeTensors::read_metadata(safetensors).map_err(std::io::Error::other)?;
    let metadata: BTreeMap<_, _> = header.metadata().iter().flatten().collect();
    let tensors = SafeTensors::deserialize(safetensors).map_err(std::io::Error::other)?;
    let mut tensors = tensors.tensors();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));

    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).with_alignment(ALIGNMENT);
    let mut file = |name: &str, bytes: &[u8]| {
        archive.start_file(format!("{FOLDER}/{name}"), options)?;
        archive.write_all(bytes)
    };
    let mut pickle = Pickle::new();
    pickle.dictionary(|pickle| {
        for (key, value) in metadata {
            pickle.text(key);
            pickle.text(value);
        }
        pickle.text(TENSORS);
        pickle.dictionary(|pickle| {
            for (key, (name, tensor)) in tensors.iter().enumerate() {
                pickle.text(name);
                pickle.tensor(key, tensor);
            }
        });
    });
    file("data.pkl", &pickle.finished())?;
    file("byteorder", b"little")?;
    for (key, (_, tensor)) in tensors.iter().enumerate() {
        file(&format!("data/{key}"), tensor.data())?;
    }
    file("version", b"3\n")?;
    Ok(archive.finish()?.into_inner())
}

/// Writes a pickle of protocol 2, with the few opcodes that tensors need.
struct Pickle(Vec<u8>);

impl Pickle {
    fn new() -> Self {
        Self(b"\x80\x02".to_vec())
    }

    fn finished(mut self) -> Vec<u8> {
        self.0.push(b'.');
        self.0
    }

    fn text(&mut self, text: &str) {
        self.0.push(b'X');
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.as_bytes());
    }

    fn integer(&mut self, value: usize) {
        let value = i32::try_from(value).expect("no network has tensors so large");
        self.0.push(b'J');
        self.0.extend(value.to_le_bytes());
    }

    fn name(&mut self, module: &str, name: &str) {
        self.0.extend(format!("c{module}\n{name}\n").as_bytes());
    }

    fn tuple(&mut self, members: impl FnOnce(&mut Self)) {
        self.0.push(b'(');
        members(self);
        self.0.push(b't');
    }

    fn dictionary(&mut self, entries: impl FnOnce(&mut Self)) {
        self.0.extend(b"}(");
        entries(self);
        self.0.push(b'u');
    }

    /// A tensor whose values are in the file `data/{key}`.
    fn tensor(&mut self, key: usize, tensor: &TensorView) {
        let storage = match tensor.dtype() {
            Dtype::F16 => "HalfStorage",
            _ => "FloatStorage",
        };
        let shape = tensor.shape();
        self.name("torch._utils", "_rebuild_tensor_v2");
        self.tuple(|pickle| {
            pickle.tuple(|pickle| {
                pickle.text("storage");
                pickle.name("torch", storage);
                pickle.text(&key.to_string());
                pickle.text("cpu");
                pickle.integer(shape.iter().product());
            });
            pickle.0.push(b'Q'); // the storage of a persistent id
            pickle.integer(0); // offset in the storage
            pickle.tuple(|pickle| shape.iter().for_each(|&size| pickle.integer(size)));
            pickle.tuple(|pickle| (1..=shape.len()).for_each(|axis| pickle.integer(shape[axis..].iter().product())));
            pickle.0.push(b'\x89'); // no gradient
            pickle.name("collections", "OrderedDict"); // no hooks
            pickle.0.extend(b")R");
        });
        self.0.push(b'R');
    }
}
