//! PyTorch's own files: `torch.load(path, weights_only=True)` gives the metadata and a `state_dict`.
//!
//! Nothing in such a file is ever executed. The file is a dictionary of tensors, or a dictionary of strings with the
//! tensors under the key `state_dict`.

use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Write};
use std::path::Path;

use ipcgan_system::without_line_breaks;
use pytorch_reader::{DType, PickleValue, PytorchReader, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Key of the tensors in a file that also has metadata.
const TENSORS: &str = "state_dict";
/// Name of the folder in the archive; PyTorch accepts any.
const FOLDER: &str = "ipcgan";
/// Alignment of tensor data in the file, in bytes, so that PyTorch can memory-map it.
const ALIGNMENT: u16 = 64;

/// Maximum ratio of the size of all tensors to that of the file, which stores them uncompressed: a tensor may repeat
/// values of its storage, so a small file may state tensors that fit into no memory.
const MAX_EXPANSION: u64 = 4;

/// The strings of the file `path` of `file_bytes` (its metadata), and its tensors as a safetensors file.
pub(super) fn decoded(path: &Path, file_bytes: u64) -> Result<(BTreeMap<String, String>, Vec<u8>), String> {
    let PickleValue::Dict(entries) =
        PytorchReader::read_pickle_data(path, None).map_err(|error| without_line_breaks(&error))?
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
    let tensors = reader.map_err(|error| without_line_breaks(&error))?.into_tensors();
    check_expansion(tensors.values().map(Tensor::byte_len), file_bytes)?;
    Ok((metadata, as_safetensors(tensors)?))
}

fn check_expansion(tensors: impl Iterator<Item = usize>, file_bytes: u64) -> Result<(), String> {
    let bytes = tensors.fold(0_u64, |sum, bytes| sum.saturating_add(bytes as u64));
    match bytes > MAX_EXPANSION.saturating_mul(file_bytes) {
        true => Err(format!("its tensors state {bytes} bytes, but the file has {file_bytes}")),
        false => Ok(()),
    }
}

fn as_safetensors(tensors: HashMap<String, Tensor>) -> Result<Vec<u8>, String> {
    let mut read = Vec::new();
    for (name, tensor) in tensors {
        let bytes = tensor.read().map_err(|error| without_line_breaks(&error))?;
        read.push((name, safetensors_dtype(tensor.dtype()), tensor.shape().to_vec(), bytes));
    }
    let views = read.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).map_err(|error| without_line_breaks(&error))?;
        Ok((name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>, String>>()?;
    safetensors::serialize(views, None).map_err(|error| without_line_breaks(&error))
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
        let is_large = u32::try_from(bytes.len()).is_err();
        archive.start_file(format!("{FOLDER}/{name}"), options.large_file(is_large))?;
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

    /// A text; metadata and names come from the header of a safetensors file, which has at most 100 MB.
    fn text(&mut self, text: &str) {
        self.0.push(b'X');
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.as_bytes());
    }

    fn integer(&mut self, value: usize) {
        match i32::try_from(value) {
            Ok(value) => {
                self.0.push(b'J');
                self.0.extend(value.to_le_bytes());
            }
            Err(_) => {
                // A signed number of eight bytes; no size of memory has the sign bit.
                self.0.extend(b"\x8a\x08");
                self.0.extend((value as u64).to_le_bytes());
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_of_any_size_is_pickled() {
        let pickled = |value: usize| {
            let mut pickle = Pickle(Vec::new());
            pickle.integer(value);
            pickle.0
        };

        assert_eq!(pickled(7), b"J\x07\0\0\0");
        assert_eq!(pickled(1 << 31), b"\x8a\x08\0\0\0\x80\0\0\0\0");
    }

    #[test]
    fn tensors_that_are_far_larger_than_their_file_are_refused() {
        assert_eq!(check_expansion([3000, 900].into_iter(), 1000), Ok(()));
        let error = check_expansion([3000, 2000].into_iter(), 1000).unwrap_err();
        assert_eq!(error, "its tensors state 5000 bytes, but the file has 1000");
        assert!(check_expansion([usize::MAX, usize::MAX].into_iter(), 1000).is_err());
    }
}
