//! Opens and enumerates the devices of a driver, or of another machine.

#[cfg(feature = "wgpu")]
use burn::backend::{CubeDevice, DispatchDevice, WgpuDeviceKind};
use burn::tensor::Device;
#[cfg(feature = "wgpu")]
use burn::tensor::DeviceKind;
#[cfg(any(feature = "cuda", feature = "rocm", feature = "wgpu"))]
use burn::tensor::DeviceType;
#[cfg(feature = "wgpu")]
use burn::tensor::wgpu::WgpuBackend;
use ipcgan_system::catch_device_panic;

#[cfg(feature = "wgpu")]
use super::check;
use super::choice::DeviceChoice;
#[cfg(feature = "wgpu")]
use super::choice::Gpu;

/// Opens and enumerates GPUs, each selected by an `S`.
#[allow(dead_code, reason = "a build without GPUs has no driver")]
#[derive(Debug)]
pub(super) struct Driver<S> {
    /// Opens a GPU, or returns the reason why it cannot.
    pub(super) open: fn(S) -> Result<Device, String>,
    /// All GPUs; panics if the driver is missing.
    pub(super) enumerate: fn() -> Vec<(S, Device)>,
}

impl<S> Driver<S> {
    /// All GPUs, each as the `choice` of its selector; none if the driver is missing.
    pub(super) fn found(&self, choice: fn(S) -> DeviceChoice) -> Vec<(DeviceChoice, Device)> {
        let found = catch_device_panic(self.enumerate).unwrap_or_default();
        found.into_iter().map(|(selector, device)| (choice(selector), device)).collect()
    }
}

/// GPUs of a kind that its driver numbers.
#[cfg(any(feature = "cuda", feature = "rocm"))]
pub(super) fn numbered(kind: DeviceType) -> Vec<(usize, Device)> {
    Device::enumerate(kind).into_vec().into_iter().enumerate().collect()
}

/// GPUs of a graphics API.
#[cfg(feature = "wgpu")]
pub(super) fn gpus(kind: DeviceType) -> Vec<(Gpu, Device)> {
    Device::enumerate(kind).into_vec().into_iter().map(|device| (gpu_of(&device), device)).collect()
}

/// Which GPU of its graphics API `device` is.
#[cfg(feature = "wgpu")]
fn gpu_of(device: &Device) -> Gpu {
    let DispatchDevice::Cube(CubeDevice::Wgpu(device)) = device.as_dispatch() else { return Gpu::Default };
    match device.kind {
        WgpuDeviceKind::DiscreteGpu(index) => Gpu::Discrete(index),
        WgpuDeviceKind::IntegratedGpu(index) => Gpu::Integrated(index),
        WgpuDeviceKind::Cpu => Gpu::Software,
        _ => Gpu::Default,
    }
}

/// Opens a GPU of the graphics API `api`. A GPU that is open cannot be initialized again; `opened` returns it.
#[cfg(feature = "wgpu")]
pub(super) fn open_gpu(gpu: Gpu, api: WgpuBackend, opened: fn(DeviceKind) -> Device) -> Result<Device, String> {
    let kind = match gpu {
        Gpu::Default => DeviceKind::DefaultDevice,
        Gpu::Discrete(index) => DeviceKind::DiscreteGpu(index),
        Gpu::Integrated(index) => DeviceKind::IntegratedGpu(index),
        Gpu::Software => DeviceKind::Cpu,
    };
    let options = Device::wgpu_options().device_kind(kind.clone()).graphics_api(api);
    options.init().or_else(|error| match catch_device_panic(|| opened(kind)) {
        Ok(device) if check(&device).is_ok() => Ok(device),
        _ => Err(error.to_string()),
    })
}

/// Connects to the device that another machine serves at `address`.
#[cfg(feature = "remote")]
pub(super) fn connect(address: &str) -> Result<Device, String> {
    let host = burn::remote::RemoteHost::websocket(address);
    Device::remote_options(&host).init().map_err(|error| error.to_string())
}

#[cfg(all(test, feature = "wgpu"))]
mod tests {
    use super::*;

    #[test]
    fn each_gpu_of_a_graphics_api_is_recognised() {
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
