//! Compute devices: selected by name, and checked before use.

mod choice;
#[cfg(all(feature = "wgpu", target_os = "linux"))]
mod gpu_memory;

use burn::backend::DispatchDevice;
#[cfg(feature = "wgpu")]
use burn::backend::{CubeDevice, WgpuDeviceKind};
use burn::tensor::{Device, DeviceType, Tensor};
use ipcgan_system::{catch_device_panic, try_catch_device_panic};

pub use choice::{DeviceChoice, DeviceError, DeviceKind, Gpu};

impl DeviceChoice {
    /// All devices found, fastest kind first: each GPU by each API of the build, and the CPU.
    ///
    /// A kind without a device is listed once, by its name; opening it reports what is missing.
    pub fn visible() -> Vec<Self> {
        Self::compiled().into_iter().flat_map(Self::seen).collect()
    }

    /// All devices of this kind.
    fn seen(self) -> Vec<Self> {
        let found = self.device_type().map(|kind| enumerated(&kind)).unwrap_or_default();
        let numbered = (0..).zip(&found).map(|(index, device)| match &self {
            Self::Cuda(_) => Self::Cuda(index),
            Self::Rocm(_) => Self::Rocm(index),
            Self::Metal(_) => Self::Metal(gpu_of(device)),
            Self::Vulkan(_) => Self::Vulkan(gpu_of(device)),
            Self::Wgpu(_) => Self::Wgpu(gpu_of(device)),
            other => other.clone(),
        });
        let seen: Vec<Self> = numbered.collect();
        if seen.is_empty() { vec![self] } else { seen }
    }

    /// Burn's name for GPUs of this kind; `None` for other kinds, and without their feature.
    fn device_type(&self) -> Option<DeviceType> {
        match self {
            #[cfg(feature = "cuda")]
            Self::Cuda(_) => Some(DeviceType::Cuda),
            #[cfg(feature = "rocm")]
            Self::Rocm(_) => Some(DeviceType::Rocm),
            #[cfg(feature = "metal")]
            Self::Metal(_) => Some(DeviceType::Metal),
            #[cfg(feature = "vulkan")]
            Self::Vulkan(_) => Some(DeviceType::Vulkan),
            #[cfg(feature = "wgpu")]
            Self::Wgpu(_) => Some(DeviceType::Wgpu),
            _ => None,
        }
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
        match device.as_dispatch() {
            DispatchDevice::Flex(_) => "the CPU, by flex".into(),
            #[cfg(feature = "ndarray")]
            DispatchDevice::NdArray(_) => "the CPU, by ndarray".into(),
            #[cfg(feature = "remote")]
            DispatchDevice::Remote(_) => "the device of another machine".into(),
            _ => "a device of another kind".into(),
        }
    }

    /// Memory in bytes of a device that [`DeviceChoice::resolve`] returned; `None` for a CPU, or if it is unknown.
    ///
    /// CUDA, ROCm, Metal and Vulkan report it; for `wgpu` the driver of an NVIDIA or AMD GPU is queried on Linux.
    #[allow(unused_variables, reason = "a CPU-only build has no GPU to query")]
    pub fn memory(device: &Device) -> Option<u64> {
        #[cfg(any(feature = "wgpu", feature = "cuda", feature = "rocm"))]
        if let DispatchDevice::Cube(device) = device.as_dispatch() {
            let client = device.client();
            let properties = client.properties();
            let reported = properties.memory.max_memory();
            #[cfg(all(feature = "wgpu", target_os = "linux"))]
            let reported = reported.or_else(|| gpu_memory::memory(properties.identity.physical.as_ref()?));
            return reported;
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
            Self::Cuda(index) => self.catch_device_panic(|| Device::cuda(*index)),
            #[cfg(feature = "rocm")]
            Self::Rocm(index) => self.catch_device_panic(|| Device::rocm(*index)),
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
            missing => Err(DeviceError::NotCompiled(missing.kind().name)),
        }
    }

    /// Opens a graphics device. A device that is open cannot be initialized again; `opened` returns it.
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
        options.init().or_else(|error| match catch_device_panic(|| opened(kind.clone())) {
            Ok(device) if check(&device).is_ok() => Ok(device),
            _ => Err(self.unusable(error.to_string())),
        })
    }

    /// These constructors panic if the driver is missing.
    #[cfg(any(feature = "cuda", feature = "rocm"))]
    fn catch_device_panic(&self, open: impl Fn() -> Device) -> Result<Device, DeviceError> {
        catch_device_panic(open).map_err(|reason| self.unusable(reason))
    }
}

/// The first GPU, in the order of [`DeviceChoice::compiled`], that is not a software renderer, and works.
fn automatic() -> Option<Device> {
    let kinds = DeviceChoice::compiled();
    let mut gpus = kinds.iter().filter_map(DeviceChoice::device_type).flat_map(|kind| enumerated(&kind));
    // Software renderers are slower than the CPU backend.
    gpus.find(|device| gpu_of(device) != Gpu::Software && check(device).is_ok())
}

/// Devices of `kind` that the driver reports.
fn enumerated(kind: &DeviceType) -> Vec<Device> {
    catch_device_panic(|| Device::enumerate(kind.clone()).into_vec()).unwrap_or_default()
}

/// Which GPU of its graphics API `device` is.
#[allow(unused_variables, reason = "a build without wgpu has no such GPU")]
fn gpu_of(device: &Device) -> Gpu {
    #[cfg(feature = "wgpu")]
    if let DispatchDevice::Cube(CubeDevice::Wgpu(device)) = device.as_dispatch() {
        return match device.kind {
            WgpuDeviceKind::DiscreteGpu(index) => Gpu::Discrete(index),
            WgpuDeviceKind::IntegratedGpu(index) => Gpu::Integrated(index),
            WgpuDeviceKind::Cpu => Gpu::Software,
            _ => Gpu::Default,
        };
    }
    Gpu::Default
}

/// Multiplies two small matrices and checks the result: some drivers fail only when they compute.
fn check(device: &Device) -> Result<(), String> {
    let product = try_catch_device_panic(|| {
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
        assert!(DeviceChoice::Cpu.resolve().is_ok());
    }

    #[test]
    fn the_cpu_is_described_with_its_backend() {
        assert_eq!(DeviceChoice::describe(&Device::flex()), "the CPU, by flex");
    }

    #[cfg(feature = "wgpu")]
    #[test]
    fn each_gpu_of_a_graphics_api_is_recognised() {
        use burn::tensor::DeviceKind;

        // Nothing is opened.
        for (kind, gpu) in [
            (DeviceKind::DiscreteGpu(1), Gpu::Discrete(1)),
            (DeviceKind::IntegratedGpu(0), Gpu::Integrated(0)),
            (DeviceKind::Cpu, Gpu::Software),
            (DeviceKind::DefaultDevice, Gpu::Default),
        ] {
            assert_eq!(gpu_of(&Device::wgpu(kind)), gpu);
        }
        assert_eq!(gpu_of(&Device::flex()), Gpu::Default);
    }
}
