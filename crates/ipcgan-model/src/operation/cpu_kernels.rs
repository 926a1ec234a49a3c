//! Selection of the CPU kernels.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

use ipcgan_kernels::ConvAlgorithm;

use crate::ModelError;

/// Kernels for the CPU, selected for the whole process.
///
/// The choice is for diagnosis and benchmarks: results agree to rounding. Unlike [`Precision`](crate::Precision) it is
/// not a value of a network, because losses, optimizers and detectors compute on the kernels as well, and a device of
/// Burn cannot carry it. The command selects once, before the first operation; nothing else in the library does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum CpuKernels {
    /// The project's kernels, with Winograd's algorithm where it is faster.
    #[default]
    Fast,
    /// The project's kernels, direct convolution only.
    Direct,
    /// Burn's, to compare and to find where a difference comes from.
    Burn,
}

static SELECTED: AtomicU8 = AtomicU8::new(CpuKernels::Fast as u8);

impl CpuKernels {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Direct, Self::Burn];

    /// Selects these kernels for all later operations of the process; call it before the first one.
    pub fn select(self) {
        SELECTED.store(self as u8, Ordering::Relaxed);
    }

    /// The current selection.
    pub fn selected() -> Self {
        Self::ALL[usize::from(SELECTED.load(Ordering::Relaxed))]
    }

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Direct => "direct",
            Self::Burn => "burn",
        }
    }

    pub(super) fn algorithm(self) -> Option<ConvAlgorithm> {
        match self {
            Self::Fast => Some(ConvAlgorithm::Winograd),
            Self::Direct => Some(ConvAlgorithm::Direct),
            Self::Burn => None,
        }
    }
}

impl fmt::Display for CpuKernels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for CpuKernels {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, ModelError> {
        let found = Self::ALL.into_iter().find(|kernels| kernels.name().eq_ignore_ascii_case(name.trim()));
        found.ok_or_else(|| ModelError::UnknownKernels(name.into()))
    }
}
