//! File formats of weights.

use std::fmt;
use std::path::Path;

use burn::store::burn_pack::MAGIC_NUMBER;

/// A file format of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightsFormat {
    /// Safetensors, which every framework reads.
    Safetensors,
    /// What `torch.save` writes: metadata and a `state_dict`, pickled.
    Pytorch,
    /// Burn's records, with Burn's names and layout.
    Burnpack,
}

impl WeightsFormat {
    /// The format of a file name: `.pth` and `.pt`, `.bpk`, and safetensors for everything else.
    pub fn from_path(path: &Path) -> Self {
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        match ending.to_str() {
            Some("pth" | "pt") => Self::Pytorch,
            Some("bpk") => Self::Burnpack,
            _ => Self::Safetensors,
        }
    }

    /// The format of a file's contents, whatever its name.
    pub(super) fn detect(bytes: &[u8]) -> Self {
        /// A ZIP archive, as PyTorch writes since 1.6.
        const ZIP: &[u8] = b"PK\x03\x04";
        /// The first instruction of a pickle, as PyTorch wrote before.
        const PICKLE: &[u8] = b"\x80\x02";

        // Safetensors begin with a length, which may look like anything, and JSON.
        if bytes.get(8) == Some(&b'{') {
            Self::Safetensors
        } else if bytes.starts_with(&MAGIC_NUMBER.to_le_bytes()) {
            Self::Burnpack
        } else if bytes.starts_with(ZIP) || bytes.starts_with(PICKLE) {
            Self::Pytorch
        } else {
            Self::Safetensors
        }
    }
}

impl fmt::Display for WeightsFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::Pytorch => "PyTorch",
            Self::Burnpack => "burnpack",
        })
    }
}
