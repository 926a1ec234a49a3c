//! Devices by name.

use std::fmt;
use std::str::FromStr;

use super::kind::{Access, DeviceKind};

/// A device by name: `auto`, `cpu`, `cuda:1`, `wgpu`, `vulkan:i0`, `remote:ws://host:port`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The fastest kind that works: a GPU if there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU, with Burn's `flex` backend.
    Cpu,
    /// The CPU, with Burn's older `ndarray` backend, for comparison.
    NdArray,
    /// An NVIDIA GPU with CUDA, by number.
    Cuda(usize),
    /// An AMD GPU with ROCm, by number.
    Rocm(usize),
    /// A GPU with the graphics API that wgpu selects.
    Wgpu(Gpu),
    /// A GPU with Vulkan and its SPIR-V compiler.
    Vulkan(Gpu),
    /// A GPU with Metal.
    Metal(Gpu),
    /// A device that another machine serves, by its address.
    Remote(String),
}

/// Selects one of several GPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gpu {
    /// The default of the driver.
    Default,
    /// A discrete GPU, by number.
    Discrete(usize),
    /// A GPU that shares the CPU's memory, by number.
    Integrated(usize),
    /// A software renderer on the CPU.
    Software,
}

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// Unknown device name.
    #[error("unknown device `{0}`; valid are {names}, and GPUs by number such as cuda:1", names = DeviceKind::names())]
    Unknown(String),
    /// What follows the colon of a device name, or its absence, is invalid.
    #[error("device `{given}`: {kind} {expected}")]
    InvalidSelector {
        /// The device as it was given.
        given: String,
        /// The name of its kind.
        kind: &'static str,
        /// What is valid.
        expected: &'static str,
    },
    /// The feature of the device was not enabled at build time.
    #[error("this program was built without the feature `{0}`")]
    NotCompiled(&'static str),
    /// The device or its driver is missing, or computes wrong results.
    #[error("device {device} does not work here: {reason}")]
    Unusable {
        /// The requested device.
        device: DeviceChoice,
        /// What went wrong.
        reason: String,
    },
    /// The device fails in its self-test, or computes wrong results.
    #[error("the self-test failed: {0}")]
    SelfTest(String),
    /// The device cannot be served to other machines.
    #[error("the device cannot be served: {0}")]
    NotServed(String),
}

/// What selects a device among those of its kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum Selector<'a> {
    /// Its kind alone.
    Nothing,
    Number(usize),
    Gpu(Gpu),
    Address(&'a str),
}

impl DeviceChoice {
    /// What follows its kind.
    pub(super) fn selector(&self) -> Selector<'_> {
        match self {
            Self::Auto | Self::Cpu | Self::NdArray => Selector::Nothing,
            Self::Cuda(index) | Self::Rocm(index) => Selector::Number(*index),
            Self::Wgpu(gpu) | Self::Vulkan(gpu) | Self::Metal(gpu) => Selector::Gpu(*gpu),
            Self::Remote(address) => Selector::Address(address),
        }
    }
}

impl fmt::Display for Gpu {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => Ok(()),
            Self::Discrete(index) => write!(formatter, ":{index}"),
            Self::Integrated(index) => write!(formatter, ":i{index}"),
            Self::Software => write!(formatter, ":software"),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.kind().name)?;
        match self.selector() {
            Selector::Nothing | Selector::Number(0) => Ok(()),
            Selector::Number(index) => write!(formatter, ":{index}"),
            Selector::Gpu(gpu) => gpu.fmt(formatter),
            Selector::Address(address) => write!(formatter, ":{address}"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        const NUMBERED: &str = "takes a number, as in `:1`";
        const GPU: &str = "takes the number of a discrete GPU (`:1`) or of an integrated one (`:i0`), or `:software`";
        let unknown = || DeviceError::Unknown(name.into());
        let (kind, given) = match name.trim().split_once(':') {
            Some((kind, which)) => (kind, Some(which)),
            None => (name.trim(), None),
        };
        // Device names are case-insensitive; remote addresses may not be.
        let kind =
            DeviceKind::ALL.into_iter().find(|known| known.name.eq_ignore_ascii_case(kind)).ok_or_else(unknown)?;
        let lower = given.map(str::to_ascii_lowercase);
        let which = lower.as_deref();
        let invalid =
            |expected: &'static str| DeviceError::InvalidSelector { given: name.into(), kind: kind.name, expected };
        let number = |text: &str, expected| text.parse::<usize>().map_err(|_| invalid(expected));
        let index = || which.map_or(Ok(0), |text| number(text, NUMBERED));
        let gpu = || match which {
            None => Ok(Gpu::Default),
            Some("software") => Ok(Gpu::Software),
            Some(text) => match text.strip_prefix('i') {
                Some(text) => number(text, GPU).map(Gpu::Integrated),
                None => number(text, GPU).map(Gpu::Discrete),
            },
        };
        match (&kind.access, which) {
            (Access::Numbered { choice, .. }, _) => index().map(choice),
            (Access::Graphics { choice, .. }, _) => gpu().map(choice),
            (Access::Remote { choice, .. }, _) => given
                .filter(|address| !address.is_empty())
                .map(|address| choice(address.into()))
                .ok_or_else(|| invalid("needs the address of a worker, as remote:ws://HOST:PORT")),
            (Access::Auto | Access::Single { .. }, None) => Ok(kind.first()),
            (Access::Auto | Access::Single { .. }, Some(_)) => Err(invalid("takes nothing after its name")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_name_is_parsed_and_formatted() {
        for name in ["auto", "cpu", "cuda", "cuda:1", "wgpu:i0", "vulkan:software", "metal:2"] {
            let choice: DeviceChoice = name.parse().unwrap();

            assert_eq!(choice.to_string(), name);
        }
    }

    #[test]
    fn a_name_is_case_insensitive_and_trimmed() {
        for (name, device) in
            [("CPU", "cpu"), (" Cuda:1", "cuda:1"), ("WGPU:I0 ", "wgpu:i0"), ("Vulkan:Software", "vulkan:software")]
        {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), device);
        }
        let remote: DeviceChoice = "Remote:ws://Host:7171".parse().unwrap();
        assert_eq!(remote, DeviceChoice::Remote("ws://Host:7171".into()));
    }

    #[test]
    fn a_device_that_does_not_exist_is_rejected() {
        for name in ["gpu", "cpu:1", "cuda:x", "wgpu:", "remote", ""] {
            assert!(name.parse::<DeviceChoice>().is_err(), "{name}");
        }
    }

    #[test]
    fn an_invalid_selector_is_an_error_that_says_what_is_valid() {
        let error = |name: &str| name.parse::<DeviceChoice>().unwrap_err().to_string();

        assert_eq!(error("cpu:1"), "device `cpu:1`: cpu takes nothing after its name");
        assert_eq!(error("remote"), "device `remote`: remote needs the address of a worker, as remote:ws://HOST:PORT");
        assert_eq!(error("cuda:x"), "device `cuda:x`: cuda takes a number, as in `:1`");
        assert!(error("wgpu:fast").contains(":i0"));
    }
}
