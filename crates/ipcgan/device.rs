//! Compute devices: selected by name, and checked before use.

#[cfg(all(feature = "wgpu", target_os = "linux"))]
mod gpu_memory;
mod name;

use burn::tensor::{Device, DeviceType, Tensor};
use ipcgan_system::{catch_panic, try_catch_panic};

/// A device by name: `auto`, `cpu`, `cuda:1`, `wgpu`, `vulkan:i0`, `remote:ws://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The fastest kind that works: a GPU if there is one, else the CPU.
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
    #[error(
        "unknown device `{0}`; valid are auto, cpu, cuda, rocm, wgpu, vulkan, metal, ndarray and remote:ADDRESS, and GPUs by number such as cuda:1"
    )]
    Unknown(String),
    /// The device was not enabled at build time.
    #[error("this program was built without {0}; build it with `--features {0}`")]
    NotCompiled(&'static str),
    /// The device or its driver is missing, or computes wrong results.
    #[error("device {device} does not work here: {reason}")]
    Unusable {
        /// The requested device.
        device: DeviceChoice,
        /// What went wrong.
        reason: String,
    },
    /// The device cannot be served to other machines.
    #[error("the device cannot be served: {0}")]
    NotServed(String),
}

impl DeviceChoice {
    /// Kinds of device of this build, fastest first.
    pub fn compiled() -> Vec<Self> {
        let kinds = [
            (cfg!(feature = "cuda"), Self::Cuda(0)),
            (cfg!(feature = "rocm"), Self::Rocm(0)),
            (cfg!(feature = "metal"), Self::Metal(Gpu::Default)),
            (cfg!(feature = "vulkan"), Self::Vulkan(Gpu::Default)),
            (cfg!(feature = "wgpu"), Self::Wgpu(Gpu::Default)),
            (true, Self::Cpu),
            (cfg!(feature = "ndarray"), Self::NdArray),
        ];
        kinds.into_iter().filter(|(compiled, _)| *compiled).map(|(_, kind)| kind).collect()
    }

    /// All devices found, fastest kind first: each GPU by each API of the build, and the CPU.
    ///
    /// A kind without any device is listed once, by its name: opening it reports what is missing.
    pub fn visible() -> Vec<Self> {
        Self::compiled().into_iter().flat_map(Self::seen).collect()
    }

    /// All devices of this kind.
    fn seen(self) -> Vec<Self> {
        let seen: Vec<Self> = match self {
            #[cfg(feature = "cuda")]
            Self::Cuda(_) => (0..enumerated(&DeviceType::Cuda).len()).map(Self::Cuda).collect(),
            #[cfg(feature = "rocm")]
            Self::Rocm(_) => (0..enumerated(&DeviceType::Rocm).len()).map(Self::Rocm).collect(),
            #[cfg(feature = "metal")]
            Self::Metal(_) => enumerated(&DeviceType::Metal).iter().map(|device| Self::Metal(gpu_of(device))).collect(),
            #[cfg(feature = "vulkan")]
            Self::Vulkan(_) => {
                enumerated(&DeviceType::Vulkan).iter().map(|device| Self::Vulkan(gpu_of(device))).collect()
            }
            #[cfg(feature = "wgpu")]
            Self::Wgpu(_) => enumerated(&DeviceType::Wgpu).iter().map(|device| Self::Wgpu(gpu_of(device))).collect(),
            _ => Vec::new(),
        };
        if seen.is_empty() { vec![self] } else { seen }
    }

    /// Opens the device, and checks it with a small computation.
    ///
    /// # Errors
    /// It is not part of this build, does not exist, or does not work.
    pub fn resolve(&self) -> Result<Device, DeviceError> {
        match self {
            Self::Auto => Ok(automatic().unwrap_or_else(Device::flex)),
            choice => {
                choice.open().and_then(|device| check(&device).map(|()| device).map_err(|reason| self.unusable(reason)))
            }
        }
    }

    /// Human-readable name of a device that [`DeviceChoice::resolve`] returned.
    pub fn describe(device: &Device) -> String {
        #[cfg(any(feature = "wgpu", feature = "cuda", feature = "rocm"))]
        if let Some(identity) = device.identity() {
            return identity.name;
        }
        match format!("{device:?}") {
            name if name.contains("Flex") => "the CPU, by flex".into(),
            name if name.contains("NdArray") => "the CPU, by ndarray".into(),
            name => name::of_remote(&name).unwrap_or(name),
        }
    }

    /// Memory in bytes of a device that [`DeviceChoice::resolve`] returned; none for a CPU, or if it is unknown:
    /// CUDA, ROCm, Metal and Vulkan report it; for `wgpu` the driver is queried, for NVIDIA and AMD GPUs on Linux.
    #[allow(unused_variables, reason = "a CPU-only build has no GPU to query")]
    pub fn memory(device: &Device) -> Option<u64> {
        #[cfg(any(feature = "wgpu", feature = "cuda", feature = "rocm"))]
        if let burn::backend::DispatchDevice::Cube(device) = device.as_dispatch() {
            let client = device.client();
            let properties = client.properties();
            let told = properties.memory.max_memory();
            #[cfg(all(feature = "wgpu", target_os = "linux"))]
            let told = told.or_else(|| gpu_memory::memory(properties.identity.physical.as_ref()?));
            return told;
        }
        None
    }

    fn unusable(&self, reason: String) -> DeviceError {
        DeviceError::Unusable { device: self.clone(), reason }
    }

    #[allow(unused_variables, reason = "used parameters depend on the features")]
    fn open(&self) -> Result<Device, DeviceError> {
        match self {
            Self::Auto | Self::Cpu => Ok(Device::flex()),
            #[cfg(feature = "ndarray")]
            Self::NdArray => Ok(Device::ndarray()),
            #[cfg(feature = "cuda")]
            Self::Cuda(index) => self.catch_panic(|| Device::cuda(*index)),
            #[cfg(feature = "rocm")]
            Self::Rocm(index) => self.catch_panic(|| Device::rocm(*index)),
            #[cfg(feature = "wgpu")]
            Self::Wgpu(gpu) => self.graphics(*gpu, None, Device::wgpu),
            #[cfg(feature = "vulkan")]
            Self::Vulkan(gpu) => self.graphics(*gpu, Some(burn::tensor::wgpu::WgpuBackend::Vulkan), Device::vulkan),
            #[cfg(feature = "metal")]
            Self::Metal(gpu) => self.graphics(*gpu, Some(burn::tensor::wgpu::WgpuBackend::Metal), Device::metal),
            #[cfg(feature = "remote")]
            Self::Remote(address) => {
                let host = burn::remote::RemoteHost::websocket(address);
                Device::remote_options(&host).init().map_err(|error| self.unusable(error.to_string()))
            }
            #[allow(unreachable_patterns, reason = "with every feature nothing is left")]
            missing => Err(DeviceError::NotCompiled(missing.kind())),
        }
    }

    /// A graphics device; `opened` returns one that was opened before, which cannot be set up twice.
    #[cfg(feature = "wgpu")]
    fn graphics(
        &self,
        gpu: Gpu,
        interface: Option<burn::tensor::wgpu::WgpuBackend>,
        opened: impl Fn(burn::tensor::DeviceKind) -> Device,
    ) -> Result<Device, DeviceError> {
        use burn::tensor::DeviceKind;

        let kind = match gpu {
            Gpu::Default => DeviceKind::DefaultDevice,
            Gpu::Discrete(index) => DeviceKind::DiscreteGpu(index),
            Gpu::Integrated(index) => DeviceKind::IntegratedGpu(index),
            Gpu::Software => DeviceKind::Cpu,
        };
        let options = Device::wgpu_options().device_kind(kind.clone());
        let options = match interface {
            Some(interface) => options.graphics_api(interface),
            None => options,
        };
        options.init().or_else(|error| match catch_panic(|| opened(kind.clone())) {
            Ok(device) if check(&device).is_ok() => Ok(device),
            _ => Err(self.unusable(error.to_string())),
        })
    }

    /// These constructors panic if the driver is missing.
    #[cfg(any(feature = "cuda", feature = "rocm"))]
    fn catch_panic(&self, open: impl Fn() -> Device) -> Result<Device, DeviceError> {
        catch_panic(open).map_err(|reason| self.unusable(reason))
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::NdArray => "ndarray",
            Self::Cuda(_) => "cuda",
            Self::Rocm(_) => "rocm",
            Self::Wgpu(_) => "wgpu",
            Self::Vulkan(_) => "vulkan",
            Self::Metal(_) => "metal",
            Self::Remote(_) => "remote",
        }
    }
}

/// The first GPU, in the order of [`DeviceChoice::compiled`], that is no software renderer and works.
fn automatic() -> Option<Device> {
    let kinds: Vec<DeviceType> = vec![
        #[cfg(feature = "cuda")]
        DeviceType::Cuda,
        #[cfg(feature = "rocm")]
        DeviceType::Rocm,
        #[cfg(feature = "metal")]
        DeviceType::Metal,
        #[cfg(feature = "vulkan")]
        DeviceType::Vulkan,
        #[cfg(feature = "wgpu")]
        DeviceType::Wgpu,
    ];
    // Software renderers are slower than the CPU backend.
    kinds.iter().flat_map(enumerated).find(|device| gpu_of(device) != Gpu::Software && check(device).is_ok())
}

/// Devices of `kind` that the driver reports.
fn enumerated(kind: &DeviceType) -> Vec<Device> {
    catch_panic(|| Device::enumerate(kind.clone()).into_vec()).unwrap_or_default()
}

/// Which GPU of its API `device` is; Burn exposes this only in its debug format.
fn gpu_of(device: &Device) -> Gpu {
    let name = format!("{device:?}");
    let number = |kind: &str| -> Option<usize> {
        let (_, rest) = name.split_once(kind)?;
        rest.trim_start_matches('(').split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    if name.contains("Cpu") {
        return Gpu::Software;
    }
    let discrete = number("DiscreteGpu").map(Gpu::Discrete);
    discrete.or_else(|| number("IntegratedGpu").map(Gpu::Integrated)).unwrap_or(Gpu::Default)
}

/// Multiplies two small matrices and checks the result: some drivers only fail then.
fn check(device: &Device) -> Result<(), String> {
    let product = try_catch_panic(|| {
        let ones = Tensor::<2>::ones([4, 4], device);
        ones.clone().matmul(ones).sum().try_into_scalar::<f32>().map_err(|error| error.to_string())
    })?;
    match product {
        64.0 => Ok(()),
        wrong => Err(format!("it computes wrong results ({wrong} instead of 64)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "wgpu")]
    #[test]
    fn a_device_that_works_can_be_opened_again() {
        let software = || DeviceChoice::Wgpu(Gpu::Software).resolve();

        // On a machine without a graphics driver there is nothing to open.
        if software().is_ok() {
            software().unwrap();
        }
    }

    #[test]
    fn the_cpu_always_works() {
        assert!(DeviceChoice::compiled().contains(&DeviceChoice::Cpu));
        assert!(DeviceChoice::Cpu.resolve().is_ok());
    }
}
