//! The table of device kinds: how each is named, selected, opened and enumerated.

use std::mem::discriminant;

use burn::tensor::Device;
#[cfg(any(feature = "cuda", feature = "rocm", feature = "wgpu"))]
use burn::tensor::DeviceType;
#[cfg(feature = "wgpu")]
use burn::tensor::wgpu::WgpuBackend;
#[cfg(any(feature = "cuda", feature = "rocm"))]
use ipcgan_system::catch_device_panic;

use super::check;
use super::choice::{DeviceChoice, DeviceError, Gpu, Selector};
use super::driver::Driver;
#[cfg(feature = "remote")]
use super::driver::connect;
#[cfg(any(feature = "cuda", feature = "rocm"))]
use super::driver::numbered;
#[cfg(feature = "wgpu")]
use super::driver::{gpus, open_gpu};

/// A kind of device: a row of the table that names, parsing, errors, help, documentation, opening and enumeration are
/// derived from.
#[derive(Debug)]
pub struct DeviceKind {
    /// Its name, with which the text of a [`DeviceChoice`] starts.
    pub name: &'static str,
    /// What computes.
    pub meaning: &'static str,
    /// The Cargo feature that enables it; `None` if every build has it.
    pub feature: Option<&'static str>,
    pub(super) access: Access,
}

/// Opens the device at an address, or says why not.
type OpenAddress = fn(&str) -> Result<Device, String>;

/// How the devices of a kind are selected, opened and enumerated. What opens them is `None` without their feature.
#[derive(Debug)]
pub(super) enum Access {
    /// The fastest device of the other kinds.
    Auto,
    /// One device, which needs no driver.
    Single { choice: DeviceChoice, open: Option<fn() -> Device> },
    /// GPUs that their driver numbers: `cuda:1`.
    Numbered { choice: fn(usize) -> DeviceChoice, driver: Option<Driver<usize>> },
    /// GPUs of a graphics API: `wgpu:i0`.
    Graphics { choice: fn(Gpu) -> DeviceChoice, driver: Option<Driver<Gpu>> },
    /// Devices of other machines, by address.
    Remote { choice: fn(String) -> DeviceChoice, open: Option<OpenAddress> },
}

/// `Some` of a value that exists only with a feature of this build, else `None`.
macro_rules! if_enabled {
    ($feature:tt, $value:expr) => {{
        #[cfg(feature = $feature)]
        {
            Some($value)
        }
        #[cfg(not(feature = $feature))]
        {
            None
        }
    }};
}

impl DeviceKind {
    /// All kinds: `auto`, then local ones, fastest first, and `remote`.
    #[cfg_attr(feature = "ndarray", allow(deprecated, reason = "the backend stays, for comparison with the others"))]
    pub const ALL: [Self; 9] = [
        Self {
            name: "auto",
            meaning: "the fastest of the kinds below that works: a GPU, else the CPU",
            feature: None,
            access: Access::Auto,
        },
        Self {
            name: "cuda",
            meaning: "an NVIDIA GPU, with CUDA",
            feature: Some("cuda"),
            access: Access::Numbered {
                choice: DeviceChoice::Cuda,
                driver: if_enabled!(
                    "cuda",
                    Driver {
                        open: |index: usize| catch_device_panic(|| Device::cuda(index)),
                        enumerate: || numbered(DeviceType::Cuda),
                    }
                ),
            },
        },
        Self {
            name: "rocm",
            meaning: "an AMD GPU, with ROCm",
            feature: Some("rocm"),
            access: Access::Numbered {
                choice: DeviceChoice::Rocm,
                driver: if_enabled!(
                    "rocm",
                    Driver {
                        open: |index: usize| catch_device_panic(|| Device::rocm(index)),
                        enumerate: || numbered(DeviceType::Rocm),
                    }
                ),
            },
        },
        Self {
            name: "metal",
            meaning: "a GPU of Apple, with Metal",
            feature: Some("metal"),
            access: Access::Graphics {
                choice: DeviceChoice::Metal,
                driver: if_enabled!(
                    "metal",
                    Driver {
                        open: |gpu: Gpu| open_gpu(gpu, WgpuBackend::Metal, Device::metal),
                        enumerate: || gpus(DeviceType::Metal),
                    }
                ),
            },
        },
        Self {
            name: "vulkan",
            meaning: "any GPU, with Vulkan and SPIR-V",
            feature: Some("vulkan"),
            access: Access::Graphics {
                choice: DeviceChoice::Vulkan,
                driver: if_enabled!(
                    "vulkan",
                    Driver {
                        open: |gpu: Gpu| open_gpu(gpu, WgpuBackend::Vulkan, Device::vulkan),
                        enumerate: || gpus(DeviceType::Vulkan),
                    }
                ),
            },
        },
        Self {
            name: "wgpu",
            meaning: "any GPU, with the graphics API that wgpu selects",
            feature: Some("wgpu"),
            access: Access::Graphics {
                choice: DeviceChoice::Wgpu,
                driver: if_enabled!(
                    "wgpu",
                    Driver {
                        open: |gpu: Gpu| open_gpu(gpu, WgpuBackend::Auto, Device::wgpu),
                        enumerate: || gpus(DeviceType::Wgpu),
                    }
                ),
            },
        },
        Self {
            name: "cpu",
            meaning: "the CPU",
            feature: None,
            access: Access::Single { choice: DeviceChoice::Cpu, open: Some(Device::flex) },
        },
        Self {
            name: "ndarray",
            meaning: "the CPU, with Burn's older backend, for comparison",
            feature: Some("ndarray"),
            access: Access::Single { choice: DeviceChoice::NdArray, open: if_enabled!("ndarray", Device::ndarray) },
        },
        Self {
            name: "remote",
            meaning: "the device of another machine, as remote:ws://HOST:PORT",
            feature: Some("remote"),
            access: Access::Remote { choice: DeviceChoice::Remote, open: if_enabled!("remote", connect) },
        },
    ];

    /// The names of all kinds, separated by commas.
    pub fn names() -> String {
        Self::ALL.map(|kind| kind.name).join(", ")
    }

    /// Whether this build has it.
    pub fn is_compiled(&self) -> bool {
        match &self.access {
            Access::Auto => true,
            Access::Single { open, .. } => open.is_some(),
            Access::Numbered { driver, .. } => driver.is_some(),
            Access::Graphics { driver, .. } => driver.is_some(),
            Access::Remote { open, .. } => open.is_some(),
        }
    }

    /// Whether this build has it, and its devices are of this machine.
    pub(super) fn is_local(&self) -> bool {
        self.is_compiled() && !matches!(self.access, Access::Auto | Access::Remote { .. })
    }

    /// The first device of this kind.
    pub(super) fn first(&self) -> DeviceChoice {
        match &self.access {
            Access::Auto => DeviceChoice::Auto,
            Access::Single { choice, .. } => choice.clone(),
            Access::Numbered { choice, .. } => choice(0),
            Access::Graphics { choice, .. } => choice(Gpu::Default),
            Access::Remote { choice, .. } => choice(String::new()),
        }
    }

    /// All devices of this kind; the first one if none is found.
    pub(super) fn visible(&self) -> Vec<DeviceChoice> {
        let found: Vec<_> = self.gpus().into_iter().map(|(choice, _)| choice).collect();
        if found.is_empty() { vec![self.first()] } else { found }
    }

    /// The GPUs of this kind that the driver reports.
    fn gpus(&self) -> Vec<(DeviceChoice, Device)> {
        match &self.access {
            Access::Numbered { choice, driver: Some(driver) } => driver.found(*choice),
            Access::Graphics { choice, driver: Some(driver) } => driver.found(*choice),
            _ => Vec::new(),
        }
    }
}

impl DeviceChoice {
    /// Its row of the table.
    pub(super) fn kind(&self) -> DeviceKind {
        let is_same = |kind: &DeviceKind| discriminant(&kind.first()) == discriminant(self);
        DeviceKind::ALL.into_iter().find(is_same).expect("the table has every kind")
    }

    /// Opens the device, without a check.
    pub(super) fn open(&self) -> Result<Device, DeviceError> {
        let kind = self.kind();
        let opened = match (&kind.access, self.selector()) {
            (Access::Auto, _) => Ok(fastest()),
            (Access::Single { open: Some(open), .. }, _) => Ok(open()),
            (Access::Numbered { driver: Some(driver), .. }, Selector::Number(index)) => (driver.open)(index),
            (Access::Graphics { driver: Some(driver), .. }, Selector::Gpu(gpu)) => (driver.open)(gpu),
            (Access::Remote { open: Some(open), .. }, Selector::Address(address)) => open(address),
            _ => return Err(DeviceError::NotCompiled(kind.name)),
        };
        opened.map_err(|reason| self.unusable(reason))
    }
}

/// The first GPU, in the order of the table, that is not a software renderer, and works; else the CPU.
fn fastest() -> Device {
    // Software renderers are slower than the CPU backend.
    let is_software = |choice: &DeviceChoice| matches!(choice.selector(), Selector::Gpu(Gpu::Software));
    let mut gpus = DeviceKind::ALL.into_iter().flat_map(|kind| kind.gpus());
    let working = gpus.find(|(choice, device)| !is_software(choice) && check(device).is_ok());
    working.map_or_else(Device::flex, |(_, device)| device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_documents_every_kind_of_device() {
        let page = include_str!("../../../docs/devices.md");
        for kind in DeviceKind::ALL {
            assert!(page.contains(&format!("| `{}` |", kind.name)), "{}", kind.name);
            assert!(page.contains(kind.meaning), "{}", kind.meaning);
            assert_eq!(kind.first().kind().name, kind.name);
        }
        let unknown = "gpu".parse::<DeviceChoice>().unwrap_err().to_string();
        assert!(unknown.contains(&DeviceKind::names()) && unknown.contains("ndarray"), "{unknown}");
    }

    #[test]
    fn a_build_without_gpus_still_has_the_cpu() {
        let local = |name: &str| DeviceKind::ALL.into_iter().any(|kind| kind.name == name && kind.is_local());

        assert!(local("cpu") && !local("auto") && !local("remote"));
    }

    #[test]
    fn a_kind_that_is_not_part_of_this_build_is_an_error_with_its_feature() {
        for kind in DeviceKind::ALL.into_iter().filter(|kind| !kind.is_compiled()) {
            let error = kind.first().open().unwrap_err();

            assert!(matches!(error, DeviceError::NotCompiled(feature) if Some(feature) == kind.feature), "{error}");
        }
    }
}
